// Package pgtest gives each test a real, migrated PostgreSQL database of its own.
//
// One private cluster is started per test binary (about a second, once); the first
// test migrates a template database; every test gets a clone of it (about a tenth of
// a second), which is dropped when the test ends. Tests may therefore run in
// parallel and leave anything behind.
//
// It never uses a server that was running before, and needs nothing but PostgreSQL's
// binaries. Start reading at New.
package pgtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/localpg"
	"github.com/libertaphonix/libertaphonix/kit/pg"
)

// Migrate fills an empty database; it must be the same for every call.
type Migrate = func(ctx context.Context, pool *pgxpool.Pool) error

const (
	// Enough for tests that prove concurrency, and far below the server's limit.
	poolSize       = 16
	maxConnections = "300"
	setupTimeout   = time.Minute
	dirPrefix      = "pgtest-"
)

// New returns a pool on a fresh database that migrate has filled. The pool has the
// settings of production (UTC, an empty search_path); it is closed and the database
// dropped when the test ends. pool.Config().ConnString() is its URL.
func New(t testing.TB, migrate Migrate) *pgxpool.Pool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	c, err := theCluster()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	template, err := c.template(ctx, migrate)
	if err != nil {
		t.Fatalf("pgtest: migrate: %v", err)
	}
	name := "test_" + strconv.FormatInt(c.databases.Add(1), 10)
	if err := c.exec(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template)); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	pool, err := c.open(ctx, name)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		pool.Close()
		ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
		defer cancel()
		if err := c.exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name)); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return pool
}

// Main is an optional TestMain body that stops the cluster in order. Without it the
// kernel ends the cluster together with the test binary, and the next run removes
// what it left in the temporary folder.
func Main(m *testing.M) {
	code := m.Run()
	if started.Load() {
		if c, err := theCluster(); err == nil {
			_ = c.server.Stop()
			_ = os.RemoveAll(c.dir)
		}
	}
	os.Exit(code)
}

// cluster is the one server of this test binary.
type cluster struct {
	server    *localpg.Server
	dir       string
	databases atomic.Int64

	mu        sync.Mutex
	templates map[unsafe.Pointer]*template
}

type template struct {
	migrate Migrate // keeps the closure alive, so that its address stays its own
	name    string
	err     error
}

var (
	started    atomic.Bool
	theCluster = sync.OnceValues(startCluster)
)

func startCluster() (*cluster, error) {
	sweep()
	dir, err := os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	server, err := localpg.Start(ctx, localpg.Config{
		Dir: dir,
		Settings: map[string]string{
			"max_connections": maxConnections,
			"shared_buffers":  "64MB",
			// A test database lives for seconds: background work would only compete.
			"autovacuum": "off", "max_wal_size": "2GB", "checkpoint_timeout": "30min",
		},
	})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	started.Store(true)
	return &cluster{server: server, dir: dir, templates: map[unsafe.Pointer]*template{}}, nil
}

// sweep removes what test binaries that are gone left behind.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*-*"))
	for _, dir := range left {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		pid, err := strconv.Atoi(text)
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}

// template migrates a database once per migrate function. Two closures of one
// function literal may have captured different things, so it is the closure that
// counts, not the code.
func (c *cluster) template(ctx context.Context, migrate Migrate) (string, error) {
	key := *(*unsafe.Pointer)(unsafe.Pointer(&migrate)) //nolint:gosec // G103: a func value is a pointer to its closure, and no API tells it
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, known := c.templates[key]; known {
		return t.name, t.err
	}
	t := &template{migrate: migrate, name: "template_" + strconv.Itoa(len(c.templates))}
	c.templates[key] = t
	t.err = c.fill(ctx, t)
	return t.name, t.err
}

func (c *cluster) fill(ctx context.Context, t *template) error {
	if err := c.exec(ctx, "CREATE DATABASE "+t.name+" TEMPLATE template0"); err != nil {
		return err
	}
	if t.migrate == nil {
		return nil
	}
	pool, err := c.open(ctx, t.name)
	if err != nil {
		return err
	}
	defer pool.Close() // a template must have no connections
	return t.migrate(ctx, pool)
}

func (c *cluster) open(ctx context.Context, database string) (*pgxpool.Pool, error) {
	return pg.Open(ctx, pg.Options{
		URL: conf.Secret(c.server.URL(database)), Application: "test", MaxConns: poolSize,
		StatementTimeout: setupTimeout, Log: slog.New(slog.DiscardHandler),
	})
}

// exec runs one administrative statement on a connection of its own.
func (c *cluster) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, c.server.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}
