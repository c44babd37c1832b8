package app

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
	"github.com/libertaphonix/libertaphonix/kit/run"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/argon2id"
)

// environment is a configuration on a fresh, empty database.
func environment(t *testing.T, more ...string) Config {
	t.Helper()
	pool := pgtest.New(t, nil)
	cfg, _, err := conf.Load[Config](append([]string{
		"DATABASE_URL=" + pool.Config().ConnString(), "GRPC_ADDR=127.0.0.1:0", "DATA_DIR=" + t.TempDir(),
	}, more...))
	if err != nil {
		t.Fatal(err)
	}
	if err := conf.MakeKeys(&cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func telling(to chan<- account.Bootstrapped) world {
	return world{
		now: time.Now, pause: pause, cost: argon2id.Params{MemoryKiB: 8, Passes: 1, Lanes: 1},
		tell: func(b account.Bootstrapped) { to <- b },
	}
}

// Three replicas start at once on a database that is not even migrated; the password is told once, and is good.
func TestReplicasStartOnAnEmptyDatabaseAndTellOnePassword(t *testing.T) {
	cfg := environment(t)
	told := make(chan account.Bootstrapped, 3)
	groups := make([]run.Group, 3)
	var wg sync.WaitGroup
	for i := range groups {
		wg.Go(func() {
			if err := start(t.Context(), cfg, &groups[i], telling(told)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	made := <-told
	if made.Email != account.DevelopmentAdmin || made.Drawn == "" {
		t.Errorf("told %v", made)
	}
	for i := range groups {
		if err := groups[i].Stop(); err != nil {
			t.Error(err)
		}
	}
	if len(told) != 0 {
		t.Error("a second replica told a password")
	}
}

func TestProductionStopsWithoutAFirstAdminAndSaysWhy(t *testing.T) {
	cfg := environment(t)
	cfg.AppEnv = conf.Production
	if err := Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), cfg); !errors.Is(err, account.ErrBootstrapMissing) {
		t.Errorf("--check: %v", err)
	}
	var g run.Group
	if err := start(t.Context(), cfg, &g, telling(nil)); err != nil {
		t.Fatal(err)
	}
	if err := g.Wait(); !errors.Is(err, account.ErrBootstrapMissing) || !strings.Contains(err.Error(), "BOOTSTRAP_ADMIN_EMAIL") {
		t.Errorf("the process ended with %v", err)
	}
}

func TestCheckBeforeTheFirstMigration(t *testing.T) {
	cfg := environment(t, "BOOTSTRAP_ADMIN_EMAIL=boss@shop.dz", "BOOTSTRAP_ADMIN_PASSWORD=a long enough password")
	cfg.AppEnv = conf.Production
	if err := Check(t.Context(), cfg); err != nil {
		t.Errorf("with the variables: %v", err)
	}
	cfg.BootstrapAdminPassword = ""
	if err := Check(t.Context(), cfg); !errors.Is(err, account.ErrBootstrapMissing) {
		t.Errorf("without: %v", err)
	}
}

func TestTheConfigurationTellsEveryFaultAtOnce(t *testing.T) {
	_, _, err := conf.Load[Config]([]string{
		"DATABASE_URL=postgres://u:p@db.example/x?sslmode=require", "APP_ENV=production", "LOG_RETENTION_DAYS=0",
		"BOOTSTRAP_ADMIN_EMAIL=boss@shop.dz", "BOOTSTRAP_ADMIN_PASSWORD=admin",
	})
	for _, name := range []string{"SERVICE_AUTH_KEY", "CREDENTIALS_KEYSET", "LOG_RETENTION_DAYS", "BOOTSTRAP_ADMIN_EMAIL"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not among the faults: %v", name, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "password admin") {
		t.Error("the password is in the fault")
	}
}
