package rpc

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// idempotencyKey is the metadata key of the header Idempotency-Key; it may be as long as the field of the contract.
const (
	idempotencyKey = "idempotency-key"
	maxKey         = 64
)

// once names a request for the memory of request ids: by its field, or else by the header, so that a client that retries
// HTTP requests needs no field. The id is no part of what is compared.
func once[M proto.Message](ctx context.Context, method, field string, req M, clear func(M)) (order.Request, error) {
	r := order.Request{Actor: actor(ctx), Method: method, Key: field}
	if header := metadata.ValueFromIncomingContext(ctx, idempotencyKey); r.Key == "" && len(header) > 0 {
		r.Key = header[0]
	}
	if len(r.Key) > maxKey {
		return r, rpcerr.New(codes.InvalidArgument, rpcerr.ReasonInvalidRequest, rpcerr.PlumbingDomain, "the header Idempotency-Key is longer than %d characters", maxKey)
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
