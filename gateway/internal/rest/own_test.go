package rest

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

type systemBody struct {
	Gateway  struct{ Version string }
	Services []struct {
		Service   string
		Reachable bool
		Problem   string
		System    struct{ Version string }
	}
}

func TestTheSystemPageAsksEveryServiceAndSaysWhoIsDown(t *testing.T) {
	s := newSuite(t)
	s.servers["ecosync"].Stop()
	for _, path := range []string{"/api/v1/admin/system", "/api/admin/system"} {
		w := s.call(t, http.MethodGet, path, "", "Authorization", "Bearer admin")
		answered(t, w, http.StatusOK)
		var body systemBody
		must(t, json.Unmarshal(w.Body.Bytes(), &body))
		if body.Gateway.Version != "v9.9.9" || len(body.Services) != 3 {
			t.Fatalf("%s answers %s", path, w.Body)
		}
		for _, service := range body.Services {
			switch up := service.Service != "ecosync"; {
			case up && (!service.Reachable || service.System.Version != "v1" || service.Problem != ""):
				t.Errorf("%+v, want it described", service)
			case !up && (service.Reachable || service.Problem != "Unavailable"):
				t.Errorf("%+v, want it down", service)
			}
		}
	}
}

func TestTheSystemPageBelievesAServiceThatSaysNo(t *testing.T) {
	s := newSuite(t)
	refused(t, s.call(t, http.MethodGet, "/api/admin/system", "", "Authorization", "Bearer manager"), http.StatusForbidden, "PERMISSION_DENIED")
	refused(t, s.call(t, http.MethodGet, "/api/admin/system", ""), http.StatusUnauthorized, "TOKEN_MISSING")
}

func TestTheSystemPageShowsNothingWhenNobodyCanSayWhoAsks(t *testing.T) {
	s := newSuite(t)
	for _, server := range s.servers {
		server.Stop()
	}
	body := refused(t, s.call(t, http.MethodGet, "/api/admin/system", ""), http.StatusServiceUnavailable, "DEPENDENCY_UNAVAILABLE")
	if strings.Contains(body.Message, "v9.9.9") {
		t.Error("the version is told")
	}
}

func TestReadyIsALatchThatOpensOnceEveryServiceHasBeenReady(t *testing.T) {
	s := newSuite(t)
	s.health["orders"].SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	ready := func(status int, says string) {
		t.Helper()
		w := s.call(t, http.MethodGet, "/readyz", "")
		answered(t, w, status)
		if !strings.Contains(w.Body.String(), says) {
			t.Errorf("/readyz says %s, want %s", w.Body, says)
		}
	}
	ready(http.StatusServiceUnavailable, `"waitingFor":["ecosync","identity","orders"]`)
	done := make(chan string)
	for _, b := range s.backends {
		go func() {
			_ = s.ready.Watch(t.Context(), b)
			done <- b.Name
		}()
	}
	<-done
	<-done
	ready(http.StatusServiceUnavailable, `"waitingFor":["orders"]`)
	s.health["orders"].SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
	<-done
	ready(http.StatusOK, `"ready":true`)
	s.servers["orders"].Stop()
	ready(http.StatusOK, `"ready":true`) // its own paths say 503; the rest goes on
	s.ready.Drain()
	ready(http.StatusServiceUnavailable, `"draining":true`)
	answered(t, s.call(t, http.MethodGet, "/healthz", ""), http.StatusOK)
}

func TestWatchingAServiceEndsWithItsContext(t *testing.T) {
	s := newSuite(t)
	s.health["orders"].SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, b := range s.backends {
		must(t, s.ready.Watch(ctx, b))
	}
}

type openapi struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string   `json:"operationId"`
		Roles       []string `json:"x-roles"`
	}
}

func readOpenAPI(t *testing.T, s *suite) openapi {
	t.Helper()
	w := s.call(t, http.MethodGet, "/openapi.json", "")
	answered(t, w, http.StatusOK)
	var o openapi
	must(t, json.Unmarshal(w.Body.Bytes(), &o))
	return o
}

func TestEveryDocumentedPathIsServed(t *testing.T) {
	s := newSuite(t)
	for path, operations := range readOpenAPI(t, s).Paths {
		for method := range operations {
			w := s.call(t, strings.ToUpper(method), variable.ReplaceAllString(path, "12"), "")
			if w.Code == http.StatusMethodNotAllowed || w.Code == http.StatusNotFound && strings.Contains(w.Body.String(), "NO_SUCH_METHOD") {
				t.Errorf("%s %s is documented and answers %d", method, path, w.Code)
			}
			if strings.HasPrefix(path, "/api/v1/admin/") {
				alias := strings.Replace(path, "/api/v1/admin/", "/api/admin/", 1)
				if other := s.call(t, strings.ToUpper(method), alias, ""); other.Code != w.Code {
					t.Errorf("%s answers %d and %s %d", path, w.Code, alias, other.Code)
				}
			}
		}
	}
}

func TestEveryRPCWithAPathIsDocumented(t *testing.T) {
	document := readOpenAPI(t, newSuite(t))
	if !strings.HasPrefix(document.OpenAPI, "3.") {
		t.Errorf("OpenAPI version %q", document.OpenAPI)
	}
	documented := 0
	for _, service := range Services() {
		routes, err := contractRoutes(service.Contract)
		must(t, err)
		for _, r := range routes {
			if document.Paths[r.pattern][strings.ToLower(r.method)].OperationID == "" {
				t.Errorf("%s %s is not documented", r.method, r.pattern)
			}
			documented++
		}
		annotated := 0
		for i := range service.Contract.Services().Len() {
			for m := range service.Contract.Services().Get(i).Methods().Len() {
				if proto.HasExtension(service.Contract.Services().Get(i).Methods().Get(m).Options(), annotations.E_Http) {
					annotated++
				}
			}
		}
		if len(routes) < annotated {
			t.Errorf("%s: %d RPCs have a path and %d were found", service.Name, annotated, len(routes))
		}
	}
	if documented == 0 {
		t.Error("the contract has no paths at all")
	}
}

