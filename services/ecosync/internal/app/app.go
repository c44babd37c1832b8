// Package app puts ecosync together: the one place that knows every part. Read
// New from top to bottom.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/grpcclient"
	"github.com/libertaphonix/libertaphonix/kit/grpcserver"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/run"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	"github.com/libertaphonix/libertaphonix/proto/access"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/dialguard"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/ecomanager"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/ordersrpc"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/postgres"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quarantine"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/rpc"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/vault"
)

// Name of the service.
const Name = "ecosync"

// New starts ecosync. It starts and stays up with its peers, Redis and every
// shop down.
func New(ctx context.Context, cfg Config, g *run.Group) error {
	o, err := obs.Start(g, Name, cfg.Service)
	if err != nil {
		return err
	}

	sealer, err := seal.New(cfg.CredentialsKeyset)
	if err != nil {
		return err
	}
	database, err := pg.Start(ctx, g, databaseOptions(cfg, o), postgres.Migrations()...)
	if err != nil {
		return err
	}
	db := postgres.New(database.Pool)
	cache, err := openRedis(cfg, g)
	if err != nil {
		return err
	}

	peers, err := dialPeers(cfg, o, g)
	if err != nil {
		return err
	}

	deps, err := domain(cfg, o, db, vault.New(sealer, db, cache, o.Log), peers)
	if err != nil {
		return err
	}

	keys := auth.NewKeys(suite.VerificationKeys(peers.identity), auth.NewKeyStore(database.Pool, postgres.Schema), time.Now)
	server, err := newServer(cfg, o, database.Ready, keys, rpc.NewServer(deps),
		&suite.System{Service: Name, Version: run.VersionText(), Started: time.Now(), Pool: database.Pool, Redis: reach(cache)})
	if err != nil {
		return err
	}

	g.Go("verification keys", keys.Run)
	if err := obs.ServeAdmin(g, cfg.AdminListenAddr(Name), o.Metrics, database.Ready); err != nil {
		return err
	}
	return server.Serve(g)
}

// peers are the connections to other services.
type peers struct{ identity, orders *grpc.ClientConn }

func dialPeers(cfg Config, o *obs.Observability, g *run.Group) (p peers, err error) {
	secure, err := grpcclient.TLS(cfg.Process)
	if err != nil {
		return p, err
	}
	serviceKey, err := cfg.ServiceKey()
	if err != nil {
		return p, err
	}
	tokens, err := auth.NewServiceTokens(Name, serviceKey, time.Now)
	if err != nil {
		return p, err
	}
	// The keys of identity are public: no token is shown for them.
	if p.identity, err = dial(g, "identity", cfg.Peers.IdentityAddr, o, secure, nil, identityv1.File_libertaphonix_identity_v1_identity_proto); err != nil {
		return p, err
	}
	// A call to orders is repeated by the pass alone, which tells it as progress and
	// stops when its term is lost; two layers would try twelve times (lesson P11).
	p.orders, err = dial(g, "orders", cfg.Peers.OrdersAddr, o, secure, tokens)
	return p, err
}

func dial(
	g *run.Group, service, target string, o *obs.Observability, secure *tls.Config, tokens *auth.ServiceTokens, repeated ...protoreflect.FileDescriptor,
) (*grpc.ClientConn, error) {
	conn, err := grpcclient.Dial(target, grpcclient.Options{
		Service: service, Tokens: tokens, TLS: secure, Obs: o, Idempotent: suite.Services(repeated...),
	})
	if err != nil {
		return nil, err
	}
	g.OnStop("connection to "+service, func(context.Context) error { return conn.Close() })
	return conn, nil
}

