package stack

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// lines is a terminal that a test can read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestEverythingStopsInTheReverseOrderOfItsStartAndDataStays(t *testing.T) {
	t.Parallel()
	o := options(t)
	out := &lines{}
	o.Out = out
	s := start(t, o)
	exec := func(sql string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), s.DatabaseURL())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE kept (n int)")
	var pids []int
	for _, name := range []string{"identity", "orders", "ecosync", "gateway"} {
		pids = append(pids, s.Pid(name))
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
	var stopped []string
	for _, m := range regexp.MustCompile(`(?m)^(\w+) *\| stopped$`).FindAllStringSubmatch(out.String(), -1) {
		stopped = append(stopped, m[1])
	}
	if diff := cmp.Diff([]string{"gateway", "ecosync", "orders", "identity", "postgres", "redis"}, stopped); diff != "" {
		t.Errorf("order of stopping (-want +got):\n%s", diff)
	}
	s = start(t, o)
	exec("INSERT INTO kept VALUES (1)")
}

func TestASecondLauncherOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	o := options(t)
	start(t, o)
	_, err := Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "another launcher (process "+strconv.Itoa(os.Getpid())+")") ||
		!strings.Contains(err.Error(), "set DATA_DIR") {
		t.Errorf("the second launcher answered: %v", err)
	}
	if err := Reset(environment(o.Env).get("DATA_DIR")); err == nil || !strings.Contains(err.Error(), "another launcher") {
		t.Errorf("reset under a running launcher answered: %v", err)
	}
}

// launcher runs the launcher as a process of its own, and answers it with the ids of its children once it is up.
func launcher(t *testing.T, o Options) (cmd *exec.Cmd, children []int, out *lines) {
	t.Helper()
	out = &lines{}
	cmd = exec.Command(filepath.Join(o.Bin, "launcher"))
	cmd.Env, cmd.Stdout, cmd.Stderr = o.Env, out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, "up", func() bool {
		if !alive(cmd.Process.Pid) {
			t.Fatalf("the launcher ended:\n%s", out)
		}
		return strings.Contains(out.String(), "\nup\n")
	})
	children = descendants(cmd.Process.Pid)
	if len(children) < 6 {
		t.Fatalf("only %d processes below the launcher", len(children))
	}
	return cmd, children, out
}

// descendants walks /proc: the children of every thread, and theirs.
func descendants(pid int) []int {
	var found []int
	threads, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, path := range threads {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		words := bufio.NewScanner(f)
		words.Split(bufio.ScanWords)
		for words.Scan() {
			if child, err := strconv.Atoi(words.Text()); err == nil {
				found = append(found, child)
				found = append(found, descendants(child)...)
			}
		}
		_ = f.Close()
	}
	return found
}

func TestAKilledLauncherLeavesNoProcessBehindAndTheNextOneStarts(t *testing.T) {
	t.Parallel()
	o := options(t)
	cmd, children, _ := launcher(t, o)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	within(t, "gone with the launcher", func() bool { return !slices.ContainsFunc(children, alive) })
	start(t, o)
}

