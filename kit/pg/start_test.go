package pg_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/localpg"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
	"github.com/libertaphonix/libertaphonix/kit/run"
)

var quiet = slog.New(slog.DiscardHandler)

// ownServer is a server that a test may kill; on TCP, so that it comes back under the
// same address.
func ownServer(t *testing.T, dir string, port int) *localpg.Server {
	t.Helper()
	s, err := localpg.Start(t.Context(), localpg.Config{Dir: dir, TCP: true, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func ownDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func awaitReady(t *testing.T, db *pg.Database, want bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		err := db.Ready(ctx)
		if (err == nil) == want {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("never became ready=%v; the last answer was %v", want, err)
		}
	}
}

func TestAProcessStartsWhileItsDatabaseIsDownAndFollowsItThroughACrash(t *testing.T) {
	dir := ownDir(t)
	server := ownServer(t, dir, 0)
	url, port := server.URL("postgres"), server.Port()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}

	var g run.Group
	defer func() { _ = g.Stop() }()
	db, err := pg.Start(t.Context(), &g, pg.Options{URL: conf.Secret(url), Schema: "example", Log: quiet}, pg.KitMigrations)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Ready(t.Context()); err == nil {
		t.Error("it is ready without a database")
	}
	server = ownServer(t, dir, port)
	awaitReady(t, db, true)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, db, false)
	ownServer(t, dir, port)
	awaitReady(t, db, true)
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
}

func TestABusyPoolIsNotTakenForADatabaseThatIsDown(t *testing.T) {
	url := pgtest.New(t, nil).Config().ConnString()
	var g run.Group
	defer func() { _ = g.Stop() }()
	db, err := pg.Start(t.Context(), &g, pg.Options{URL: conf.Secret(url), Schema: "example", MaxConns: 1, Log: quiet}, pg.KitMigrations)
	if err != nil {
		t.Fatal(err)
	}
	awaitReady(t, db, true)
	only, err := db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer only.Release()
	if err := db.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAStopEndsTheWaitForADatabaseThatIsDown(t *testing.T) {
	var g run.Group
	_, err := pg.Start(t.Context(), &g, pg.Options{URL: "postgres://u@127.0.0.1:1/shop", Schema: "example", Log: quiet}, pg.KitMigrations)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
}

func TestParametersOfPrismaAreDroppedWithAWarning(t *testing.T) {
	url := pgtest.New(t, nil).Config().ConnString()
	var log bytes.Buffer
	pool, err := pg.Open(t.Context(), pg.Options{
		URL: conf.Secret(url + "&schema=public&connection_limit=5&pool_timeout=10&pgbouncer=true"),
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := pool.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"schema", "connection_limit", "pool_timeout", "pgbouncer"} {
		if !strings.Contains(log.String(), name) {
			t.Errorf("the warning does not name %s: %s", name, &log)
		}
	}
}

func TestAConnectionHasTheSettingsEveryQueryReliesOn(t *testing.T) {
	url := pgtest.New(t, nil).Config().ConnString()
	pool, err := pg.Open(t.Context(), pg.Options{URL: conf.Secret(url), Schema: "orders", StatementTimeout: 2 * time.Second, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for name, want := range map[string]string{
		"application_name": "orders", "search_path": "", "TimeZone": "UTC", "statement_timeout": "2s", "idle_in_transaction_session_timeout": "1min",
	} {
		var got string
		if err := pool.QueryRow(t.Context(), "SELECT pg_catalog.current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestAPoolOpensUnderLoadAndIsMeasured(t *testing.T) {
	url := pgtest.New(t, nil).Config().ConnString()
	reg := prometheus.NewRegistry()
	pool, err := pg.Open(t.Context(), pg.Options{URL: conf.Secret(url), MaxConns: 3, Metrics: reg, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if n := pool.Stat().TotalConns(); n != 0 {
		t.Errorf("%d connections before anybody asked", n)
	}
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if _, err := pool.Exec(t.Context(), "SELECT pg_catalog.pg_sleep(0.05)"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := pool.Stat().TotalConns(); n != 3 {
		t.Errorf("%d connections under load; want 3", n)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
	want := "# HELP db_pool_connections_max Most connections this process may hold.\n# TYPE db_pool_connections_max gauge\ndb_pool_connections_max 3\n"
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "db_pool_connections_max"); err != nil {
		t.Error(err)
	}
}

func TestAWrongURLIsRefusedWithoutShowingItsPassword(t *testing.T) {
	_, err := pg.Open(t.Context(), pg.Options{URL: "postgres://u:hunter2@db:port/shop", Log: quiet})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("answered %v", err)
	}
}

func TestCheckFindsWhatWouldKeepAServiceFromWorking(t *testing.T) {
	pool := pgtest.New(t, nil)
	good := pool.Config().ConnString()
	if err := pg.Check(t.Context(), pg.Options{URL: conf.Secret(good), Schema: "example", Log: quiet}); err != nil {
		t.Errorf("a good database: %v", err)
	}
	var schemas int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'example'").Scan(&schemas); err != nil || schemas != 0 {
		t.Errorf("the check made %d schemas, %v", schemas, err)
	}
	if _, err := pool.Exec(t.Context(), "CREATE DATABASE c_locale TEMPLATE template0 ENCODING 'UTF8' LC_CTYPE 'C'"); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = pool.Exec(context.WithoutCancel(t.Context()), "DROP DATABASE c_locale WITH (FORCE)") }()
	cfg, err := pgx.ParseConfig(good)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(good, "/"+cfg.Database+"?", "/c_locale?", 1)
	err = pg.Check(t.Context(), pg.Options{URL: conf.Secret(bad), Schema: "example", Log: quiet})
	if err == nil || !strings.Contains(err.Error(), "LC_CTYPE is C") {
		t.Errorf("a database with LC_CTYPE C: %v", err)
	}
	err = pg.Check(t.Context(), pg.Options{URL: "postgres://u:hunter2@127.0.0.1:1/shop", Log: quiet})
	if err == nil || !strings.Contains(fmt.Sprint(err), "cannot be reached") || strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Errorf("an unreachable database: %v", err)
	}
}
