// Package identityrpc asks identity for what orders needs of it: the public keys that user tokens are verified with.
//
// It owns the way from the contract to the JWKS document that kit/auth reads, and nothing else.
package identityrpc

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
)

// Keys answers a function that fetches the key set. Its fields are spelled in the contract as RFC 7517 has them, so the
// answer in proto JSON is the document.
func Keys(identity grpc.ClientConnInterface) func(ctx context.Context) ([]byte, error) {
	client := identityv1.NewIdentityServiceClient(identity)
	return func(ctx context.Context) ([]byte, error) {
		answer, err := client.GetKeys(ctx, &identityv1.GetKeysRequest{})
		if err != nil {
			return nil, fmt.Errorf("ask identity for its keys: %w", err)
		}
		return protojson.Marshal(answer)
	}
}
