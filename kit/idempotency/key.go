package idempotency

import (
	"context"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// MaxKey is the longest request id, as the contract has it for the field.
const MaxKey = 64

const header = "idempotency-key"

// KeyFrom is the id of a request: its field or, when that is empty, the header
// Idempotency-Key, so that a client that retries HTTP requests needs no field; empty when
// there is neither. What the contract cannot check of a header is refused here, as
// INVALID_ARGUMENT, and never ignored: whoever sends one relies on a repetition changing
// nothing.
func KeyFrom(ctx context.Context, requestID string) (string, error) {
	values := metadata.ValueFromIncomingContext(ctx, header)
	if requestID != "" || len(values) == 0 {
		return requestID, nil
	}
	key := values[0]
	unprintable := strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
	if len(values) > 1 || len(key) > MaxKey || unprintable {
		e := rpcerr.New(codes.InvalidArgument, rpcerr.ReasonInvalidRequest, rpcerr.PlumbingDomain,
			"the header Idempotency-Key is sent once, with at most %d printable characters", MaxKey)
		return "", e.Field("Idempotency-Key", e.Error())
	}
	return key, nil
}