func TestCtrlCStopsEverythingCleanly(t *testing.T) {
	t.Parallel()
	cmd, children, out := launcher(t, options(t))
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the launcher ended with %v:\n%s", err, out)
	}
	for _, pid := range children {
		if alive(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
}

func TestAProgramThatDiesComesBack(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	before := s.Pid("orders")
	s.Kill("orders")
	within(t, "running again", func() bool { return s.Pid("orders") != before && alive(s.Pid("orders")) })
}

func TestAProgramThatATestKillsStaysDownUntilTheTestSaysSo(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.NoRestart = true
	s := start(t, o)
	before := s.Pid("orders")
	s.Kill("orders")
	if s.Pid("orders") != before {
		t.Fatal("it came back by itself")
	}
	if err := s.Relaunch(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if !alive(s.Pid("orders")) {
		t.Error("it is not running")
	}
}

func TestWhatCannotBeHadIsNamedWithItsRemedy(t *testing.T) {
	refused := net.JoinHostPort(loopback, "1")
	busy, err := net.Listen("tcp", at(0))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	for _, c := range []struct {
		name, env string
		want      []string
	}{
		{"no PostgreSQL installed", "PG_BIN=/nowhere", []string{"PG_BIN=/nowhere", "initdb and postgres"}},
		{"the database is down", "DATABASE_URL=postgres://u:p@" + refused + "/db", []string{"DATABASE_URL", "unset it"}},
		{"Redis is down", "REDIS_URL=redis://" + refused, []string{"REDIS_URL", "unset it"}},
		{"a service refuses its configuration", "REFUSE=orders", []string{"orders refuses its configuration", "COLOUR is not set"}},
		{"a chosen address is taken", "ORDERS_ADDR=" + busy.Addr().String(), []string{"ORDERS_ADDR", "is in use"}},
		{"a chosen address is none", "GATEWAY_ADDR=here", []string{"GATEWAY_ADDR=here is not host:port"}},
		{"the data folder cannot be made", "DATA_DIR=/dev/null/data", []string{"DATA_DIR=/dev/null/data", "set DATA_DIR"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, value, _ := strings.Cut(c.env, "=")
			t.Setenv(name, value) // PG_BIN is read by localpg itself
			s, err := Start(t.Context(), options(t, c.env))
			if err == nil {
				t.Fatal("it started", s.Stop())
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestWithoutARedisServerOneInsideTheLauncherServesAndItsKeysExpire(t *testing.T) {
	free := &ports{}
	port, ok := free.holdAny()
	if !ok {
		t.Fatal("no free port")
	}
	free.release()
	r, err := insideRedis(at(port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.stop() }()
	if err := ping(t.Context(), r.url); err != nil {
		t.Fatal(err)
	}
	o, err := redis.ParseURL(r.url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	defer func() { _ = c.Close() }()
	if err := c.Set(t.Context(), "k", "v", 20*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	within(t, "expired", func() bool { return c.Exists(t.Context(), "k").Val() == 0 })
}

func TestDocumentedPortsAreTakenWhenFreeAndTheNextOnesElse(t *testing.T) {
	busy, err := net.Listen("tcp", at(0))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	taken := busy.Addr().(*net.TCPAddr).Port
	p := &ports{}
	defer p.release()
	there, err := p.place(program{name: "x", port: taken}, "", true)
	if err != nil {
		t.Fatal(err)
	}
	if !there.moved || there.addr == at(taken) {
		t.Errorf("placed at %+v although %d is taken", there, taken)
	}
	again, err := p.place(program{name: "y", port: taken}, "", true)
	if err != nil {
		t.Fatal(err)
	}
	if again.addr == there.addr {
		t.Errorf("%s was given out twice", there.addr)
	}
}

func TestResetRemovesWhatTheLauncherMadeAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{lockName, "logs/orders.log", "keys/k", "postgres/data/PG_VERSION", "letters/mine.txt"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Reset(dir); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{filepath.Join(dir, "letters")}, left); diff != "" {
		t.Error(diff)
	}
	if err := Reset(filepath.Join(dir, "never", "used")); err != nil {
		t.Errorf("nothing to reset is no error, but: %v", err)
	}
}

func TestTheTerminalShowsWhatAPersonMustSee(t *testing.T) {
	for line, want := range map[string]string{
		`{"time":"x","level":"INFO","msg":"request","method":"GetOrder"}`:                                    "",
		`{"time":"x","level":"DEBUG","msg":"page read"}`:                                                     "",
		`{"time":"x","level":"WARN","msg":"shop is slow","service":"ecosync","version":"v1","store":"ZINA"}`: `WARN shop is slow store="ZINA"`,
		`{"time":"x","level":"ERROR","msg":"no database","err":"refused","attempt":3}`:                       `ERROR no database attempt=3 err="refused"`,
		"panic: runtime error: index out of range":                                                           "panic: runtime error: index out of range",
		"": "",
	} {
		got, loud := digest([]byte(line))
		if got != want || loud != (want != "") {
			t.Errorf("%s\nis shown as %q (%v), want %q", line, got, loud, want)
		}
	}
}

func TestOutputIsPutTogetherIntoLinesAndKeptInFullButForASpokenPassword(t *testing.T) {
	out := &lines{}
	dir := t.TempDir()
	l := newChildLog(dir, "orders", &console{out: out})
	for _, piece := range []string{
		`{"level":"INFO",`, `"msg":"quiet"}` + "\n" + `{"level":"WARN","msg":"lo`, `ud"}` + "\n", "the admin is a with the password S3CRET\n",
	} {
		if _, err := l.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "orders.log"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "orders   | WARN loud\norders   | the admin is a with the password S3CRET\n"; got != want {
		t.Errorf("terminal %q, want %q", got, want)
	}
	if want := `{"level":"INFO","msg":"quiet"}` + "\n" + `{"level":"WARN","msg":"loud"}` + "\nthe admin is a with the password ***\n"; string(file) != want {
		t.Errorf("file %q, want %q", file, want)
	}
}
