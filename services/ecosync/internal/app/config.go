package app

import (
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// Config is what ecosync reads from the environment.
type Config struct {
	conf.Service

	BatchSize        int    `env:"ECOMANAGER_BATCH_SIZE" envDefault:"25" doc:"orders per call to orders and per checkpoint, 1 to 100"`
	InitialSyncDays  int    `env:"INITIAL_SYNC_DAYS" envDefault:"30" doc:"how many days the first sync of a store goes back; older orders come by backfill"`
	AllowedHosts     string `env:"UPSTREAM_ALLOWED_HOSTS" envDefault:"*.ecomanager.dz,*.maystro-delivery.com,api.maystro.com" doc:"hosts that may be saved as base URLs over the API: *.domain, host, or exactly host:port (which may be private and http)"`
	LogRetentionDays int    `env:"LOG_RETENTION_DAYS" envDefault:"30" doc:"days that technical records (requests, logins, run lines, passes) are kept"`
}

// Validate reports what no single variable shows.
func (c *Config) Validate() []error {
	faults := c.KeysetFaults()
	fault := func(wrong bool, variable, problem, remedy string) {
		if wrong {
			faults = append(faults, conf.Fault{Variable: variable, Problem: problem, Remedy: remedy})
		}
	}
	fault(c.BatchSize < 1 || c.BatchSize > 100, "ECOMANAGER_BATCH_SIZE", "is not 1 to 100", "set 25, or unset it")
	fault(c.InitialSyncDays < 1 || c.InitialSyncDays > 3650, "INITIAL_SYNC_DAYS", "is not 1 to 3650", "set the days to go back, or unset it")
	fault(c.LogRetentionDays < 1, "LOG_RETENTION_DAYS", "is below 1", "set 1 or more")
	if _, err := store.ParseAllowList(c.AllowedHosts); err != nil {
		fault(true, "UPSTREAM_ALLOWED_HOSTS", err.Error(), "write it like *.ecomanager.dz,10.0.0.7:8443")
	}
	if _, err := c.redis(); err != nil {
		// The parser's own words may quote the URL with its password.
		fault(true, "REDIS_URL", "is no redis:// or rediss:// URL", "write it like redis://127.0.0.1:6379/0")
	}
	return faults
}

// redis is nil when none is configured. Its timeouts are short because
// PostgreSQL is asked when it does not answer.
func (c *Config) redis() (*redis.Options, error) {
	if c.RedisURL.IsZero() {
		return nil, nil
	}
	options, err := redis.ParseURL(c.RedisURL.Reveal())
	if err != nil {
		return nil, err
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = time.Second, time.Second, time.Second
	options.MaxRetries = -1
	options.ContextTimeoutEnabled = true
	return options, nil
}

const day = 24 * time.Hour
