package stack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary play the programs that the launcher starts (under their names, by symbolic link) and the launcher itself:
// what is proved here is how processes are started and ended, for which the real services would only be slow.
func TestMain(m *testing.M) {
	switch name := filepath.Base(os.Args[0]); name {
	case "identity", "orders", "ecosync", "gateway":
		os.Exit(playService(name))
	case "launcher":
		os.Exit(playLauncher())
	}
	os.Exit(m.Run())
}

// playService is ready at once, and stops when told; REFUSE and STUBBORN name the one that does otherwise.
func playService(name string) int {
	fmt.Printf(`{"time":"2026-01-01T00:00:00Z","level":"INFO","msg":"started","pid":%d}`+"\n", os.Getpid())
	if os.Getenv("REFUSE") == name {
		fmt.Fprintln(os.Stderr, name+": COLOUR is not set: set it")
		return 2
	}
	for _, secret := range []string{"DATABASE_URL", "SERVICE_AUTH_KEY"} {
		if name == "gateway" && os.Getenv(secret) != "" {
			fmt.Fprintln(os.Stderr, "the gateway can see "+secret)
			return 2
		}
	}
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	addresses := []string{os.Getenv("ADMIN_ADDR")}
	if name == "gateway" {
		addresses = append(addresses, os.Getenv("GATEWAY_ADDR"))
	}
	for _, addr := range addresses {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		go func() { _ = http.Serve(l, handler) }()
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	return 0
}

// playLauncher starts a stack, prints "up" and waits: for SIGINT, or to be killed.
func playLauncher() int {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt)
	defer release()
	s, err := Start(ctx, Options{Bin: filepath.Dir(os.Args[0]), Prebuilt: true, FreePorts: true, Throwaway: true, Out: os.Stdout})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("up")
	<-ctx.Done()
	if err := s.Stop(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// bin is a folder in which every program is this test binary.
func bin(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"identity", "orders", "ecosync", "gateway", "launcher"} {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// options start the played programs on free ports and a data folder of the test's own.
func options(t *testing.T, env ...string) Options {
	t.Helper()
	base := environment(os.Environ()).without("DATABASE_URL", "REDIS_URL")
	return Options{
		Bin: bin(t), Prebuilt: true, FreePorts: true, Throwaway: true,
		Env: append(base.with("DATA_DIR", dataDir(t)), env...),
	}
}

// dataDir is a folder that the private PostgreSQL's user can reach: t.TempDir may be too deep for other users.
func dataDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func start(t *testing.T, o Options) *Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// alive says whether a process exists and is not a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	var state byte
	for i := len(stat) - 1; i > 1; i-- {
		if stat[i] == ')' {
			state = stat[i+2]
			break
		}
	}
	return state != 'Z'
}

// within waits for something that another process does, at most ten seconds.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("after 10 s: not %s", what)
}
