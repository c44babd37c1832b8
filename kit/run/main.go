package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/internal/jsonlog"
	"github.com/libertaphonix/libertaphonix/kit/internal/keyset"
)

// Version is set by the linker: -ldflags "-X github.com/libertaphonix/libertaphonix/kit/run.Version=v1.2.3".
var Version string

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // something did not work
	exitUsage  = 2 // the configuration or the flags are wrong: restarting will not help
	exitKilled = 130
)

// checkTimeout bounds --check and leaves room for a slow TLS handshake; it is not a
// tuning knob.
const checkTimeout = 20 * time.Second

// Program is one binary.
type Program[C any] struct {
	Name string

	// New is the composition root: it opens everything, handing each piece to the
	// group at once, and returns when all of it is started. When it fails, what the
	// group holds is closed. Its context ends when the process is told to stop.
	New func(ctx context.Context, cfg C, g *Group) error

	// Check reaches what the configuration names and changes nothing; its joined
	// errors are all printed. nil checks the configuration only.
	Check func(ctx context.Context, cfg C) error

	// Migrate brings the schema up to date and returns; nil means that the binary has
	// no schema and no such flag.
	Migrate func(ctx context.Context, cfg C) error
}

// Main runs a program and exits the process: 0 after a clean stop, 1 after a
// failure, 2 when the configuration or the flags are wrong. The first SIGTERM or
// SIGINT stops it in order, a second one ends it at once.
func Main[C any](p Program[C]) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	os.Exit(execute(p, process{os.Args[1:], os.Environ(), os.Stdout, os.Stderr, signals, os.Exit}))
}

// process is what execute takes from the outside, so that tests need no process.
type process struct {
	args, environ  []string
	stdout, stderr io.Writer
	signals        <-chan os.Signal
	exit           func(code int) // for the second signal only
}

func execute[C any](p Program[C], proc process) int {
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(proc.stderr)
	version := flags.Bool("version", false, "print the version and exit")
	check := flags.Bool("check", false, "read the configuration, reach what it names, print every fault, change nothing")
	newKeyset := flags.Bool("new-keyset", false, "print a fresh CREDENTIALS_KEYSET and exit")
	rotateKeyset := flags.Bool("rotate-keyset", false, "print CREDENTIALS_KEYSET with a new primary key added and exit")
	migrate := new(bool)
	if p.Migrate != nil {
		migrate = flags.Bool("migrate", false, "bring the schema up to date and exit")
	}
	if err := flags.Parse(proc.args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage
	}
	if flags.NArg() > 0 {
		_, _ = fmt.Fprintf(proc.stderr, "%s takes no arguments, only flags; it is configured by environment variables\n", p.Name)
		return exitUsage
	}
	switch {
	case *version:
		_, _ = fmt.Fprintf(proc.stdout, "%s %s %s\n", p.Name, VersionText(), runtime.Version())
		return exitOK
	case *newKeyset:
		return printKeyset(proc, keyset.New)
	case *rotateKeyset:
		return printKeyset(proc, func() (string, error) {
			old, _, _ := conf.Load[struct {
				Keyset conf.Secret `env:"CREDENTIALS_KEYSET"`
			}](proc.environ)
			return keyset.Rotate(old.Keyset.Reveal())
		})
	}

	cfg, warnings, err := conf.Load[C](proc.environ)
	if err == nil && !*check {
		err = conf.MakeKeys(&cfg)
	}
	if err != nil {
		_, _ = fmt.Fprintf(proc.stderr, "%s: %v\n", p.Name, err)
		return exitUsage
	}
	log := jsonlog.New(proc.stderr, p.Name, VersionText(), slog.LevelInfo)
	for _, w := range warnings {
		log.Warn(w.Text, "variable", w.Variable) //nolint:sloglint // the text was written for a reader and is fixed where it was made
	}
	switch {
	case *check:
		return once(proc, p.Name, "check", checkTimeout, cfg, p.Check)
	case *migrate:
		return once(proc, p.Name, "migrate", 0, cfg, p.Migrate)
	default:
		return serve(p, cfg, proc, log)
	}
}
