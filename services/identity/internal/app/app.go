// Package app puts identity together: the one place that knows every part. Read New from top to bottom.
package app

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/grpcserver"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/run"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/argon2id"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/postgres"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/rpc"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

// Name of the service.
const Name = "identity"

// New starts identity. It has no peers: everybody asks it, it asks nobody.
func New(ctx context.Context, cfg Config, g *run.Group) error { return start(ctx, cfg, g, realWorld) }

func start(ctx context.Context, cfg Config, g *run.Group, w world) error {
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

	accounts, keyring := domain(store, w)

	begin := &beginning{
		db: db, keyring: keyring, accounts: accounts, first: cfg.firstAdmin(), mayDraw: !cfg.Production(), log: o.Log, tell: w.tell,
	}
	w.ready = begin.ready

	server, keys, err := newServer(cfg, o, db.Pool, store, accounts, keyring, w)
	if err != nil {
		return err
	}
	g.Go("keys and first administrator", begin.run)
	g.Go("verification keys", keys.Run)
	if err := obs.ServeAdmin(g, cfg.AdminListenAddr(Name), o.Metrics, begin.ready); err != nil {
		return err
	}
	return server.Serve(g)
}

// world is what tests replace: time, what a password costs, the terminal and the network.
type world struct {
	now      func() time.Time
	pause    func(ctx context.Context, d time.Duration) error
	cost     argon2id.Params
	tell     func(account.Bootstrapped) // a password that was drawn
	ready    func(ctx context.Context) error
	listener net.Listener // nil: the configured address
}

var realWorld = world{now: time.Now, pause: pause, cost: argon2id.Recommended, tell: tellPassword}

func domain(store *postgres.Store, w world) (*account.Service, *signing.Keyring) {
	keyring := signing.NewKeyring(store, account.AccessTokenLife, w.now)
	accounts := account.NewService(account.Deps{
		Store: store, Hasher: argon2id.New(w.cost), Issuer: newIssuer(keyring, w.now), Now: w.now, NewID: newID, Pause: w.pause,
	})
	return accounts, keyring
}

// newServer also answers the set that user tokens are verified with: identity's own keys from its own database, with no network
// and no stored copy between.
func newServer(
	cfg Config, o *obs.Observability, pool suite.Pool, store *postgres.Store, accounts *account.Service, keyring *signing.Keyring, w world,
) (*grpcserver.Server, *auth.Keys, error) {
	serviceKey, err := cfg.ServiceKey()
	if err != nil {
		return nil, nil, err
	}
	tls, err := grpcserver.TLS(cfg.Process)
	if err != nil {
		return nil, nil, err
	}
	rules, all, err := permissions()
	if err != nil {
		return nil, nil, err
	}
	keys := auth.NewKeys(publishedKeys(keyring), nil, w.now)
	server, err := grpcserver.New(grpcserver.Config{
		Name: Name, Addr: cfg.ListenAddr(Name), Listener: w.listener, TLS: tls, Rules: rules, Errors: rpc.Errors, Obs: o,
		Ready:      w.ready,
		Verifier:   auth.NewVerifier(Name, serviceKey, keys, w.now),
		Reflection: grpcserver.ReflectionRule(cfg.Production()),
	}, func(r grpc.ServiceRegistrar) {
		identityv1.RegisterIdentityServiceServer(r, rpc.NewServer(rpc.Deps{
			Accounts: accounts, Keys: keyring, Trail: store, Suite: all, Zone: cfg.BusinessTimezone, KeepDays: cfg.LogRetentionDays,
		}))
		systemv1.RegisterSystemServiceServer(r, &suite.System{Service: Name, Version: run.VersionText(), Started: w.now(), Pool: pool})
	})
	return server, keys, err
}

// Check reaches the database and says what would keep identity from starting. It changes nothing.
func Check(ctx context.Context, cfg Config) error {
	if err := pg.Check(ctx, database(cfg, nil)); err != nil {
		return err
	}
	if !cfg.Production() || cfg.firstAdmin().Complete() {
		return nil
	}
	pool, err := pg.Open(ctx, database(cfg, nil))
	if err != nil {
		return err
	}
	defer pool.Close()
	empty, err := postgres.NewStore(pool, nil).Empty(ctx)
	if empty {
		return errors.Join(err, account.ErrBootstrapMissing)
	}
	return err
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
	options := pg.Options{
		URL: cfg.DatabaseURL, Encrypted: cfg.EncryptedDatabase(), Schema: postgres.Schema, MaxConns: cfg.MaxConns(Name),
	}
	if o != nil {
		options.Log, options.Metrics = o.Log, o.Metrics
	}
	return options
}
