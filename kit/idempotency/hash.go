package idempotency

import (
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// Hash is the RequestHash of a message: clear the field that carries the request id
// first, or a header and a field would not be the same request.
func Hash(m proto.Message) ([]byte, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("hash a request: %w", err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}
