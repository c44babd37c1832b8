package grpcserver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// What no operator will ever change.
const (
	// MaxReceiveBytes bounds one message in: 100 orders with their raw payloads are about 1 MiB.
	MaxReceiveBytes = 4 << 20

	// maxHeaderBytes bounds the metadata of a call: a token of 4 KiB and the rest.
	maxHeaderBytes = 16 << 10

	// maxStreams bounds the calls under way on one connection. The gateway has one connection to each replica and carries
	// a few dozen at a time; without a bound one caller could hold as many goroutines as it likes.
	maxStreams = 500

	// Keepalive is shorter than any lease, so a frozen caller loses its streams before it loses its lease (DESIGN 2).
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second

	// clientsMayPingEvery must lie below the clients' 10 s, or the server would take their pings for an attack.
	clientsMayPingEvery = 5 * time.Second

	// maxConnectionAge makes clients look up the addresses again, so that a new replica gets its share. Calls under way
	// are not cut: the old connection lives until they end.
	maxConnectionAge = 10 * time.Minute

	// defaultDeadline is what a unary call gets that brings none; streams run as long as their caller wants.
	defaultDeadline = 30 * time.Second

	// streamDrain is what streams get to end by themselves when the server stops; then their contexts end, and the
	// caller is told UNAVAILABLE and opens the stream again elsewhere.
	streamDrain = 3 * time.Second

	// A start takes well under a second, so readiness is looked for often at first; a database that is away for an hour is
	// not asked twenty times a second for all of it.
	firstLook    = 50 * time.Millisecond
	lastLook     = time.Second
	readyTimeout = 5 * time.Second

	// stopReserve is left for those who stop after the server: the pool, the logger.
	stopReserve = 2 * time.Second
)

// Config is what differs from service to service.
type Config struct {
	Name     string               // of the service: orders; the domain of nothing, only for logs
	Addr     string               // host:port; ":0" takes a free port (see Server.Addr)
	Listener net.Listener         // instead of Addr, for tests over bufconn
	TLS      *tls.Config          // nil: plaintext; see TLS
	Rules    map[string]auth.Rule // "/package.Service/Method" → who may call; see proto/access
	Verifier *auth.Verifier       // of the tokens
	Errors   rpcerr.Table         // what the service's domain errors mean
	Obs      *obs.Observability   // where to log and count

	// Ready says why the service cannot work yet, as for obs.ServeAdmin. Until it answered nil once, health says
	// NOT_SERVING, and whoever waits for this service goes on waiting.
	Ready func(ctx context.Context) error

	// Reflection says who may list the methods (grpcurl does): everybody in development, an ADMIN in production; see
	// ReflectionRule. The zero Rule switches reflection off.
	Reflection auth.Rule

	// DefaultDeadline is what a unary call without a deadline gets; zero means 30 s.
	DefaultDeadline time.Duration
}

// ReflectionRule is who may list the methods: in production they are a map of what to attack.
func ReflectionRule(production bool) auth.Rule {
	if production {
		return auth.Rule{Roles: []string{"ADMIN"}}
	}
	return auth.Rule{Anonymous: true}
}

func (c *Config) check() error {
	if c.DefaultDeadline == 0 {
		c.DefaultDeadline = defaultDeadline
	}
	switch {
	case c.Name == "":
		return errors.New("grpcserver: the configuration has no Name")
	case c.Addr == "" && c.Listener == nil:
		return errors.New("grpcserver: the configuration has neither Addr nor Listener")
	case c.Verifier == nil:
		return errors.New("grpcserver: the configuration has no Verifier; without one no rule could be kept")
	case c.Obs == nil:
		return errors.New("grpcserver: the configuration has no Obs")
	case c.Ready == nil:
		return errors.New("grpcserver: the configuration has no Ready; health would say SERVING while the schema is migrated")
	}
	return nil
}
