// Package identityrpc reaches the identity service, for the one thing that
// every service needs of it: the public keys that verify users' tokens.
package identityrpc

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
)

// Keys asks for the key set, as the JSON document that identity publishes.
func Keys(conn grpc.ClientConnInterface) func(context.Context) ([]byte, error) {
	identity := identityv1.NewIdentityServiceClient(conn)
	return func(ctx context.Context) ([]byte, error) {
		set, err := identity.GetKeys(ctx, &identityv1.GetKeysRequest{})
		if err != nil {
			return nil, fmt.Errorf("fetch the keys of identity: %w", err)
		}
		return protojson.Marshal(set)
	}
}
