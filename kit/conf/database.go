package conf

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// prismaParameters are understood by Prisma and refused by PostgreSQL as unknown
// settings. Those that carry a wish of ours have a variable of our own instead.
var prismaParameters = []string{
	"schema", "connection_limit", "pool_timeout", "pgbouncer", "socket_timeout",
	"statement_cache_size", "sslaccept", "sslidentity",
}

// WithoutPrisma takes Prisma's own parameters off a database URL and names those it
// took, so that the URL of the original documentation works as printed.
func WithoutPrisma(databaseURL Secret) (Secret, []string) {
	u, err := url.Parse(databaseURL.Reveal())
	if err != nil || u.RawQuery == "" {
		return databaseURL, nil
	}
	query := u.Query()
	var dropped []string
	for _, name := range prismaParameters {
		if query.Has(name) {
			query.Del(name)
			dropped = append(dropped, name)
		}
	}
	if len(dropped) == 0 {
		return databaseURL, nil
	}
	u.RawQuery = query.Encode()
	return Secret(u.String()), dropped
}

func (s *Service) finishDatabase() ([]Warning, []error) {
	const name, example = "DATABASE_URL", "write it like postgres://user:password@host:5432/database, with special characters of the password percent-encoded"
	if s.DatabaseURL.IsZero() {
		return nil, nil // told as missing already
	}
	u, err := url.Parse(s.DatabaseURL.Reveal())
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, []error{Fault{name, "is not a PostgreSQL URL", example}}
	}
	if strings.Trim(u.Path, "/") == "" {
		return nil, []error{Fault{name, "names no database", example}}
	}
	var warnings []Warning
	cleaned, dropped := WithoutPrisma(s.DatabaseURL)
	if len(dropped) > 0 {
		s.DatabaseURL = cleaned
		text := "dropped parameters that only Prisma knows: " + strings.Join(dropped, ", ")
		if slices.Contains(dropped, "connection_limit") {
			text += " (DB_MAX_CONNS sets the size of the pool)"
		}
		warnings = append(warnings, Warning{name, text})
	}
	if s.EncryptedDatabase() && plaintext(u) {
		return warnings, []error{Fault{name, "does not require TLS for a database on another host", "add sslmode=verify-full (or require), or set ALLOW_PLAINTEXT_DATABASE=true knowingly"}}
	}
	return warnings, nil
}

// EncryptedDatabase is for pg.Options: whether a plaintext connection to another host is refused.
func (s Service) EncryptedDatabase() bool { return s.Production() && !s.AllowPlaintextDatabase }

// plaintext reports whether a connection to this URL may leave the machine
// unencrypted, as far as the URL tells, so that it is told with all other faults.
// What the environment adds to it (PGHOST, PGSSLMODE) is known to kit/pg, which
// judges again and finally. The driver's default, prefer, falls back to plaintext, so only the
// modes that cannot fall back count as encrypted.
func plaintext(u *url.URL) bool {
	host := u.Hostname()
	if h := u.Query().Get("host"); h != "" {
		host = h
	}
	if host == "" || strings.HasPrefix(host, "/") || isLoopback(host) {
		return false
	}
	if _, _, err := net.SplitHostPort(host); err == nil {
		return true
	}
	switch u.Query().Get("sslmode") {
	case "require", "verify-ca", "verify-full":
		return false
	default:
		return true
	}
}
