package conf

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/internal/tlsfile"
)

// AppEnv says how strict a process is: production requires what development makes
// for itself.
type AppEnv string

// The two environments there are.
const (
	Development AppEnv = "development"
	Production  AppEnv = "production"
)

// Process is what every process understands, the gateway included: it holds no
// database and no key.
type Process struct {
	AppEnv           AppEnv         `env:"APP_ENV" envDefault:"development" fallback:"NODE_ENV" oneof:"development production" doc:"production refuses to start without keys and over a plaintext database connection"`
	LogLevel         slog.Level     `env:"LOG_LEVEL" envDefault:"INFO" doc:"debug, info, warn or error"`
	BusinessTimezone *time.Location `env:"BUSINESS_TIMEZONE" envDefault:"Africa/Algiers" doc:"the zone that decides business days and hours; storage is always UTC"`
	RedisURL         Secret         `env:"REDIS_URL" doc:"redis://[user:password@]host:port/db; without it the process works, and says what it lacks"`
	DataDir          string         `env:"DATA_DIR" envDefault:".data" doc:"where development keeps its private PostgreSQL, Redis, keys and logs"`
	GRPCAddr         string         `env:"GRPC_ADDR" doc:"where this process listens for gRPC; default: the port of its own <NAME>_ADDR"`
	AdminAddr        string         `env:"ADMIN_ADDR" doc:"where this process serves health and metrics, in plaintext; default: its gRPC address, port + 1000"`
	TLSCertFile      string         `env:"TLS_CERT_FILE" doc:"PEM certificate this process shows; with TLS_KEY_FILE turns TLS on"`
	TLSKeyFile       string         `env:"TLS_KEY_FILE" doc:"PEM private key of TLS_CERT_FILE"`
	TLSCAFile        string         `env:"TLS_CA_FILE" doc:"PEM authorities that peers' certificates must come from; turns mutual TLS on"`
	OTLPEndpoint     string         `env:"OTEL_EXPORTER_OTLP_ENDPOINT" doc:"OTLP/gRPC collector for traces, e.g. http://collector:4317; tracing is off without it"`
	Peers            Peers
}

// Service is embedded in the configuration of every service that owns a schema.
type Service struct {
	Process

	DatabaseURL            Secret `env:"DATABASE_URL,required" doc:"postgres://user:password@host:5432/database; parameters of Prisma are dropped with a warning"`
	AllowPlaintextDatabase bool   `env:"ALLOW_PLAINTEXT_DATABASE" envDefault:"false" doc:"lets production talk to a database on another host without TLS"`
	DBMaxConns             int32  `env:"DB_MAX_CONNS" doc:"most database connections of this process; default: its share of 40 in production, of 20 in development"`
	ServiceAuthKey         Secret `env:"SERVICE_AUTH_KEY" doc:"base64 of 32 random bytes, the same in all services, never in the gateway; production: openssl rand -base64 32"`
	CredentialsKeyset      Secret `env:"CREDENTIALS_KEYSET" doc:"Tink keyset that seals credentials in the database, the same in all services that seal; production: made by --new-keyset"`
}

// serviceKeyBytes is the length of SERVICE_AUTH_KEY: HS256 wants as many bytes as
// its hash is long (RFC 7518, 3.2).
const serviceKeyBytes = 32

// Production reports whether the strict rules hold.
func (p Process) Production() bool { return p.AppEnv == Production }

func (p *Process) finish() ([]Warning, []error) {
	faults := p.tlsFaults()
	if p.GRPCAddr != "" {
		faults = append(faults, addressFaults("GRPC_ADDR", p.GRPCAddr)...)
	}
	if p.AdminAddr != "" {
		faults = append(faults, addressFaults("ADMIN_ADDR", p.AdminAddr)...)
	}
	return nil, append(faults, p.Peers.faults()...)
}

