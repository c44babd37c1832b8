package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/localpg"
)

const (
	defaultDataDir = ".data"
	demoFolder     = "demo"           // in it: what was invented never mixes with what is real, whichever of run and up came first
	startTimeout   = 90 * time.Second // of one program: its migrations on a big database included
	stopTimeout    = 15 * time.Second // of one program: more than the services' own grace
)

// documented ports of the private servers, beside those of the programs.
const (
	postgresPort = 7032
	redisPort    = 7079
)

// Stack is everything that was started.
type Stack struct {
	options Options
	dataDir string
	console *console
	lock    *os.File
	env     environment
	closers []closer
	failed  chan error

	databaseURL string
	redisURL    string
	postgres    *localpg.Server // nil when DATABASE_URL was given
	services    []*service
	shops       *service // nil without Demo
	grpcurl     <-chan string

	stopOnce sync.Once
	stopErr  error
}

type closer struct {
	name string
	stop func() error
}

// Start starts everything and answers when all of it is ready. When anything cannot be had, what was started is stopped again and the
// error says what to install or which variable to set. Cancelling ctx ends a start that is under way, not a started stack: Stop does.
func Start(ctx context.Context, o Options) (*Stack, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Stack{options: o, console: &console{out: o.Out}, env: environment(o.Env), failed: make(chan error, 1)}
	dir := s.env.get("DATA_DIR")
	if dir == "" {
		dir = defaultDataDir
	}
	if s.dataDir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if s.lock, err = lockDataDir(s.dataDir); err != nil {
		return nil, err
	}
	if o.Demo {
		s.dataDir = filepath.Join(s.dataDir, demoFolder)
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	began := time.Now()
	logs := filepath.Join(s.dataDir, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	table := programs()
	if s.options.Demo {
		table = append([]program{simulator()}, table...)
	}
	if err := build(ctx, s.options, table, s.console); err != nil {
		return err
	}
	if s.options.Demo {
		s.grpcurl = s.findGrpcurl(ctx)
	}
	free := &ports{any: s.options.FreePorts}
	defer free.release()
	if err := s.assign(table, free, logs); err != nil {
		return err
	}
	if err := s.startServers(ctx, free, logs); err != nil {
		return err
	}
	free.release() // the programs bind now; a port taken in this instant is told by the program that missed it
	s.prepareEnvironment()
	s.hush(true)
	for _, svc := range s.all() {
		if err := svc.launch(); err != nil {
			return err
		}
		s.onStop(svc.name, svc.end)
	}
	for _, svc := range s.all() {
		if err := svc.waitReady(ctx); err != nil {
			return err
		}
		s.console.say(svc.name, "ready on %s%s", svc.place.addr, movedNote(svc.place))
	}
	s.hush(false)
	s.console.say("launcher", "ready in %.1f s, data and logs in %s", time.Since(began).Seconds(), s.dataDir)
	return nil
}

// assign gives every program its address, and its log.
func (s *Stack) assign(table []program, free *ports, logs string) error {
	for _, prog := range table {
		isShops := prog.name == simulator().name
		there, err := free.place(prog, s.env.get(prog.address), !isShops)
		if err != nil {
			return err
		}
		log := newChildLog(logs, prog.name, s.console)
		s.onStop("", log.close)
		svc := &service{program: prog, stack: s, place: there, log: log}
		if isShops {
			log.quiet, s.shops = true, svc
		} else {
			s.services = append(s.services, svc)
		}
	}
	return nil
}

// startServers starts Redis and PostgreSQL, or finds the operator's; the quick one first, so that its failure is told at once.
func (s *Stack) startServers(ctx context.Context, free *ports, logs string) error {
	pgPort, err := serverPort(free, "PostgreSQL", postgresPort)
	if err != nil {
		return err
	}
	rdPort, err := serverPort(free, "Redis", redisPort)
	if err != nil {
		return err
	}
	free.release()
	log := newChildLog(logs, "redis", s.console)
	log.quiet = true
	s.onStop("", log.close)
	redis, err := startRedis(ctx, s.dataDir, s.env.get("REDIS_URL"), rdPort, log)
	if err != nil {
		return err
	}
	s.redisURL = redis.url
	s.onStop("redis", redis.stop)
	s.console.say("redis", "%s", redis.how)
	s.databaseURL, s.postgres, err = startDatabase(ctx, s.options, s.dataDir, s.env.get("DATABASE_URL"), pgPort)
	if err != nil {
		return err
	}
	if s.postgres == nil {
		s.console.say("postgres", "yours, from DATABASE_URL%s", map[bool]string{true: "; the demo data goes there"}[s.options.Demo])
	} else {
		s.onStop("postgres", s.postgres.Stop)
		go s.watchPostgres()
		s.console.say("postgres", "private, on %s (superuser postgres, database %s)", at(s.postgres.Port()), databaseName)
	}
	return nil
}

// serverPort finds a port for a private server, the documented one if it is free.
func serverPort(free *ports, what string, documented int) (int, error) {
	if !free.any {
		for i := range candidates {
			if port, ok := free.hold(documented + i*step); ok {
				return port, nil
			}
		}
	}
	port, ok := free.holdAny()
	if !ok {
		return 0, fmt.Errorf("no port is free for the private %s", what)
	}
	return port, nil
}

// prepareEnvironment is what all programs get to see: the operator's variables, with the addresses of this launch.
func (s *Stack) prepareEnvironment() {
	// One address of its own would send every program to the same port; each gets its own below.
	s.env = s.env.without("GRPC_ADDR", "ADMIN_ADDR")
	s.env = s.env.with("DATABASE_URL", s.databaseURL).with("REDIS_URL", s.redisURL).with("DATA_DIR", s.dataDir)
	for _, svc := range s.services {
		s.env = s.env.with(svc.address, svc.place.addr)
	}
	if s.shops == nil {
		return
	}
	// The demo lives on loopback and trusts exactly its own shops: whatever stands in the operator's environment for the real thing must
	// not leak into it.
	s.env = s.env.with("UPSTREAM_ALLOWED_HOSTS", s.shops.place.addr).with("APP_ENV", "development")
	s.env = s.env.without("NODE_ENV", "TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CA_FILE")
	admin := demoAdmin()
	s.env = s.env.with("BOOTSTRAP_ADMIN_EMAIL", admin.Email).with("BOOTSTRAP_ADMIN_PASSWORD", admin.Password)
}

func (s *Stack) hush(on bool) {
	for _, svc := range s.all() {
		svc.log.hushed.Store(on)
	}
}

// all lists what runs, in the order of start.
func (s *Stack) all() []*service {
	if s.shops == nil {
		return s.services
	}
	return append([]*service{s.shops}, s.services...)
}

func (s *Stack) onStop(name string, stop func() error) {
	s.closers = append(s.closers, closer{name, stop})
}

// Stop ends everything in the reverse order of its start and lets the data folder go. It may be called any number of times.
func (s *Stack) Stop() error {
	s.stopOnce.Do(func() {
		s.hush(true)
		for _, svc := range s.all() {
			svc.quit()
		}
		var faults []error
		for _, c := range slices.Backward(s.closers) {
			if err := c.stop(); err != nil {
				faults = append(faults, err)
			} else if c.name != "" {
				s.console.say(c.name, "stopped")
			}
		}
		if s.lock != nil {
			faults = append(faults, s.lock.Close())
		}
		s.stopErr = errors.Join(faults...)
	})
	return s.stopErr
}

// Failed delivers the reason when the stack cannot go on: a program that refuses its configuration, or the private PostgreSQL ended.
func (s *Stack) Failed() <-chan error { return s.failed }

func (s *Stack) fail(err error) {
	select {
	case s.failed <- err:
	default: // the first reason is the cause
	}
}

func (s *Stack) watchPostgres() {
	<-s.postgres.Done()
	s.fail(fmt.Errorf("the private PostgreSQL has ended; see %s", filepath.Join(s.dataDir, "postgres", "postgres.log")))
}

// GatewayURL is the root of the REST API.
func (s *Stack) GatewayURL() string { return "http://" + s.named("gateway").place.addr }

// Target is the gRPC address of a service.
func (s *Stack) Target(name string) string { return s.named(name).place.addr }

// AdminURL is where a program serves health and metrics.
func (s *Stack) AdminURL(name string) string { return "http://" + s.named(name).place.admin }

// ShopsURL is the root of the simulator; empty without Demo.
func (s *Stack) ShopsURL() string {
	if s.shops == nil {
		return ""
	}
	return "http://" + s.shops.place.addr
}

// DatabaseURL is the database that the services use.
func (s *Stack) DatabaseURL() string { return s.databaseURL }

// RedisURL is the Redis that the services use.
func (s *Stack) RedisURL() string { return s.redisURL }

// LogFile is where a program's full log is.
func (s *Stack) LogFile(name string) string { return s.named(name).log.file.Filename }

// Kill ends a program as kill -9 does. Unless NoRestart was asked for, it comes back by itself.
func (s *Stack) Kill(name string) { s.named(name).kill() }

// Relaunch starts a program that was killed, and waits until it is ready.
func (s *Stack) Relaunch(ctx context.Context, name string) error {
	svc := s.named(name)
	if err := svc.launch(); err != nil {
		return err
	}
	return svc.waitReady(ctx)
}

// Pid is the process id of a running program.
func (s *Stack) Pid(name string) int { return s.named(name).pid() }

// named finds a program; asking for one that is not in the table is a mistake in the calling code.
func (s *Stack) named(name string) *service {
	all := s.all()
	i := slices.IndexFunc(all, func(svc *service) bool { return svc.name == name })
	if i < 0 {
		names := make([]string, len(all))
		for i, svc := range all {
			names[i] = svc.name
		}
		panic(fmt.Sprintf("stack: there is no program %q, only %s", name, strings.Join(names, ", ")))
	}
	return all[i]
}

func movedNote(p place) string {
	if !p.moved {
		return ""
	}
	return " (the documented port is in use)"
}
