package suite

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
)

// VerificationKeys fetches the key set that identity publishes, for auth.NewKeys. Its fields are spelled in the contract as RFC 7517 has them, so the
// answer in proto JSON is the document.
func VerificationKeys(identity grpc.ClientConnInterface) func(ctx context.Context) ([]byte, error) {
	client := identityv1.NewIdentityServiceClient(identity)
	return func(ctx context.Context) ([]byte, error) {
		set, err := client.GetKeys(ctx, &identityv1.GetKeysRequest{})
		if err != nil {
			return nil, fmt.Errorf("ask identity for its keys: %w", err)
		}
		return protojson.Marshal(set)
	}
}
