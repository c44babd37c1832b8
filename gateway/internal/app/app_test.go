package app

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/run"
)

// freeAddr answers an address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// startService is a service of which only its health matters.
func startService(t *testing.T, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestTheGatewayStartsWithEveryServiceDownAndStopsInOrder(t *testing.T) {
	addrs := map[string]string{}
	for _, name := range []string{"GATEWAY_ADDR", "ADMIN_ADDR", "IDENTITY_ADDR", "ORDERS_ADDR", "ECOSYNC_ADDR"} {
		addrs[name] = freeAddr(t)
	}
	var environ []string
	for name, addr := range addrs {
		environ = append(environ, name+"="+addr)
	}
	cfg, _, err := conf.Load[Config](environ)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "ecosync at "+addrs["ECOSYNC_ADDR"]) {
		t.Errorf("--check with every service down says: %v", err)
	}
	g := &run.Group{}
	if err := New(t.Context(), cfg, g); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Stop() }()
	base := "http://" + addrs["GATEWAY_ADDR"]
	if code, body := get(t, base+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz answers %d %s", code, body)
	}
	if code, body := get(t, base+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "orders") {
		t.Errorf("/readyz answers %d %s", code, body)
	}
	if code, body := get(t, base+"/api/v1/wilayas"); code != http.StatusServiceUnavailable || !strings.Contains(body, "DEPENDENCY_UNAVAILABLE") {
		t.Errorf("a path of a service that is down answers %d %s", code, body)
	}
	if code, body := get(t, "http://"+addrs["ADMIN_ADDR"]+"/metrics"); code != http.StatusOK || !strings.Contains(body, `gateway_requests_total{method="GET",route="/api/v1/wilayas",status="503"} 1`) {
		t.Errorf("/metrics answers %d %s", code, body)
	}

	for _, name := range []string{"IDENTITY_ADDR", "ORDERS_ADDR", "ECOSYNC_ADDR"} {
		startService(t, addrs[name])
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ready := false; !ready; { // the connections back off on their own clock
		code, body := get(t, base+"/readyz")
		ready = code == http.StatusOK
		select {
		case <-ctx.Done():
			t.Fatalf("still not ready: %d %s", code, body)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err := Check(t.Context(), cfg); err != nil {
		t.Errorf("--check with every service up says: %v", err)
	}
	if err := g.Stop(); err != nil {
		t.Errorf("the stop says: %v", err)
	}
	if _, err := net.Dial("tcp", addrs["GATEWAY_ADDR"]); err == nil {
		t.Error("the port is still open after the stop")
	}
}
