package conf_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/kit/conf"
)

// config is a service's configuration in small: one that seals credentials.
type config struct {
	conf.Service

	EnableScheduler bool          `env:"ENABLE_SCHEDULER" doc:"starts the scheduler"`
	MaystroKey      conf.Secret   `env:"MAYSTRO_API_KEY" doc:"the courier's key"`
	MaystroURL      string        `env:"MAYSTRO_BASE_URL" doc:"the courier's address"`
	Batch           int           `env:"BATCH" envDefault:"25" doc:"rows a batch"`
	Pause           time.Duration `env:"PAUSE" envDefault:"2s" doc:"between two batches"`
	Mode            string        `env:"MODE" envDefault:"walk" oneof:"walk single" doc:"how to look"`
}

func (c *config) Validate() []error {
	faults := c.KeysetFaults()
	if c.Batch < 1 {
		faults = append(faults, conf.Fault{Variable: "BATCH", Problem: "is below 1", Remedy: "set 1 or more"})
	}
	return faults
}

const database = "DATABASE_URL=postgres://app:hunter2@127.0.0.1:5432/shop"

func load(t *testing.T, environ ...string) (config, []conf.Warning) {
	t.Helper()
	cfg, warnings, err := conf.Load[config](environ)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, warnings
}

func faultsOf(environ ...string) string {
	_, _, err := conf.Load[config](environ)
	return fmt.Sprint(err)
}

func TestTheFiveVariablesOfTheOriginalDocumentationSuffice(t *testing.T) {
	cfg, warnings := load(t,
		"DATABASE_URL=postgresql://user:password@localhost:5432/libertaphonix?schema=public&connection_limit=20&pool_timeout=20&pgbouncer=true",
		"REDIS_URL=redis://localhost:6379",
		"MAYSTRO_API_KEY=your_api_key",
		"MAYSTRO_BASE_URL=https://api.maystro.com",
		"ENABLE_SCHEDULER=true",
	)
	want := []string{"postgresql://user:password@localhost:5432/libertaphonix", "redis://localhost:6379", "your_api_key", "https://api.maystro.com", "true"}
	got := []string{cfg.DatabaseURL.Reveal(), cfg.RedisURL.Reveal(), cfg.MaystroKey.Reveal(), cfg.MaystroURL, fmt.Sprint(cfg.EnableScheduler)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0].String(), "connection_limit") || !strings.Contains(warnings[0].String(), "DB_MAX_CONNS") {
		t.Errorf("the warnings do not say what was dropped: %v", warnings)
	}
}