// domain wires the use-cases and the engine to what they need.
func domain(cfg Config, o *obs.Observability, db *postgres.DB, tokens *vault.Vault, p peers) (rpc.Deps, error) {
	hosts, err := store.ParseAllowList(cfg.AllowedHosts)
	if err != nil {
		return rpc.Deps{}, err
	}
	shops := ecomanager.New(dialguard.New(hosts.Exact), time.Now, "LibertaPhonix/"+run.VersionText())
	orders := ordersrpc.New(p.orders)
	spent := db.Quota(nil)
	metered := quota.NewMeter(shops, tokens, spent, time.Now)
	stores := store.NewService(store.Dependencies{
		Repository: db, Vault: tokens, Shops: metered, Orders: orders, Hosts: hosts,
		DefaultZone: cfg.BusinessTimezone.String(), NewID: newID,
	})
	engine := pass.NewEngine(shops, orders, tokens, db, spent, o.Log, time.Now, pass.Config{
		BatchSize: cfg.BatchSize, InitialSync: time.Duration(cfg.InitialSyncDays) * day,
		Prepare: stores.ApplyMap, Ended: count(o.Metrics),
	})
	return rpc.Deps{
		Stores: stores, Engine: engine, History: db, Quota: spent,
		Quarantine: quarantine.NewService(db, db, tokens, metered, orders, time.Now),
		Zone:       cfg.BusinessTimezone,
		Retention:  time.Duration(cfg.LogRetentionDays) * day, Now: time.Now,
	}, nil
}

func newServer(
	cfg Config, o *obs.Observability, ready func(context.Context) error, keys *auth.Keys, ecosync *rpc.Server, system *suite.System,
) (*grpcserver.Server, error) {
	serviceKey, err := cfg.ServiceKey()
	if err != nil {
		return nil, err
	}
	secure, err := grpcserver.TLS(cfg.Process)
	if err != nil {
		return nil, err
	}
	rules, err := access.Rules(suite.Services(ecosyncv1.File_libertaphonix_ecosync_v1_ecosync_proto, systemv1.File_libertaphonix_system_v1_system_proto)...)
	if err != nil {
		return nil, err
	}
	return grpcserver.New(grpcserver.Config{
		Name: Name, Addr: cfg.ListenAddr(Name), TLS: secure, Rules: rules, Errors: rpc.Errors, Obs: o,
		Ready:      ready,
		Verifier:   auth.NewVerifier(Name, serviceKey, keys, time.Now),
		Reflection: grpcserver.ReflectionRule(cfg.Production()),
	}, func(r grpc.ServiceRegistrar) {
		ecosyncv1.RegisterEcosyncServiceServer(r, ecosync)
		systemv1.RegisterSystemServiceServer(r, system)
	})
}

// Check reaches the database and Redis, and changes nothing.
func Check(ctx context.Context, cfg Config) error {
	faults := []error{pg.Check(ctx, databaseOptions(cfg, nil))}
	options, err := cfg.redis()
	if err == nil && options != nil {
		client := redis.NewClient(options)
		defer func() { _ = client.Close() }()
		if err = client.Ping(ctx).Err(); err != nil {
			err = fmt.Errorf("REDIS_URL: Redis cannot be reached: %w", err)
		}
	}
	return errors.Join(append(faults, err)...)
}

// Migrate brings the schema up to date.
func Migrate(ctx context.Context, cfg Config) error {
	pool, err := pg.Open(ctx, databaseOptions(cfg, nil))
	if err != nil {
		return err
	}
	defer pool.Close()
	return postgres.Migrate(ctx, pool)
}

func databaseOptions(cfg Config, o *obs.Observability) pg.Options {
	options := pg.Options{
		URL: cfg.DatabaseURL, Encrypted: cfg.EncryptedDatabase(), Schema: postgres.Schema, MaxConns: cfg.MaxConns(Name),
	}
	if o != nil {
		options.Log, options.Metrics = o.Log, o.Metrics
	}
	return options
}

// openRedis answers nil when none is configured. It connects when it is used.
func openRedis(cfg Config, g *run.Group) (redis.Cmdable, error) {
	options, err := cfg.redis()
	if err != nil || options == nil {
		return nil, err
	}
	client := redis.NewClient(options)
	g.OnStop("redis", func(context.Context) error { return client.Close() })
	return client, nil
}

// reach asks whether Redis answers; nil when none is configured.
func reach(cache redis.Cmdable) func(context.Context) error {
	if cache == nil {
		return nil
	}
	return func(ctx context.Context) error { return cache.Ping(ctx).Err() }
}

// newID answers a UUIDv7; it panics only if the system has no randomness, as
// crypto/rand does.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
