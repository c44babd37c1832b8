// Package app puts identity together: the one place that knows every part. Read New from top to bottom.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/grpcserver"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/run"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/argon2id"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/postgres"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/rpc"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

// Name of the service.
const Name = "identity"

// New starts identity. It has no peers: everybody asks it, it asks nobody.
func New(ctx context.Context, cfg Config, g *run.Group) error {
	o, err := obs.Start(g, Name, cfg.Service)
	if err != nil {
		return err
	}

	sealer, err := seal.New(cfg.CredentialsKeyset)
	if err != nil {
		return err
	}
	db, err := pg.Start(ctx, g, database(cfg, o), postgres.Migrations()...)
	if err != nil {
		return err
	}
	store := postgres.NewStore(db.Pool, sealer)

	keyring := signing.NewKeyring(store, account.AccessTokenLife, time.Now)
	accounts := account.NewService(account.Deps{
		Store: store, Hasher: argon2id.New(argon2id.Recommended), Issuer: issuer(keyring, time.Now),
		Now: time.Now, NewID: newID, Pause: pause,
	})

	serviceKey, err := cfg.ServiceKey()
	if err != nil {
		return err
	}
	keys := auth.NewKeys(publishedKeys(keyring), nil, time.Now) // its own, from its own database: no network to itself
	verifier := auth.NewVerifier(Name, serviceKey, keys, time.Now)
	tls, err := grpcserver.TLS(cfg.Process)
	if err != nil {
		return err
	}
	rules, suite, err := permissions()
	if err != nil {
		return err
	}
	server, err := grpcserver.New(grpcserver.Config{
		Name: Name, Addr: cfg.ListenAddr(Name), TLS: tls, Rules: rules, Verifier: verifier, Errors: rpc.Errors, Obs: o,
		Reflection: grpcserver.ReflectionRule(cfg.Production()),
	}, func(r grpc.ServiceRegistrar) {
		identityv1.RegisterIdentityServiceServer(r, rpc.NewServer(rpc.Deps{
			Accounts: accounts, Keys: keyring, Trail: store, Suite: suite, Zone: cfg.BusinessTimezone, KeepDays: cfg.LogRetentionDays,
		}))
		systemv1.RegisterSystemServiceServer(r, &rpc.System{Version: run.Version, Started: time.Now(), Pool: poolOf(db)})
	})
	if err != nil {
		return err
	}

	start := &beginning{
		db: db, keyring: keyring, accounts: accounts, first: cfg.firstAdmin(), mayDraw: !cfg.Production(), log: o.Log, tell: tellPassword,
	}
	g.Go("keys and first administrator", start.run)
	if err := obs.ServeAdmin(g, cfg.AdminListenAddr(Name), o.Metrics, start.ready); err != nil {
		return err
	}
	return server.Serve(g)
}

// Check reaches the database and says what would keep identity from starting. It changes nothing.
func Check(ctx context.Context, cfg Config) error {
	faults := []error{pg.Check(ctx, database(cfg, nil))}
	if cfg.Production() && (cfg.BootstrapAdminEmail == "" || cfg.BootstrapAdminPassword.IsZero()) && faults[0] == nil {
		pool, err := pg.Open(ctx, database(cfg, nil))
		if err != nil {
			return err
		}
		defer pool.Close()
		if empty, err := postgres.NewStore(pool, nil).Empty(ctx); err != nil || empty {
			faults = append(faults, err, account.ErrBootstrapMissing)
		}
	}
	return errors.Join(faults...)
}

// Migrate brings the schema up to date.
func Migrate(ctx context.Context, cfg Config) error {
	pool, err := pg.Open(ctx, database(cfg, nil))
	if err != nil {
		return err
	}
	defer pool.Close()
	return pg.Migrate(ctx, pool, postgres.Schema, postgres.Migrations()...)
}

func database(cfg Config, o *obs.Observability) pg.Options {
	options := pg.Options{URL: cfg.DatabaseURL, Schema: postgres.Schema, MaxConns: cfg.MaxConns(Name)}
	if o != nil {
		options.Log, options.Metrics = o.Log, o.Metrics
	}
	return options
}

// tokens is the adapter of account.Issuer to the issuer of kit/auth.
type tokens struct{ issuer *auth.Issuer }

func issuer(keyring *signing.Keyring, now auth.Clock) tokens {
	return tokens{auth.NewIssuer(func(ctx context.Context) (auth.SigningKey, error) {
		key, err := keyring.Signer(ctx)
		return auth.SigningKey{ID: key.ID, Private: key.Private}, err
	}, now)}
}

// Issue signs a token for a user.
func (t tokens) Issue(ctx context.Context, u account.User, session string) (account.AccessToken, error) {
	token, _, err := t.issuer.Issue(ctx, auth.Person{
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

func poolOf(db *pg.Database) func(context.Context) rpc.Pool {
	return func(ctx context.Context) rpc.Pool {
		s := db.Stat()
		return rpc.Pool{
			Reachable: db.Ready(ctx) == nil, Max: s.MaxConns(), Open: s.TotalConns(), InUse: s.AcquiredConns(),
		}
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

var _ account.Issuer = tokens{}
