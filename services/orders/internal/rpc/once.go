package rpc

import (
	"context"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// idempotencyKey is the metadata key of the header Idempotency-Key.
const idempotencyKey = "idempotency-key"

// once names a request for the memory of request ids: by its field, or else by the header, so that a client that retries
// HTTP requests needs no field. The id is no part of what is compared.
func once[M proto.Message](ctx context.Context, method, field string, req M, clear func(M)) (order.Request, error) {
	r := order.Request{Actor: actor(ctx), Method: method, Key: field}
	if header := metadata.ValueFromIncomingContext(ctx, idempotencyKey); r.Key == "" && len(header) > 0 {
		r.Key = header[0]
	}
	if r.Key == "" {
		return r, nil
	}
	body := proto.CloneOf(req)
	clear(body)
	hash, err := idempotency.Hash(body)
	r.Hash = hash
	return r, err
}
