package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/libertaphonix/libertaphonix/kit/conf"
)

// Options say how to reach a database. Only URL is required.
type Options struct {
	URL         conf.Secret
	Schema      string // the service's schema; names the pool in metrics and errors
	Application string // application_name, as pg_stat_activity shows it; Schema when empty
	MaxConns    int32  // conf.Service.MaxConns; 0 means 4
	Encrypted   bool   // conf.Service.EncryptedDatabase: refuse a connection that may leave the machine in plaintext

	// StatementTimeout ends a query that runs too long: an honest UNAVAILABLE instead
	// of a pool full of forgotten work. 0 means 15 s; a transaction that needs more
	// says SET LOCAL statement_timeout.
	StatementTimeout time.Duration

	Log     *slog.Logger          // nil: slog.Default()
	Metrics prometheus.Registerer // nil: pool usage is not measured
}

const (
	defaultStatementTimeout = 15 * time.Second
	// A transaction whose owner stopped working keeps locks and holds back VACUUM.
	idleInTransactionTimeout = 60 * time.Second
	connectTimeout           = 5 * time.Second
	// Connections above what the moment needs are given back soon: the databases'
	// connections are shared by all services.
	maxConnIdleTime   = time.Minute
	healthCheckPeriod = 15 * time.Second
	// An old connection is replaced so that a failed-over or re-balanced database is
	// found again without a restart; the jitter keeps replicas from doing it at once.
	maxConnLifetime       = time.Hour
	maxConnLifetimeJitter = 10 * time.Minute
)

// Open makes a pool without connecting: a process starts and stays alive while its
// database is down, and connects when work asks for it. An error means that the URL
// is wrong, not that nobody answers.
func Open(ctx context.Context, o Options) (*pgxpool.Pool, error) {
	cfg, err := poolConfig(o)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the pool of %s: %w", o.name(), err)
	}
	if o.Metrics != nil {
		if err := o.Metrics.Register(newPoolCollector(pool)); err != nil {
			pool.Close()
			return nil, fmt.Errorf("measure the pool of %s: %w", o.name(), err)
		}
	}
	return pool, nil
}

func poolConfig(o Options) (*pgxpool.Config, error) {
	url, dropped := conf.WithoutPrisma(o.URL)
	if len(dropped) > 0 {
		o.log().Warn("dropped database parameters that only Prisma knows", "parameters", dropped)
	}
	cfg, err := pgxpool.ParseConfig(url.Reveal())
	if err != nil {
		// pgx masks the password in its own text, but not every spelling of it.
		return nil, errors.New("DATABASE_URL cannot be read; write it like postgres://user:password@host:5432/database")
	}
	if host := plaintextHost(&cfg.ConnConfig.Config); o.Encrypted && host != "" {
		return nil, conf.Fault{
			Variable: "DATABASE_URL", Problem: "lets a connection to " + host + " go in plaintext, by itself or by the PG variables of the environment",
			Remedy: "add sslmode=verify-full (or require), or set ALLOW_PLAINTEXT_DATABASE=true knowingly",
		}
	}
	cfg.MaxConns = max(o.MaxConns, 0)
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 4
	}
	cfg.MinConns = 0
	cfg.MaxConnIdleTime = maxConnIdleTime
	cfg.HealthCheckPeriod = healthCheckPeriod
	cfg.MaxConnLifetime = maxConnLifetime
	cfg.MaxConnLifetimeJitter = maxConnLifetimeJitter
	if cfg.ConnConfig.ConnectTimeout == 0 || cfg.ConnConfig.ConnectTimeout > time.Minute {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	timeout := o.StatementTimeout
	if timeout <= 0 {
		timeout = defaultStatementTimeout
	}
	settings := cfg.ConnConfig.RuntimeParams
	settings["application_name"] = o.name()
	settings["timezone"] = "UTC"
	// With an empty search_path a name without its schema is an error at once,
	// instead of finding another service's table in a shared database.
	settings["search_path"] = ""
	settings["statement_timeout"] = milliseconds(timeout)
	settings["idle_in_transaction_session_timeout"] = milliseconds(idleInTransactionTimeout)
	cfg.AfterConnect = readTimesInUTC
	return cfg, nil
}

// readTimesInUTC makes scanned timestamps UTC; pgx would hand them out in the zone
// of the machine.
func readTimesInUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (o Options) name() string {
	switch {
	case o.Application != "":
		return o.Application
	case o.Schema != "":
		return o.Schema
	default:
		return "libertaphonix"
	}
}

func (o Options) log() *slog.Logger {
	if o.Log != nil {
		return o.Log
	}
	return slog.Default()
}
