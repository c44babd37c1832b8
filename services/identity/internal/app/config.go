package app

import (
	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

// Config is what identity reads from the environment.
type Config struct {
	conf.Service

	BootstrapAdminEmail    string      `env:"BOOTSTRAP_ADMIN_EMAIL" doc:"e-mail of the first administrator; production needs it while there is no user"`
	BootstrapAdminPassword conf.Secret `env:"BOOTSTRAP_ADMIN_PASSWORD" doc:"password of the first administrator; read only while there is no user, development draws one and prints it"`
	LogRetentionDays       int         `env:"LOG_RETENTION_DAYS" envDefault:"30" doc:"days that technical records (requests, logins, run lines, passes) are kept"`
}

// Validate reports what no single variable shows.
func (c *Config) Validate() []error {
	faults := c.KeysetFaults()
	if err := c.firstAdmin().Check(); err != nil {
		faults = append(faults, conf.Fault{
			Variable: "BOOTSTRAP_ADMIN_EMAIL", Problem: "and BOOTSTRAP_ADMIN_PASSWORD make no administrator: " + err.Error(),
			Remedy: "set an e-mail address and a password of 10 characters or more",
		})
	}
	if c.LogRetentionDays < 1 {
		faults = append(faults, conf.Fault{Variable: "LOG_RETENTION_DAYS", Problem: "is below 1", Remedy: "set 1 or more"})
	}
	return faults
}

func (c *Config) firstAdmin() account.FirstAdmin {
	return account.FirstAdmin{Email: c.BootstrapAdminEmail, Password: account.Password(c.BootstrapAdminPassword.Reveal())}
}