// tlsFaults also reads the files: a broken one is found by --check and told together with everything else.
func (p *Process) tlsFaults() (faults []error) {
	if (p.TLSCertFile == "") != (p.TLSKeyFile == "") {
		faults = append(faults, Fault{"TLS_CERT_FILE", "and TLS_KEY_FILE belong together", "set both or neither"})
	}
	for _, f := range []struct{ name, path string }{
		{"TLS_CERT_FILE", p.TLSCertFile},
		{"TLS_KEY_FILE", p.TLSKeyFile},
		{"TLS_CA_FILE", p.TLSCAFile},
	} {
		if f.path == "" {
			continue
		}
		if info, err := os.Stat(f.path); err != nil || info.IsDir() {
			faults = append(faults, Fault{f.name, fmt.Sprintf("%q is not a readable file", f.path), "name a PEM file or unset it"})
		}
	}
	if len(faults) > 0 {
		return faults
	}
	if _, err := tlsfile.Client(tlsfile.Files{Cert: p.TLSCertFile, Key: p.TLSKeyFile, CA: p.TLSCAFile}); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// Certificate is TLS_CERT_FILE for tls.Config.GetCertificate of a server that is not gRPC; a renewed one is shown
// without a restart.
func (p Process) Certificate() (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	return tlsfile.Shown(tlsfile.Files{Cert: p.TLSCertFile, Key: p.TLSKeyFile})
}

func (s *Service) finish() ([]Warning, []error) {
	var faults []error
	if s.TLSCAFile != "" && s.TLSCertFile == "" {
		faults = append(faults, Fault{"TLS_CA_FILE", "is set without a certificate, so this service would listen in plaintext and believe anybody", "set TLS_CERT_FILE and TLS_KEY_FILE too, or unset it"})
	}
	warnings, databaseFaults := s.finishDatabase()
	faults = append(faults, databaseFaults...)
	if s.DBMaxConns < 0 {
		faults = append(faults, Fault{"DB_MAX_CONNS", fmt.Sprintf("%d is below 1", s.DBMaxConns), "set 1 or more, or unset it"})
	}
	if !s.ServiceAuthKey.IsZero() {
		if _, err := s.ServiceKey(); err != nil {
			faults = append(faults, err)
		}
	} else if s.Production() {
		faults = append(faults, Fault{"SERVICE_AUTH_KEY", "is not set", "make one with: openssl rand -base64 32 (the same in every service)"})
	}
	return warnings, faults
}

// ServiceKey is SERVICE_AUTH_KEY as bytes.
func (s Service) ServiceKey() ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(s.ServiceAuthKey.Reveal())
	if err != nil || len(key) < serviceKeyBytes {
		return nil, Fault{"SERVICE_AUTH_KEY", fmt.Sprintf("is not base64 of at least %d bytes", serviceKeyBytes), "make one with: openssl rand -base64 32"}
	}
	return key, nil
}

// KeysetFaults is for the Validate of a service that seals credentials: the others
// run without the keyset, so that it is not handed to processes that never use it.
func (s Service) KeysetFaults() []error {
	if s.CredentialsKeyset.IsZero() && s.Production() {
		return []error{Fault{"CREDENTIALS_KEYSET", "is not set", "make one with: " + binaryName() + " --new-keyset (the same in every service that seals)"}}
	}
	if s.CredentialsKeyset.IsZero() {
		return nil
	}
	if err := checkKeyset(s.CredentialsKeyset); err != nil {
		return []error{err}
	}
	return nil
}

// poolShares divides the 40 connections of production (DESIGN 9); development gets
// half of each, so that a laptop's PostgreSQL with its default of 100 is not filled.
var poolShares = map[string]int32{
	"orders": 14, "shipping": 7, "ecosync": 6, "assignment": 5, "identity": 4, "scheduler": 4,
}

// MaxConns is how many database connections the named service may hold.
func (s Service) MaxConns(service string) int32 {
	if s.DBMaxConns > 0 {
		return s.DBMaxConns
	}
	share, known := poolShares[service]
	if !known {
		share = 4
	}
	if !s.Production() {
		share /= 2
	}
	return max(share, 2)
}
