package house_test

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// room says what a package of a service is for, by the folder's name. Everything that is not named here is a domain package and lives under
// the strictest rule: a new adapter is added to this list, knowingly.
func room(dir string) string {
	parts := strings.Split(dir, "/")
	if len(parts) < 4 || parts[0] != "services" || parts[2] != "internal" {
		return ""
	}
	switch name := parts[3]; {
	case name == "app", name == "postgres", name == "rpc", name == "redis":
		return name
	case strings.HasSuffix(name, "rpc"): // a peer service, reached through a port of the caller's domain
		return "peer"
	case slices.Contains([]string{
		"ecomanager", "maystro", // a foreign API, in a package named after it
		"argon2id",  // passwords, bounded in memory
		"cron",      // wakes the scheduler
		"dialguard", // addresses, checked when they are dialled
		"vault",     // sealed credentials and their cache
	}, name):
		return "adapter"
	default:
		return "domain"
	}
}

// law is one rule about imports: who, what not, and why. Paths of our own packages stand without the module's prefix.
type law struct {
	name    string
	applies func(s source) bool
	banned  func(s source, imported string) bool
	because string
}

func standardLibrary(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && !ours(imported)
}

// ours is true for packages of this repository, whose prefix imports() has cut off.
func ours(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return slices.Contains([]string{"proto", "kit", "services", "gateway", "dev", "e2e"}, first)
}

func within(imported string, packages ...string) bool {
	return slices.ContainsFunc(packages, func(p string) bool { return imported == p || strings.HasPrefix(imported, p+"/") })
}

