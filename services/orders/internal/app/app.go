// Package app puts orders together: the one place that knows every part. Read New from top to bottom.
package app

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/grpcclient"
	"github.com/libertaphonix/libertaphonix/kit/grpcserver"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/run"
	"github.com/libertaphonix/libertaphonix/proto/access"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/postgres"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/rpc"
)

// Name of the service.
const Name = "orders"

// New starts orders. It starts and stays up while identity, its one peer, is down: the keys it knew last are in its schema.
func New(ctx context.Context, cfg Config, g *run.Group) error {
	o, err := obs.Start(g, Name, cfg.Service)
	if err != nil {
		return err
	}

	db, err := pg.Start(ctx, g, database(cfg, o), postgres.Migrations()...)
	if err != nil {
		return err
	}

	identity, err := dialIdentity(cfg, o, g)
	if err != nil {
		return err
	}
	keys := auth.NewKeys(suite.VerificationKeys(identity), auth.NewKeyStore(db.Pool, postgres.Schema), time.Now)

	store := postgres.NewStore(db.Pool)
	orders := order.NewService(store, cfg.BusinessTimezone, time.Now)

	server, err := newServer(cfg, o, db.Pool, keys, store, orders, world{now: time.Now, ready: db.Ready})
	if err != nil {
		return err
	}

	g.Go("verification keys", keys.Run)
	if err := obs.ServeAdmin(g, cfg.AdminListenAddr(Name), o.Metrics, db.Ready); err != nil {
		return err
	}
	return server.Serve(g)
}

func dialIdentity(cfg Config, o *obs.Observability, g *run.Group) (*grpc.ClientConn, error) {
	secure, err := grpcclient.TLS(cfg.Process)
	if err != nil {
		return nil, err
	}
	conn, err := grpcclient.Dial(cfg.Peers.IdentityAddr, grpcclient.Options{ // its keys are public: no token is shown for them
		Service: "identity", TLS: secure, Obs: o, Idempotent: suite.Services(identityv1.File_libertaphonix_identity_v1_identity_proto),
	})
	if err != nil {
		return nil, err
	}
	g.OnStop("connection to identity", func(context.Context) error { return conn.Close() })
	return conn, nil
}

// world is what tests replace: time, what readiness is, and where the server listens.
type world struct {
	now      func() time.Time
	ready    func(ctx context.Context) error
	listener net.Listener // nil: at the address of the configuration
}

func newServer(
	cfg Config, o *obs.Observability, pool *pgxpool.Pool, keys *auth.Keys, trail rpc.AuditTrail, orders *order.Service, w world,
) (*grpcserver.Server, error) {
	serviceKey, err := cfg.ServiceKey()
	if err != nil {
		return nil, err
	}
	secure, err := grpcserver.TLS(cfg.Process)
	if err != nil {
		return nil, err
	}
	rules, err := access.Rules(suite.Services(ordersv1.File_libertaphonix_orders_v1_orders_proto, systemv1.File_libertaphonix_system_v1_system_proto)...)
	if err != nil {
		return nil, err
	}
	face, err := rpc.NewServer(rpc.Deps{Orders: orders, Trail: trail, Zone: cfg.BusinessTimezone, Now: w.now, Metrics: o.Metrics})
	if err != nil {
		return nil, err
	}
	return grpcserver.New(grpcserver.Config{
		Name: Name, Addr: cfg.ListenAddr(Name), Listener: w.listener, TLS: secure, Rules: rules, Errors: rpc.Errors, Obs: o,
		Ready:      w.ready,
		Verifier:   auth.NewVerifier(Name, serviceKey, keys, w.now),
		Reflection: grpcserver.ReflectionRule(cfg.Production()),
	}, func(r grpc.ServiceRegistrar) {
		ordersv1.RegisterOrdersServiceServer(r, face)
		systemv1.RegisterSystemServiceServer(r, &suite.System{Service: Name, Version: run.VersionText(), Started: w.now(), Pool: pool})
	})
}

// Check reaches the database and says what would keep orders from starting. It changes nothing.
func Check(ctx context.Context, cfg Config) error { return pg.Check(ctx, database(cfg, nil)) }

// Migrate brings the schema up to date.
func Migrate(ctx context.Context, cfg Config) error {
	pool, err := pg.Open(ctx, database(cfg, nil))
	if err != nil {
		return err
	}
	defer pool.Close()
	return postgres.Migrate(ctx, pool)
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
