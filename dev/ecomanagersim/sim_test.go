package ecomanagersim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// noon is the moment at which the test worlds stand.
var noon = time.Date(2026, 3, 10, 11, 0, 0, 0, time.UTC)

// twoTenants is the world of most tests: ids overlap, two shops each, one reference prefix in both tenants.
func twoTenants(orders int) Config {
	return Config{
		Seed: 7, Clock: func() time.Time { return noon },
		Tenants: []TenantConfig{
			{Name: "east", FirstID: 9400, Shops: []ShopConfig{
				{Name: "a", Prefix: "ALPHA", Orders: orders}, {Name: "b", Prefix: "BOTH", Orders: orders},
			}},
			{Name: "west", FirstID: 9500, Dialect: Masculine, Shops: []ShopConfig{
				{Name: "c", Prefix: "CHARL", Orders: orders}, {Name: "d", Prefix: "BOTH", Orders: orders},
			}},
		},
	}
}

func newServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// reply is a list answer as a client reads it.
type reply struct {
	Data []struct {
		ID        int64   `json:"id"`
		Reference string  `json:"reference"`
		UpdatedAt *string `json:"updated_at"`
	} `json:"data"`
	Links struct{ First, Last, Prev, Next *string } `json:"links"`
	Meta  struct {
		Path       string  `json:"path"`
		PerPage    int     `json:"per_page"`
		NextCursor *string `json:"next_cursor"`
		PrevCursor *string `json:"prev_cursor"`
	} `json:"meta"`
}

func (r reply) ids() []int64 {
	var ids []int64
	for _, o := range r.Data {
		ids = append(ids, o.ID)
	}
	return ids
}

// ask sends one request with a shop's token.
func ask(t testing.TB, s *Server, tenant, shop, pathAndQuery string) *http.Response {
	t.Helper()
	token, err := s.Token(tenant, shop)
	if err != nil {
		t.Fatal(err)
	}
	return send(s, "/"+tenant+apiRoot+pathAndQuery, http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/json"}})
}

func send(s *Server, path string, header http.Header) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "http://sim.test"+path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func read[T any](t testing.TB, resp *http.Response, status int) T {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if resp.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", resp.StatusCode, status, body)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

func list(t testing.TB, s *Server, tenant, shop, query string) reply {
	t.Helper()
	return read[reply](t, ask(t, s, tenant, shop, "/orders"+query), http.StatusOK)
}
