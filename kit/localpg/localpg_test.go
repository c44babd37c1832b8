package localpg_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/localpg"
)

// TestMain lets the test binary play a parent that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOCALPG_PARENT"); dir != "" {
		s, err := localpg.Start(context.Background(), localpg.Config{Dir: dir, TCP: true})
		if err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString(s.URL("postgres") + "\n")
		select {}
	}
	os.Exit(m.Run())
}

// clusterDir is outside of t.TempDir, whose folders (0700) the server's user cannot
// walk through when tests run as root.
func clusterDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func start(t *testing.T, c localpg.Config) *localpg.Server {
	t.Helper()
	s, err := localpg.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func connect(t *testing.T, s *localpg.Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestArabicAndAccentsAreLetters(t *testing.T) {
	conn := connect(t, start(t, localpg.Config{Dir: clusterDir(t)}))
	var lower string
	var trigrams int
	err := conn.QueryRow(t.Context(), "SELECT lower('É')").Scan(&lower)
	if err != nil || lower != "é" {
		t.Errorf("lower('É') is %q, %v", lower, err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE EXTENSION pg_trgm"); err != nil {
		t.Fatal(err)
	}
	err = conn.QueryRow(t.Context(), "SELECT array_length(show_trgm('محمد'), 1)").Scan(&trigrams)
	if err != nil || trigrams < 3 {
		t.Errorf("an Arabic name has %d trigrams, %v", trigrams, err)
	}
}

func TestAnOrderlyStopIsQuickRepeatableAndKeepsTheData(t *testing.T) {
	dir := clusterDir(t)
	s := start(t, localpg.Config{Dir: dir, Fsync: true, TCP: true})
	if _, err := connect(t, s).Exec(t.Context(), "CREATE TABLE kept (n int)"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Stop(), s.Stop()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("it is not done after a stop")
	}
	again := start(t, localpg.Config{Dir: dir, Fsync: true, TCP: true})
	if _, err := connect(t, again).Exec(t.Context(), "SELECT n FROM kept"); err != nil {
		t.Error(err)
	}
}

func TestWhatWasCommittedSurvivesAKillAlsoWithoutFsync(t *testing.T) {
	dir := clusterDir(t)
	s := start(t, localpg.Config{Dir: dir})
	conn := connect(t, s)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (n int)"); err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		if _, err := conn.Exec(t.Context(), "INSERT INTO kept VALUES ($1)", n); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	var rows int
	err := connect(t, start(t, localpg.Config{Dir: dir})).QueryRow(t.Context(), "SELECT count(*) FROM kept").Scan(&rows)
	if err != nil || rows != 200 {
		t.Errorf("%d rows after the kill, %v; want 200", rows, err)
	}
}

func TestTheServerEndsWithAParentThatIsKilled(t *testing.T) {
	t.Run("in an open folder", func(t *testing.T) { killParent(t, clusterDir(t)) })
	t.Run("below a private home", func(t *testing.T) { killParent(t, filepath.Join(privateHome(t), "project", ".data")) })
}

func killParent(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "LOCALPG_PARENT="+dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "postgres://") {
		t.Fatalf("the parent said %q, %v", line, err)
	}
	pid := postmasterPID(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for alive(pid) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("postgres (pid %d) outlives its parent", pid)
		}
	}
}

func postmasterPID(t *testing.T, dir string) int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// alive is false for a zombie as well: whoever should reap an orphan in a container
// may not do so.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// privateHome is like /root: nobody else may walk through it.
func privateHome(t *testing.T) string {
	t.Helper()
	home := clusterDir(t)
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	return home
}

func TestAFolderBelowAPrivateHomeWorks(t *testing.T) {
	s := start(t, localpg.Config{Dir: filepath.Join(privateHome(t), "project", ".data", "postgres")})
	if err := connect(t, s).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestASecondServerOnOneFolderIsRefusedWithPostgresOwnWords(t *testing.T) {
	dir := clusterDir(t)
	start(t, localpg.Config{Dir: dir})
	_, err := localpg.Start(t.Context(), localpg.Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "postmaster.pid") {
		t.Errorf("answered %v; want the lock file named", err)
	}
}

func TestWithoutBinariesTheErrorSaysWhatToInstall(t *testing.T) {
	t.Setenv("PG_BIN", t.TempDir())
	_, err := localpg.Start(t.Context(), localpg.Config{Dir: t.TempDir()})
	if !errors.Is(err, localpg.ErrMissing) || !strings.Contains(err.Error(), "PG_BIN") {
		t.Errorf("answered %v; want ErrMissing with the remedy", err)
	}
}