func TestEveryFaultIsToldAtOnceWithItsRemedy(t *testing.T) {
	text := faultsOf("APP_ENV=staging", "BATCH=many", "PAUSE=2", "BUSINESS_TIMEZONE=Mars/Olympus", "ENABLE_SCHEDULER=maybe", "LOG_LEVEL=loud", "MODE=run",
		"DB_MAX_CONNS=-1", "ORDERS_ADDR=nowhere", "GRPC_ADDR=:99999", "SERVICE_AUTH_KEY=short", "CREDENTIALS_KEYSET=rubbish", "TLS_CERT_FILE=/nowhere.pem")
	for _, want := range []string{
		`APP_ENV: "staging" is not known; set one of: development, production`,
		`BATCH: "many" is not a whole number`,
		`PAUSE: "2" is not a duration; write a number with a unit`,
		`BUSINESS_TIMEZONE: "Mars/Olympus" is not a time zone; use a name of the IANA list`,
		`ENABLE_SCHEDULER: "maybe" is neither true nor false`,
		`LOG_LEVEL: "loud" is not a log level; use debug, info, warn or error`,
		`MODE: "run" is not known; set one of: walk, single`,
		`DATABASE_URL: is not set; set it: postgres://`,
		`DB_MAX_CONNS: -1 is below 1`,
		`ORDERS_ADDR: "nowhere" is not host:port`,
		`GRPC_ADDR: ":99999" is not host:port`,
		`SERVICE_AUTH_KEY: is not base64 of at least 32 bytes; make one with: openssl rand -base64 32`,
		`CREDENTIALS_KEYSET: is not base64; make one with:`,
		`TLS_CERT_FILE: and TLS_KEY_FILE belong together`,
		`TLS_CERT_FILE: "/nowhere.pem" is not a readable file`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestTLSFilesAreReadBeforeAnythingStarts(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.pem")
	if err := os.WriteFile(broken, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, environ := range map[string][]string{
		"TLS_CA_FILE: is set without a certificate": {"TLS_CA_FILE=" + broken},
		"holds no certificate in PEM":               {"TLS_CA_FILE=" + broken},
		"TLS_CERT_FILE and TLS_KEY_FILE: ":          {"TLS_CERT_FILE=" + broken, "TLS_KEY_FILE=" + broken},
	} {
		if got := faultsOf(append(environ, "DATABASE_URL=postgres://x@127.0.0.1/x")...); !strings.Contains(got, want) {
			t.Errorf("%v: the faults should say %q:\n%s", environ, want, got)
		}
	}
}

func TestAnEmptyVariableCountsAsUnset(t *testing.T) {
	cfg, _ := load(t, database, "BATCH=", "BUSINESS_TIMEZONE=", "APP_ENV= ")
	if cfg.Batch != 25 || cfg.BusinessTimezone.String() != "Africa/Algiers" || cfg.AppEnv != conf.Development {
		t.Errorf("batch %d, zone %v, environment %q; want the defaults", cfg.Batch, cfg.BusinessTimezone, cfg.AppEnv)
	}
}

func TestNodeEnvCountsWhereAppEnvIsUnset(t *testing.T) {
	for name, c := range map[string]struct {
		environ []string
		want    string
	}{
		"NODE_ENV alone":          {[]string{"NODE_ENV=development"}, "development"},
		"APP_ENV wins":            {[]string{"NODE_ENV=production", "APP_ENV=development"}, "development"},
		"an unknown one is named": {[]string{"NODE_ENV=test"}, `APP_ENV (from NODE_ENV): "test" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := conf.Load[config](append(c.environ, database))
			if got := string(cfg.AppEnv) + fmt.Sprint(err); !strings.Contains(got, c.want) {
				t.Errorf("%s; want %s", got, c.want)
			}
		})
	}
}

func TestSecretsPrintAsStarsEverywhere(t *testing.T) {
	cfg, _ := load(t, database, "MAYSTRO_API_KEY=hunter2")
	doc, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("loaded", "config", cfg, "key", cfg.MaystroKey)
	slog.New(slog.NewTextHandler(&log, nil)).Info("loaded", "config", cfg, "key", cfg.MaystroKey)
	for _, printed := range []string{
		string(doc), log.String(), fmt.Sprint(cfg), fmt.Sprintf("%+v %#v", cfg, cfg), fmt.Sprintf("%s %q %x %d", cfg.MaystroKey, cfg.MaystroKey, cfg.MaystroKey, cfg.MaystroKey), fmt.Sprint(&cfg.MaystroKey),
	} {
		if strings.Contains(printed, "hunter2") || strings.Contains(printed, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("a secret shows: %s", printed)
		}
	}
}

func TestFaultsNeverShowASecret(t *testing.T) {
	text := faultsOf("DATABASE_URL=mysql://app:hunter2@db/shop", "SERVICE_AUTH_KEY=hunter2", "CREDENTIALS_KEYSET=hunter2", "APP_ENV=production") +
		faultsOf("DATABASE_URL=postgres://app:hunter2@db:port/shop") + faultsOf("DATABASE_URL=postgres://app:hunter2@db:5432")
	if strings.Contains(text, "hunter2") {
		t.Error(text)
	}
}

func TestProductionRequiresWhatDevelopmentMakesForItself(t *testing.T) {
	text := faultsOf("APP_ENV=production", database)
	for _, want := range []string{"SERVICE_AUTH_KEY: is not set; make one with: openssl rand -base64 32", "CREDENTIALS_KEYSET: is not set; make one with: ", "--new-keyset"} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in: %s", want, text)
		}
	}
}

func TestProductionRefusesAPlaintextDatabaseOnAnotherHost(t *testing.T) {
	for url, refused := range map[string]bool{
		"postgres://u:p@db.example:5432/shop":                     true,
		"postgres://u:p@db.example:5432/shop?sslmode=prefer":      true,
		"postgres://u:p@db.example:5432/shop?sslmode=disable":     true,
		"postgres://u:p@db.example:5432/shop?sslmode=require":     false,
		"postgres://u:p@db.example:5432/shop?sslmode=verify-full": false,
		"postgres://u:p@localhost:5432/shop":                      false,
		"postgres://u:p@127.0.0.1:5432/shop":                      false,
		"postgres://u:p@[::1]:5432/shop":                          false,
		"postgres://u@/shop?host=/run/postgresql":                 false,
	} {
		text := faultsOf("APP_ENV=production", "DATABASE_URL="+url)
		if got := strings.Contains(text, "ALLOW_PLAINTEXT_DATABASE"); got != refused {
			t.Errorf("%s: refused %v; want %v", url, got, refused)
		}
		if told := faultsOf("APP_ENV=production", "ALLOW_PLAINTEXT_DATABASE=true", "DATABASE_URL="+url); strings.Contains(told, "DATABASE_URL") {
			t.Errorf("%s is refused although it was allowed: %s", url, told)
		}
	}
}

func TestADatabaseURLThatCannotWorkIsRefusedWithAnExample(t *testing.T) {
	for _, url := range []string{"host=db user=app", "mysql://u@db/shop", "postgres://u@db:5432", "postgres://u@db:5432/", "postgres://u:p#x@db:port/shop"} {
		if text := faultsOf("DATABASE_URL=" + url); !strings.Contains(text, "postgres://user:password@host:5432/database") {
			t.Errorf("%s: %s", url, text)
		}
	}
}

func TestPoolSharesAddUpToForty(t *testing.T) {
	production, development := config{}, config{}
	production.AppEnv = conf.Production
	sum := [2]int32{}
	for _, service := range []string{"orders", "shipping", "ecosync", "assignment", "identity", "scheduler"} {
		sum[0] += production.MaxConns(service)
		sum[1] += development.MaxConns(service)
	}
	if sum[0] != 40 || sum[1] > 20 {
		t.Errorf("%d connections in production, %d in development; want 40 and at most 20", sum[0], sum[1])
	}
	production.DBMaxConns = 3
	if n := production.MaxConns("orders"); n != 3 {
		t.Errorf("DB_MAX_CONNS=3 gives %d", n)
	}
}

func TestAddressesFollowFromOneEnvironmentFile(t *testing.T) {
	for name, c := range map[string]struct{ environ, grpc, admin string }{
		"the default is loopback":              {"", "127.0.0.1:7102", "127.0.0.1:8102"},
		"another host is not bound by name":    {"ORDERS_ADDR=orders:7102", ":7102", ":8102"},
		"a resolver is taken off":              {"ORDERS_ADDR=dns:///orders.shop:9000", ":9000", ":10000"},
		"GRPC_ADDR wins":                       {"GRPC_ADDR=0.0.0.0:5000", "0.0.0.0:5000", "0.0.0.0:6000"},
		"ADMIN_ADDR wins":                      {"ADMIN_ADDR=:1234", "127.0.0.1:7102", ":1234"},
		"any free port stays any, for both":    {"GRPC_ADDR=127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"},
		"the name localhost is loopback":       {"ORDERS_ADDR=localhost:7102", "localhost:7102", "localhost:8102"},
		"IPv6 loopback stays in its brackets":  {"ORDERS_ADDR=[::1]:7102", "[::1]:7102", "[::1]:8102"},
		"another service's target is not mine": {"IDENTITY_ADDR=identity:1", "127.0.0.1:7102", "127.0.0.1:8102"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := load(t, database, c.environ)
			if diff := cmp.Diff([]string{c.grpc, c.admin}, []string{cfg.ListenAddr("orders"), cfg.AdminListenAddr("orders")}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDescribeListsEveryVariableOnceWithItsSentence(t *testing.T) {
	seen := map[string]conf.Variable{}
	for _, v := range conf.Describe(config{}, &conf.Service{}, conf.Process{}) {
		if _, twice := seen[v.Name]; twice {
			t.Errorf("%s is listed twice", v.Name)
		}
		if v.Doc == "" {
			t.Errorf("%s has no sentence", v.Name)
		}
		seen[v.Name] = v
	}
	if v := seen["DATABASE_URL"]; !v.Required || !v.Secret {
		t.Errorf("DATABASE_URL: %+v; want required and secret", v)
	}
	if v := seen["APP_ENV"]; v.Default != "development" || v.Fallback != "NODE_ENV" || len(v.OneOf) != 2 {
		t.Errorf("APP_ENV: %+v", v)
	}
	if _, found := seen["SCHEDULER_ADDR"]; !found {
		t.Error("SCHEDULER_ADDR, in a nested struct, is missing")
	}
}

func TestDevelopmentMakesItsKeysOnceAndKeepsThem(t *testing.T) {
	dir := t.TempDir()
	const processes = 16
	made := make([]config, processes)
	var all sync.WaitGroup
	for i := range processes {
		all.Go(func() {
			made[i], _, _ = conf.Load[config]([]string{database, "DATA_DIR=" + dir})
			if err := conf.MakeKeys(&made[i]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, cfg := range made {
		if cfg.ServiceAuthKey != made[0].ServiceAuthKey || cfg.CredentialsKeyset != made[0].CredentialsKeyset {
			t.Fatal("processes that started together hold different keys")
		}
	}
	if key, err := made[0].ServiceKey(); err != nil || len(key) != 32 {
		t.Errorf("the service key has %d bytes, %v", len(key), err)
	}
	if faults := made[0].KeysetFaults(); len(faults) != 0 {
		t.Error(faults)
	}
	files, err := os.ReadDir(filepath.Join(dir, "keys"))
	if err != nil || len(files) != 2 {
		t.Fatalf("left in the keys folder: %v, %v; want two files", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v; want 0600", f.Name(), info.Mode(), err)
		}
	}
}

func TestKeysThatAreSetAreNotReplaced(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	dir := t.TempDir()
	cfg, _ := load(t, database, "DATA_DIR="+dir, "SERVICE_AUTH_KEY="+key)
	if err := conf.MakeKeys(&cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.ServiceAuthKey.Reveal() != key {
		t.Error("the key of the environment was replaced")
	}
}

func TestAnEmptyKeyFileIsNotTakenForAKey(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "keys"), 0o700), os.WriteFile(filepath.Join(dir, "keys", "service-auth-key"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	cfg, _ := load(t, database, "DATA_DIR="+dir)
	if err := conf.MakeKeys(&cfg); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("answered %v", err)
	}
}
