package app

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/proto/access"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

// permissions reads who may call what: of identity's own methods, which it enforces, and of the whole suite, which it tells each
// user for screens that hide what is not allowed. A new service joins the second list.
func permissions() (own, all map[string]auth.Rule, err error) {
	mine := suite.Services(identityv1.File_libertaphonix_identity_v1_identity_proto, systemv1.File_libertaphonix_system_v1_system_proto)
	if own, err = access.Rules(mine...); err != nil {
		return nil, nil, err
	}
	all, err = access.Rules(slices.Concat(mine,
		suite.Services(ordersv1.File_libertaphonix_orders_v1_orders_proto, ecosyncv1.File_libertaphonix_ecosync_v1_ecosync_proto))...)
	return own, all, err
}

// issuer is the adapter of account.Issuer to the issuer of kit/auth.
type issuer struct{ *auth.Issuer }

var _ account.Issuer = issuer{}

func newIssuer(keyring *signing.Keyring, now auth.Clock) issuer {
	return issuer{auth.NewIssuer(func(ctx context.Context) (auth.SigningKey, error) {
		key, err := keyring.Signer(ctx)
		return auth.SigningKey{ID: key.ID, Private: key.Private}, err
	}, now)}
}

// Issue signs a token for a user.
func (i issuer) Issue(ctx context.Context, u account.User, session string) (account.AccessToken, error) {
	token, _, err := i.Issuer.Issue(ctx, auth.Person{
		Subject: u.ID, Session: session, Role: string(u.Role), Email: string(u.Email), Name: u.Name,
	})
	return account.AccessToken(token), err
}

// publishedKeys is the key set as other services fetch it, without the way over the network.
func publishedKeys(keyring *signing.Keyring) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		published, err := keyring.Published(ctx)
		if err != nil {
			return nil, err
		}
		keys := make([]auth.PublicKey, 0, len(published))
		for _, k := range published {
			keys = append(keys, auth.PublicKey{ID: k.ID, Key: k.Public()})
		}
		return auth.JWKS(keys...)
	}
}

// newID answers a UUIDv7; it panics only if the system has no randomness, as crypto/rand does.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tellPassword prints the password drawn for the first administrator to the terminal, past the log: it is told once, to whoever
// started the process, and is nowhere else.
func tellPassword(b account.Bootstrapped) {
	_, _ = fmt.Fprintf(os.Stderr, "\nidentity: the first administrator is %s with the password %s\n"+
		"identity: it is shown this once; change it after the first login\n\n", b.Email, string(b.Drawn))
}
