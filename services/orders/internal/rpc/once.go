package rpc

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// once names a request for the memory of request ids: by its field, or else by the header, so that a client that retries
// HTTP requests needs no field. The id is no part of what is compared.
func once[M proto.Message](ctx context.Context, method, field string, req M, clear func(M)) (order.Request, error) {
	key, err := idempotency.KeyFrom(ctx, field)
	r := order.Request{Actor: actor(ctx), Method: method, Key: key}
	if err != nil || key == "" {
		return r, err
	}
	body := proto.CloneOf(req)
	clear(body)
	r.Hash, err = idempotency.Hash(body)
	return r, err
}
