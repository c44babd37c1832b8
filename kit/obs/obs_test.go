package obs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type customer struct {
	Name     string `json:"name"`
	Phone    string `json:"phone"`
	APIToken string `json:"apiToken"`
	Orders   int64  `json:"orders"`
}

func TestNoSecretAndNoTelephoneNumberReachesTheLog(t *testing.T) {
	var out bytes.Buffer
	log := obs.NewLogger(&out, "orders", "v1", slog.LevelDebug)
	const secret, letters = "hunter2hunter2", "qwertyuiopasdfghjklzxcvbnm"
	log.Info("calling 0661 23 45 67 with Bearer "+letters,
		"password", secret,
		"apiToken", []byte(secret),
		"error", fmt.Errorf("GET https://shop.example/?api_key=%s: %w", secret, errors.New("to +213 661 23 45 67")),
		"customer", customer{Name: "Amine", Phone: "0661234567", APIToken: secret, Orders: 3},
		"pointer", &customer{Phone: "0661234567", APIToken: secret},
		"map", map[string]any{"authorization": "Bearer " + letters, "list": []string{"0661234567"}},
		"telephone", 661234567,
		"configured", conf.Secret(secret),
		slog.Group("credentials", "value", secret),
		slog.Group("request", "token", secret, "note", "tel 0661234567"),
	)
	log.With("refresh_token", secret).WithGroup("deep").Warn("again", "secret", secret, "phone", "٠٦٦١٢٣٤٥٦٧")
	for _, leak := range []string{secret, letters, "23 45", "2345", "٢٣٤٥"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in the log: %s", leak, &out)
		}
	}
	for _, kept := range []string{"67", "٦٧", "Amine", `"orders":3`, "shop.example"} {
		if !strings.Contains(out.String(), kept) {
			t.Errorf("%q is not in the log: %s", kept, &out)
		}
	}
}

func TestALineIsJSONAndKeepsIdsTimesAndDurations(t *testing.T) {
	var out bytes.Buffer
	obs.NewLogger(&out, "orders", "v1", slog.LevelInfo).Info("served",
		"order_id", "661234567", "took", 1500*time.Millisecond, "at", time.Date(2026, 11, 23, 5, 6, 7, 0, time.UTC),
		"request_id", "0661234567", "count", 661234567, "ok", true, "user", "0190b5c3-0661-7234-8567-0a1b2c3d4e5f", "none", nil)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "time")
	want := map[string]any{
		"level": "INFO", "msg": "served", "service": "orders", "version": "v1", "order_id": "661234567", "took": 1.5e9, "at": "2026-11-23T05:06:07Z",
		"request_id": "0661234567", "count": 661234567.0, "ok": true, "user": "0190b5c3-0661-7234-8567-0a1b2c3d4e5f", "none": nil,
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Error(diff)
	}
}

func TestLinesBelowTheLevelAreNotWritten(t *testing.T) {
	var out bytes.Buffer
	obs.NewLogger(&out, "orders", "v1", slog.LevelWarn).Info("chatter")
	if out.Len() != 0 {
		t.Error(out.String())
	}
}

func TestTheRequestIDTravelsInTheContext(t *testing.T) {
	if id := obs.RequestID(t.Context()); id != "" {
		t.Errorf("outside of a request it is %q", id)
	}
	if id := obs.RequestID(obs.WithRequestID(t.Context(), "req-1")); id != "req-1" {
		t.Errorf("it is %q; want req-1", id)
	}
}

// get answers status and body of a path of the admin port.
func get(t *testing.T, addr, path string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestTheAdminPortTellsAliveReadyAndMetrics(t *testing.T) {
	var g run.Group
	o := obs.New(io.Discard, "orders", slog.LevelInfo)
	addr := freeAddr(t)
	var unready error = errors.New("dial postgres://app:hunter2@db/shop: refused")
	draining, drained := make(chan struct{}), make(chan struct{})
	if err := obs.ServeAdmin(&g, addr, o.Metrics, func(context.Context) error { return unready }); err != nil {
		t.Fatal(err)
	}
	g.OnStop("server", func(context.Context) error { close(draining); <-drained; return nil })

	if code, _ := get(t, addr, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz answers %d", code)
	}
	if code, body := get(t, addr, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "refused") || strings.Contains(body, "hunter2") {
		t.Errorf("/readyz answers %d %s", code, body)
	}
	unready = nil
	if code, _ := get(t, addr, "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz answers %d", code)
	}
	if code, body := get(t, addr, "/metrics"); code != http.StatusOK || !strings.Contains(body, "go_goroutines") || !strings.Contains(body, `build_info{service="orders"`) {
		t.Errorf("/metrics answers %d", code)
	}
	if code, _ := get(t, addr, "/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("an unknown path answers %d", code)
	}

	go func() { _ = g.Stop() }()
	<-draining
	if code, body := get(t, addr, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "stopping") {
		t.Errorf("while draining /readyz answers %d %s", code, body)
	}
	if code, _ := get(t, addr, "/healthz"); code != http.StatusOK {
		t.Errorf("while draining /healthz answers %d", code)
	}
	close(drained)
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAnAdminPortThatIsTakenIsAFaultAtStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var g run.Group
	err = obs.ServeAdmin(&g, l.Addr().String(), prometheus.NewRegistry(), func(context.Context) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "ADMIN_ADDR") {
		t.Errorf("answered %v", err)
	}
}

func TestTracingIsOffUnlessACollectorIsNamed(t *testing.T) {
	var g run.Group
	defer func() { _ = g.Stop() }()
	o, err := obs.Start(&g, "orders", conf.Service{})
	if err != nil {
		t.Fatal(err)
	}
	_, span := o.Tracer.Tracer("test").Start(t.Context(), "nothing")
	if span.IsRecording() {
		t.Error("a span is recorded")
	}

	for endpoint, want := range map[string]string{"http://127.0.0.1:1": "", "collector:4317": "is not a URL"} {
		traced, err := obs.Start(&g, "orders", conf.Service{Process: conf.Process{OTLPEndpoint: endpoint}})
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", endpoint, err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, span := traced.Tracer.Tracer("test").Start(t.Context(), "something")
		if !span.IsRecording() { // never ended, so that nothing waits for the collector
			t.Error("no span is recorded")
		}
	}
}
