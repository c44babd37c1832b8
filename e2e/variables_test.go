package e2e

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestEveryServiceStartsWithTheFiveVariablesOfTheOriginalDocumentation gives each service exactly these five, as printed there, the parameters of
// Prisma in DATABASE_URL included, and nothing else: not even a PATH.
func TestEveryServiceStartsWithTheFiveVariablesOfTheOriginalDocumentation(t *testing.T) {
	s := business(t)
	// A database of their own: they make their own keys, which do not open what the business has sealed with its.
	if _, err := s.db.Exec(t.Context(), `CREATE DATABASE five_variables`); err != nil {
		t.Fatal(err)
	}
	database, err := url.Parse(s.stack.DatabaseURL())
	if err != nil {
		t.Fatal(err)
	}
	database.Path = "/five_variables"
	query := database.Query()
	for name, value := range map[string]string{"schema": "public", "connection_limit": "40", "pool_timeout": "20", "pgbouncer": "true"} {
		query.Set(name, value)
	}
	database.RawQuery = query.Encode()
	five := []string{
		"DATABASE_URL=" + database.String(),
		"REDIS_URL=" + s.stack.RedisURL(),
		"MAYSTRO_API_KEY=an-invented-courier-key",
		"MAYSTRO_BASE_URL=https://backend.maystro-delivery.com",
		"ENABLE_SCHEDULER=true",
	}
	for service, admin := range map[string]string{"identity": "127.0.0.1:8101", "orders": "127.0.0.1:8102", "ecosync": "127.0.0.1:8103"} {
		t.Run(service, func(t *testing.T) {
			if listener, err := net.Listen("tcp", admin); err != nil {
				t.Skipf("%v: the documented ports are in use on this machine", err)
			} else {
				_ = listener.Close()
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var output bytes.Buffer
			program := exec.CommandContext(ctx, filepath.Join(s.dir, "bin", service))
			program.Env, program.Dir, program.Stdout, program.Stderr = five, t.TempDir(), &output, &output
			program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			ready := waitReady(ctx, "http://"+admin+"/readyz")
			_ = program.Process.Signal(syscall.SIGTERM)
			if err := program.Wait(); err != nil || !ready {
				t.Fatalf("ready %v, ended with %v:\n%s", ready, err, output.Bytes())
			}
			if !strings.Contains(output.String(), "connection_limit") {
				t.Errorf("it does not say that it dropped Prisma's parameters:\n%s", output.Bytes())
			}
			if strings.Contains(output.String(), "an-invented-courier-key") {
				t.Errorf("it prints the courier's key:\n%s", output.Bytes())
			}
		})
	}
}

// waitReady asks until the answer is 200 or the time is over.
func waitReady(ctx context.Context, url string) bool {
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return false
		}
		if resp, err := http.DefaultClient.Do(r); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false
}
