package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Config says what kind of server to start.
type Config struct {
	// Dir holds the cluster and its log; it is made when missing, and a cluster found
	// there is used as it is.
	Dir string
	// Fsync keeps what is committed through a power cut. Without it a killed server
	// still loses nothing (synchronous_commit stays on), which is what tests need.
	Fsync bool
	// TCP listens on 127.0.0.1 instead of a Unix socket in a folder of its own.
	TCP bool
	// Port is the TCP port; 0 takes a free one.
	Port int
	// Settings are added to the server's, such as max_connections.
	Settings map[string]string
}

// Server is a running PostgreSQL.
type Server struct {
	host, socketDir string
	port            int
	process         *process

	stopOnce sync.Once
	stopErr  error
}

const (
	startTimeout = 30 * time.Second // crash recovery of a big cluster included
	stopTimeout  = 15 * time.Second
	socketPort   = 5432 // only a file name inside a folder of our own
)

// Start makes the cluster if needed, starts the server and waits until it takes
// connections. The server ends with this process, even when that is killed.
func Start(ctx context.Context, c Config) (*Server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, err
	}
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	if err := account.own(dir); err != nil {
		return nil, err
	}
	account.reach(dir)
	data := filepath.Join(dir, "data")
	if err := initialise(ctx, bin, data, account, c.Fsync); err != nil {
		return nil, err
	}

	s := &Server{host: "127.0.0.1", port: c.Port}
	args := []string{"-D", data}
	if c.TCP {
		if s.port == 0 {
			if s.port, err = freePort(); err != nil {
				return nil, err
			}
		}
		args = append(args, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	} else {
		if s.socketDir, err = makeSocketDir(dir, account); err != nil {
			return nil, err
		}
		s.host, s.port = s.socketDir, socketPort
		args = append(args, "-c", "listen_addresses=", "-k", s.socketDir)
	}
	args = append(args, "-p", strconv.Itoa(s.port))
	for name, value := range settings(c) {
		args = append(args, "-c", name+"="+value)
	}
	if err := s.start(ctx, bin, data, args, account); err != nil {
		s.removeSocketDir()
		return nil, err
	}
	return s, nil
}

// maxSocketDir leaves room for "/.s.PGSQL.5432.lock": the path of a Unix socket ends
// at 107 bytes.
const maxSocketDir = 85

// makeSocketDir puts the socket beside the cluster, where it goes with it, unless that
// is too deep.
func makeSocketDir(dir string, a account) (string, error) {
	socket := filepath.Join(dir, "socket")
	if len(socket) > maxSocketDir {
		var err error
		if socket, err = os.MkdirTemp("", "pg"); err != nil {
			return "", err
		}
	}
	return socket, a.own(socket)
}

func settings(c Config) map[string]string {
	all := map[string]string{
		"logging_collector": "off",
		"log_timezone":      "UTC",
		"timezone":          "UTC",
	}
	if !c.Fsync {
		// synchronous_commit stays on: with it off, rows that were committed before a
		// kill -9 were measured to be lost.
		all["fsync"], all["full_page_writes"] = "off", "off"
	}
	for name, value := range c.Settings {
		all[name] = value
	}
	return all
}

func (s *Server) start(ctx context.Context, bin, data string, args []string, a account) error {
	logPath := filepath.Join(filepath.Dir(data), "postgres.log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	begin, err := log.Seek(0, 2)
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), args...) // not CommandContext: it lives longer than the start
	cmd.Dir, cmd.Env = "/", a.environ()                          // "/": the child changes folder before it holds any capability
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = a.attributes()
	if s.process, err = launch(cmd); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	if err := s.waitReady(ctx, filepath.Join(data, "postmaster.pid")); err != nil {
		_ = s.Kill()
		return fmt.Errorf("%w\n%s", err, tail(logPath, begin))
	}
	return nil
}

// waitReady reads postmaster.pid: line 1 is the pid, line 8 says "ready". That needs
// no driver and is written by the server itself when it takes connections.
func (s *Server) waitReady(ctx context.Context, pidFile string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	pid := strconv.Itoa(s.process.pid)
	for {
		lines := strings.Split(readFile(pidFile), "\n")
		if len(lines) >= 8 && lines[0] == pid && strings.TrimSpace(lines[7]) == "ready" {
			return nil
		}
		select {
		case <-s.process.done:
			return fmt.Errorf("postgres ended while starting: %w", orOK(s.process.err))
		case <-ctx.Done():
			return fmt.Errorf("postgres did not become ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// URL is how to reach the named database as the superuser.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + database}
	query := url.Values{"sslmode": {"disable"}}
	if s.socketDir != "" {
		query.Set("host", s.host)
		query.Set("port", strconv.Itoa(s.port))
	} else {
		u.Host = net.JoinHostPort(s.host, strconv.Itoa(s.port))
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Port is the TCP port, or the number in the socket's name.
func (s *Server) Port() int { return s.port }

// Done is closed when the server has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Stop ends the server in order (a fast shutdown: open transactions are rolled back)
// and waits for it. It may be called any number of times.
func (s *Server) Stop() error {
	s.stopOnce.Do(func() {
		defer s.removeSocketDir()
		s.process.signal(syscall.SIGINT)
		select {
		case <-s.process.done:
		case <-time.After(stopTimeout):
			s.process.signal(syscall.SIGQUIT) // immediate; the next start recovers
			<-s.process.done
			s.stopErr = fmt.Errorf("postgres did not stop within %v and was ended at once", stopTimeout)
		}
	})
	return s.stopErr
}

// Kill ends the server as a crash would, with SIGKILL, for tests that prove what
// survives one. A later Start on the same Dir recovers.
func (s *Server) Kill() error {
	s.process.signal(syscall.SIGKILL)
	<-s.process.done
	s.stopOnce.Do(s.removeSocketDir)
	return nil
}

func (s *Server) removeSocketDir() {
	if s.socketDir != "" {
		_ = os.RemoveAll(s.socketDir)
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("the listener has no TCP address")
	}
	return addr.Port, nil
}

func readFile(path string) string {
	raw, _ := os.ReadFile(path)
	return string(raw)
}

// tail is what the server logged since its start, for the error of a failed one.
func tail(path string, from int64) string {
	raw, err := os.ReadFile(path)
	if err != nil || int64(len(raw)) < from {
		return ""
	}
	raw = bytes.TrimSpace(raw[from:])
	return string(raw[max(0, len(raw)-2000):])
}

func orOK(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}