// service is the folder services/<name> that a file belongs to, or "".
func service(dir string) string {
	parts := strings.Split(dir, "/")
	if len(parts) < 2 || parts[0] != "services" {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

func shipped(s source) bool { return !s.isTest() && !strings.HasSuffix(path.Base(s.dir()), "test") }

var laws = []law{
	{
		name:    "a domain package imports the standard library, x/text and its own service's domain",
		applies: func(s source) bool { return shipped(s) && room(s.dir()) == "domain" },
		banned: func(s source, imported string) bool {
			if within(imported, "net/http", "database/sql", "os") {
				return true
			}
			own := service(imported) == service(s.dir()) && room(imported) == "domain"
			// Phones, names and states are compared after Unicode normalisation and case folding, which the standard library lacks.
			return !standardLibrary(imported) && !within(imported, "golang.org/x/text") && !own
		},
		because: "rules are tested in milliseconds without a database, a network or a clock; time, ids and everything that does I/O are injected through ports the domain declares. If this package is an adapter, name it in room()",
	},
	{
		name:    "internal/postgres knows no transport",
		applies: func(s source) bool { return shipped(s) && room(s.dir()) == "postgres" },
		banned: func(s source, imported string) bool {
			return within(imported, "google.golang.org/grpc", "proto", "kit/rpcerr", "net/http", service(s.dir())+"/internal/rpc")
		},
		because: "storage answers domain errors and domain types; internal/rpc gives them codes and messages, and the two meet in internal/app",
	},
	{
		name:    "internal/rpc knows no storage",
		applies: func(s source) bool { return shipped(s) && room(s.dir()) == "rpc" },
		banned: func(s source, imported string) bool {
			return within(imported, "github.com/jackc/pgx", "database/sql", "kit/pg", service(s.dir())+"/internal/postgres")
		},
		because: "an RPC is convert in, call, convert out; the two meet in internal/app",
	},
	{
		name:    "a peer adapter knows no storage",
		applies: func(s source) bool { return shipped(s) && room(s.dir()) == "peer" },
		banned: func(s source, imported string) bool {
			return within(imported, "github.com/jackc/pgx", "kit/pg", service(s.dir())+"/internal/postgres")
		},
		because: "no call to another service inside a database transaction: it would hold row locks for as long as a network does",
	},
	{
		name:    "only internal/app composes",
		applies: func(s source) bool { return shipped(s) && !slices.Contains([]string{"", "app"}, room(s.dir())) },
		banned: func(s source, imported string) bool {
			return within(imported, service(s.dir())+"/internal/app")
		},
		because: "the composition root is read top to bottom and nothing reads it back",
	},
	{
		name:    "no service imports another",
		applies: func(s source) bool { return service(s.dir()) != "" },
		banned: func(s source, imported string) bool {
			return within(imported, "services") && service(imported) != service(s.dir())
		},
		because: "services meet over gRPC, through a <peer>rpc adapter; a shared type would make them one program in two processes",
	},
	{
		name:    "kit knows neither the contract nor a service",
		applies: func(s source) bool { return within(s.dir(), "kit") },
		banned: func(_ source, imported string) bool {
			return within(imported, "proto", "services", "gateway", "dev", "e2e")
		},
		because: "plumbing without a domain noun can be trusted by everybody; what needs the contract stands in proto/access, in proto/suite or in a service",
	},
	{
		name:    "the contract needs nothing but auth",
		applies: func(s source) bool { return shipped(s) && within(s.dir(), "proto") && !within(s.dir(), "proto/suite") },
		banned: func(_ source, imported string) bool {
			return ours(imported) && !within(imported, "proto", "kit/auth")
		},
		because: "everybody imports the contract, so what it imports, everybody carries; what services answer alike stands in proto/suite, which only they import",
	},
	{
		name:    "the gateway has no database and knows no service",
		applies: func(s source) bool { return within(s.dir(), "gateway") },
		banned: func(_ source, imported string) bool {
			return within(imported, "github.com/jackc/pgx", "database/sql", "kit/pg", "kit/seal", "services")
		},
		because: "the one process that faces the internet holds no data, no key and no rule: one REST call is one RPC",
	},
	{
		name:    "only adapters speak to Redis",
		applies: func(s source) bool { return shipped(s) && within(s.dir(), "services", "gateway") },
		banned: func(s source, imported string) bool {
			allowed := slices.Contains([]string{"redis", "adapter", "app"}, room(s.dir())) || within(s.dir(), "gateway/internal/feed", "gateway/internal/app")
			return within(imported, "github.com/redis/go-redis") && !allowed
		},
		because: "PostgreSQL is the truth and Redis may vanish: what happens then is decided in one place, not at each call",
	},
	{
		name:    "nothing that ships needs what only development needs",
		applies: func(s source) bool { return shipped(s) && within(s.dir(), "services", "gateway", "kit", "proto") },
		banned: func(s source, imported string) bool {
			test := within(imported, "testing", "kit/pgtest", "github.com/google/go-cmp", "github.com/alicebob/miniredis")
			return within(imported, "dev", "e2e") || test && !strings.HasSuffix(path.Base(s.dir()), "test") && s.dir() != "kit/pgtest"
		},
		because: "test doubles and simulators have no way into a binary that runs in production",
	},
}

func TestEveryPackageImportsOnlyWhatItsPlaceAllows(t *testing.T) {
	for _, law := range laws {
		t.Run(law.name, func(t *testing.T) {
			for _, s := range sources(t) {
				if !law.applies(s) {
					continue
				}
				for _, imported := range s.imports() {
					if law.banned(s, imported) {
						t.Errorf("%s imports %s: %s", s.path, imported, law.because)
					}
				}
			}
		})
	}
}

func TestTheLawsCatchWhatTheyForbid(t *testing.T) {
	caught := func(file, imported string) bool {
		s := source{path: file}
		return slices.ContainsFunc(laws, func(l law) bool { return l.applies(s) && l.banned(s, imported) })
	}
	tests := []struct {
		file, imported string
		want           bool
	}{
		{"services/orders/internal/order/service.go", "github.com/jackc/pgx/v5", true},
		{"services/orders/internal/order/service.go", "kit/pg", true},
		{"services/orders/internal/order/service.go", "net/http", true},
		{"services/orders/internal/order/service.go", "golang.org/x/text/unicode/norm", false},
		{"services/orders/internal/order/service.go", "encoding/json", false},
		{"services/ecosync/internal/pass/pass.go", "services/ecosync/internal/shop", false},
		{"services/ecosync/internal/pass/pass.go", "services/ecosync/internal/postgres", true},
		{"services/ecosync/internal/pass/pass.go", "services/orders/internal/order", true},
		{"services/orders/internal/rpc/server.go", "services/orders/internal/postgres", true},
		{"services/orders/internal/postgres/store.go", "services/orders/internal/rpc", true},
		{"services/ecosync/internal/ordersrpc/ordersrpc.go", "kit/pg", true},
		{"kit/auth/keys.go", "proto/access", true},
		{"gateway/internal/rest/handler.go", "kit/pg", true},
		{"gateway/internal/rest/handler.go", "github.com/redis/go-redis/v9", true},
		{"services/orders/internal/app/app.go", "github.com/redis/go-redis/v9", false},
		{"services/orders/internal/app/app.go", "dev/stack", true},
	}
	for _, tt := range tests {
		if got := caught(tt.file, tt.imported); got != tt.want {
			t.Errorf("%s importing %s: caught = %v, want %v", tt.file, tt.imported, got, tt.want)
		}
	}
}
