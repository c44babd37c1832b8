package run

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/libertaphonix/libertaphonix/kit/conf"
)

type config struct {
	Port int `env:"EXAMPLE_PORT" envDefault:"80" doc:"a port"`
}

// testMain lets the test binary play a program, so that signals are sent to a real
// process.
func testMain(m *testing.M) {
	switch os.Getenv("RUN_EXAMPLE") {
	case "polite":
		Main(Program[config]{Name: "example", New: func(_ context.Context, _ config, g *Group) error {
			g.OnStop("closer", func(context.Context) error { os.Stdout.WriteString("closed\n"); return nil })
			g.Go("server", func(ctx context.Context) error { os.Stdout.WriteString("up\n"); <-ctx.Done(); return nil })
			return nil
		}})
	case "stubborn":
		Main(Program[config]{Name: "example", New: func(_ context.Context, _ config, g *Group) error {
			g.Go("server", func(ctx context.Context) error {
				os.Stdout.WriteString("up\n")
				<-ctx.Done()
				os.Stdout.WriteString("hanging\n")
				select {}
			})
			return nil
		}})
	}
	goleak.VerifyTestMain(m)
}

// play starts the test binary as a program and waits for what it says first.
func play(t *testing.T, role string) (*exec.Cmd, *output) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "RUN_EXAMPLE="+role)
	out := &output{changed: make(chan struct{}, 1)}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.await(t, "up\n")
	return cmd, out
}

type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.changed:
		case <-deadline:
			t.Fatalf("never said %q: %s", text, o)
		}
	}
}

func TestASignalStopsTheProcessInOrder(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd, out := play(t, "polite")
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after %v: %v; want exit code 0", sig, err)
		}
		if !strings.Contains(out.String(), "closed\n") {
			t.Errorf("after %v the closer did not run: %s", sig, out)
		}
	}
}

func TestASecondSignalEndsTheProcessAtOnce(t *testing.T) {
	cmd, out := play(t, "stubborn")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	out.await(t, "hanging\n")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitKilled {
		t.Errorf("ended with %v; want exit code %d", err, exitKilled)
	}
}

// call runs a program in this process.
func call[C any](t *testing.T, p Program[C], environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(p, process{args, environ, &out, &errs, make(chan os.Signal), func(int) {}})
	return code, out.String(), errs.String()
}

func TestWhenTheStartFailsWhatWasOpenedIsClosed(t *testing.T) {
	closed := false
	code, _, stderr := call(t, Program[config]{Name: "example", New: func(_ context.Context, _ config, g *Group) error {
		g.OnStop("database", func(context.Context) error { closed = true; return nil })
		return errors.New("the port is taken")
	}}, nil)
	if code != exitFailed || !closed || !strings.Contains(stderr, "the port is taken") {
		t.Errorf("exit code %d, closed %v, said: %s", code, closed, stderr)
	}
}

func TestASignalDuringTheStartEndsIt(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	var out bytes.Buffer
	code := execute(Program[config]{Name: "example", New: func(ctx context.Context, _ config, _ *Group) error {
		<-ctx.Done()
		return ctx.Err()
	}}, process{nil, nil, &out, &out, signals, func(int) {}})
	if code != exitOK {
		t.Errorf("exit code %d; want 0: %s", code, &out)
	}
}

func TestFlags(t *testing.T) {
	working := Program[config]{
		Name:    "example",
		New:     func(context.Context, config, *Group) error { return errors.New("must not start") },
		Check:   func(context.Context, config) error { return nil },
		Migrate: func(context.Context, config) error { return nil },
	}
	broken := working
	broken.Check = func(context.Context, config) error { return errors.New("the database is down") }
	broken.Migrate = broken.Check
	bare := working
	bare.Migrate = nil
	for name, c := range map[string]struct {
		program        Program[config]
		environ, args  []string
		code           int
		stdout, stderr string
	}{
		"the version is printed":                 {working, nil, []string{"--version"}, exitOK, "example ", ""},
		"a check that passes says so":            {working, nil, []string{"--check"}, exitOK, "check ok", ""},
		"a check that fails says why":            {broken, nil, []string{"--check"}, exitFailed, "", "the database is down"},
		"a check reads the configuration first":  {working, []string{"EXAMPLE_PORT=many"}, []string{"--check"}, exitUsage, "", "EXAMPLE_PORT"},
		"a migration that passes says so":        {working, nil, []string{"--migrate"}, exitOK, "migrate ok", ""},
		"a migration that fails says why":        {broken, nil, []string{"--migrate"}, exitFailed, "", "the database is down"},
		"without a schema there is no such flag": {bare, nil, []string{"--migrate"}, exitUsage, "", "migrate"},
		"help is no failure":                     {working, nil, []string{"--help"}, exitOK, "", "new-keyset"},
		"an unknown flag is refused":             {working, nil, []string{"--verbose"}, exitUsage, "", "verbose"},
		"an argument is refused":                 {working, nil, []string{"start"}, exitUsage, "", "no arguments"},
		"a wrong configuration starts nothing":   {working, []string{"EXAMPLE_PORT=many"}, nil, exitUsage, "", "EXAMPLE_PORT"},
		"rotating no keyset says which variable": {working, nil, []string{"--rotate-keyset"}, exitFailed, "", "CREDENTIALS_KEYSET"},
		"a fresh keyset needs no configuration":  {working, []string{"EXAMPLE_PORT=many"}, []string{"--new-keyset"}, exitOK, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, c.program, c.environ, c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit code %d (want %d)\nstdout: %s\nstderr: %s", code, c.code, stdout, stderr)
			}
		})
	}
}

type serviceConfig struct{ conf.Service }

func TestACheckMakesNoKeysAndAStartDoes(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"DATABASE_URL=postgres://u@127.0.0.1/shop", "DATA_DIR=" + dir}
	seen := conf.Secret("unset")
	note := func(_ context.Context, cfg serviceConfig) error { seen = cfg.ServiceAuthKey; return nil }
	p := Program[serviceConfig]{Name: "example", Check: note, Migrate: note}
	if code, _, stderr := call(t, p, environ, "--check"); code != exitOK || !seen.IsZero() {
		t.Fatalf("exit code %d, key set: %v: %s", code, !seen.IsZero(), stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the check left %v, %v", left, err)
	}
	if code, _, stderr := call(t, p, environ, "--migrate"); code != exitOK || seen.IsZero() {
		t.Errorf("exit code %d, key set: %v: %s", code, !seen.IsZero(), stderr)
	}
}

func TestARotatedKeysetIsPrinted(t *testing.T) {
	p := Program[config]{Name: "example"}
	_, first, _ := call(t, p, nil, "--new-keyset")
	code, second, stderr := call(t, p, []string{"CREDENTIALS_KEYSET=" + strings.TrimSpace(first)}, "--rotate-keyset")
	if code != exitOK || len(second) <= len(first) {
		t.Errorf("exit code %d, %d bytes after %d: %s", code, len(second), len(first), stderr)
	}
}
