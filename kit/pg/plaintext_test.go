package pg_test

import (
	"errors"
	"testing"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/pg"
)

func TestAPlaintextConnectionIsJudgedByWhatTheDriverMakesOfIt(t *testing.T) {
	for name, c := range map[string]struct {
		url     conf.Secret
		environ map[string]string
		refused bool
	}{
		"a host of the environment":            {"postgres://u@/shop", map[string]string{"PGHOST": "db.example"}, true},
		"the same, encrypted there":            {"postgres://u@/shop", map[string]string{"PGHOST": "db.example", "PGSSLMODE": "require"}, false},
		"one that falls back":                  {"postgres://u@db.example/shop?sslmode=prefer", nil, true},
		"one that may be upgraded":             {"postgres://u@db.example/shop?sslmode=allow", nil, true},
		"encrypted":                            {"postgres://u@db.example/shop?sslmode=require", nil, false},
		"this machine and another":             {"postgres://u@127.0.0.1,db.example/shop?sslmode=disable", nil, true},
		"this machine":                         {"postgres://u@127.0.0.1,localhost/shop", nil, false},
		"this machine, by its other name":      {"postgres://u@[::1]/shop", nil, false},
		"a socket":                             {"postgres://u@/shop?host=/run/postgresql", nil, false},
		"a name that only looks like loopback": {"postgres://u@127.0.0.1.example/shop", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range c.environ {
				t.Setenv(key, value)
			}
			pool, err := pg.Open(t.Context(), pg.Options{URL: c.url, Schema: "shop", Encrypted: true})
			if pool != nil {
				defer pool.Close()
			}
			var fault conf.Fault
			if errors.As(err, &fault) != c.refused || (err != nil) != c.refused {
				t.Errorf("the pool is refused: %v, want %v", err, c.refused)
			}
			if pool, err := pg.Open(t.Context(), pg.Options{URL: c.url, Schema: "shop"}); err != nil {
				t.Errorf("where plaintext is allowed: %v", err)
			} else {
				pool.Close()
			}
		})
	}
}