func TestPagesLoadNothingFromElsewhereAndHoldNoScript(t *testing.T) {
	s := newSuite(t)
	link := regexp.MustCompile(`(?:src|href)="([^"]*)"`)
	for _, page := range []string{"/", "/docs"} {
		w := s.call(t, http.MethodGet, page, "")
		answered(t, w, http.StatusOK)
		body := w.Body.String()
		if strings.Contains(body, "<style") || strings.Contains(body, "style=") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(body) || regexp.MustCompile(`\son\w+=`).MatchString(body) {
			t.Errorf("%s holds style or script of its own, which its policy forbids", page)
		}
		for _, match := range link.FindAllStringSubmatch(body, -1) {
			target := match[1]
			if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
				t.Errorf("%s links to %s", page, target)
				continue
			}
			if got := s.call(t, http.MethodGet, target, ""); got.Code != http.StatusOK && target != "/readyz" {
				t.Errorf("%s links to %s, which answers %d", page, target, got.Code)
			}
		}
	}
	must(t, fs.WalkDir(os.DirFS("pages"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile("pages/" + path)
		if url := regexp.MustCompile(`https?://[^"'\s]+`).FindString(string(body)); url != "" && url != "http://www.w3.org/2000/svg" {
			t.Errorf("pages/%s names %s", path, url)
		}
		return err
	}))
}

func TestTheLandingPageTellsTheVersion(t *testing.T) {
	if body := newSuite(t).call(t, http.MethodGet, "/", "").Body.String(); !strings.Contains(body, "v9.9.9") {
		t.Error("the version is missing")
	}
}

func TestLargeFilesAreCompressedForWhoCanReadThat(t *testing.T) {
	s := newSuite(t)
	plain := s.call(t, http.MethodGet, "/pages/swagger-ui-bundle.js", "")
	gzipped := s.call(t, http.MethodGet, "/pages/swagger-ui-bundle.js", "", "Accept-Encoding", "gzip, br")
	if plain.Header().Get("Content-Encoding") != "" || gzipped.Header().Get("Content-Encoding") != "gzip" || gzipped.Body.Len() > plain.Body.Len()/2 {
		t.Errorf("plain: %v, %d bytes; gzipped: %v, %d bytes", plain.Header(), plain.Body.Len(), gzipped.Header(), gzipped.Body.Len())
	}
	again := s.call(t, http.MethodGet, "/pages/landing.css", "", "If-None-Match", s.call(t, http.MethodGet, "/pages/landing.css", "").Header().Get("ETag"))
	answered(t, again, http.StatusNotModified)
}

func TestALineOfTheAccessLogSaysTheRouteAndNeverThePath(t *testing.T) {
	s := newSuite(t)
	s.clock.move(time.Second)
	answered(t, s.call(t, http.MethodGet, "/api/v1/orders/12", "", "Authorization", s.token(t, "agent-7"), "X-Request-Id", "r-77"), http.StatusOK)
	refused(t, s.call(t, http.MethodGet, "/secret-path/0550123456?q=0550123456", ""), http.StatusNotFound, "NO_SUCH_METHOD")
	refused(t, s.call(t, http.MethodGet, "/api/v1/orders?q=0550123456&colour=0550123456", ""), http.StatusBadRequest, "INVALID_REQUEST")
	lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines for 3 requests:\n%s", len(lines), s.log)
	}
	var line map[string]any
	must(t, json.Unmarshal([]byte(lines[0]), &line))
	for name, want := range map[string]any{"method": "GET", "route": "/api/v1/orders/{order_id}", "status": 200.0, "subject": "agent-7", "request_id": "r-77"} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
	if _, ok := line["ms"]; !ok {
		t.Error("the line does not say how long it took")
	}
	if strings.Contains(s.log.String(), "0550123456") || strings.Contains(s.log.String(), "secret-path") {
		t.Errorf("the log holds what a client wrote:\n%s", s.log)
	}
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	s := newSuite(t)
	for range 3 {
		s.call(t, http.MethodGet, "/api/v1/orders/12", "")
	}
	s.call(t, "BREW", "/somewhere/else", "")
	want := `
# HELP gateway_requests_total Requests answered, by route pattern, method and HTTP status.
# TYPE gateway_requests_total counter
gateway_requests_total{method="GET",route="/api/v1/orders/{order_id}",status="200"} 3
gateway_requests_total{method="other",route="unmatched",status="404"} 1
`
	must(t, testutil.GatherAndCompare(s.metrics, strings.NewReader(want), "gateway_requests_total"))
}

func TestTheLayersStandInTheirOrder(t *testing.T) {
	var names []string
	for _, l := range (&handler{access: &access{}}).layers() {
		names = append(names, l.name)
	}
	want := []string{"visit", "access log", "recover", "headers", "size", "alias", "origin", "rate", "deadline", "contract"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestAnswersOverARealServerAreNeverHTML(t *testing.T) {
	server := httptest.NewServer(newSuite(t).door)
	defer server.Close()
	answer, err := http.Get(server.URL + "/api//v1/orders")
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusNotFound || kind != "application/json" {
		t.Errorf("got %d %s", answer.StatusCode, kind)
	}
}
