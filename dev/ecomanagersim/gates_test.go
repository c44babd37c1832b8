package ecomanagersim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryRefusalHasTheVendorsShape(t *testing.T) {
	s := newServer(t, twoTenants(5))
	a, _ := s.Token("east", "a")
	old := a
	a, err := s.RegenerateToken("east", "a")
	if err != nil {
		t.Fatal(err)
	}
	orders, _ := s.Orders("east", "b")
	header := func(token string) http.Header {
		return http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/json"}}
	}
	for _, c := range []struct {
		name, path string
		header     http.Header
		status     int
		body       string
	}{
		{"no token", "/east/api/shop/v2/orders", http.Header{"Accept": {"application/json"}}, 401, `{"message":"Unauthenticated."}`},
		{"unknown token", "/east/api/shop/v2/orders", header("nobody"), 401, `{"message":"Unauthenticated."}`},
		{"token of another tenant", "/west/api/shop/v2/orders", header(a), 401, `{"message":"Unauthenticated."}`},
		{"regenerated token", "/east/api/shop/v2/orders", header(old), 403, `{"message":"This token has expired or has been regenerated."}`},
		{
			"order of another shop", "/east/api/shop/v2/orders/" + decimal(orders[0].ID), header(a), 404,
			`{"message":"No query results for model [App\\Models\\Order] ` + decimal(orders[0].ID) + `"}`,
		},
		{"no such route", "/east/api/shop/v2/parcels", header(a), 404, `{"message":"The route api/shop/v2/parcels could not be found."}`},
		{"no such tenant", "/north/api/shop/v2/orders", header(a), 404, "<!DOCTYPE html>"},
		{"not asking for JSON", "/east/api/shop/v2/orders", http.Header{"Authorization": {"Bearer " + a}}, 302, "<!DOCTYPE html>"},
		{"asking for JSON", "/east/api/shop/v2/orders", header(a), 200, `{"data":[`},
	} {
		resp := send(s, c.path, c.header)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != c.status || !strings.HasPrefix(string(body), c.body) {
			t.Errorf("%s: %d %s, want %d %s", c.name, resp.StatusCode, body, c.status, c.body)
		}
		if got, want := resp.Header.Get("Date"), noon.Format(http.TimeFormat); got != want {
			t.Errorf("%s: Date %q, want the simulator's clock %q", c.name, got, want)
		}
	}
}

func TestATenantIsAlsoAVirtualHost(t *testing.T) {
	s := newServer(t, twoTenants(5))
	token, _ := s.Token("west", "c")
	r := httptest.NewRequest(http.MethodGet, "http://west.sim.test:9999/api/shop/v2/orders", nil)
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/json"}}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	got := read[reply](t, w.Result(), http.StatusOK)
	if len(got.Data) != 5 || got.Meta.Path != "http://west.sim.test:9999/api/shop/v2/orders" {
		t.Errorf("%d orders at %s", len(got.Data), got.Meta.Path)
	}
}

func TestRequestsAreCountedByShop(t *testing.T) {
	s := newServer(t, twoTenants(30))
	list(t, s, "east", "a", "?per_page=10")
	list(t, s, "east", "a", "?per_page=5")
	ask(t, s, "west", "d", "/orders/1")
	send(s, "/east/api/shop/v2/orders", http.Header{"Accept": {"application/json"}})
	got, strays := s.Requests()
	want := []RequestCount{
		{Tenant: "east", Shop: "a", Total: 2, Lists: 2, Rows: 15},
		{Tenant: "east", Shop: "b"},
		{Tenant: "west", Shop: "c"},
		{Tenant: "west", Shop: "d", Total: 1, Reads: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" || strays != 1 {
		t.Errorf("%d strays; %s", strays, diff)
	}
	s.ResetRequests()
	if got, strays := s.Requests(); got[0].Total != 0 || strays != 0 {
		t.Error("a reset left counts behind")
	}
}

func TestTheControlDoorDoesOverHTTPWhatTheMethodsDo(t *testing.T) {
	s := newServer(t, twoTenants(5))
	control := func(method, path, body string, status int) []byte {
		t.Helper()
		r := httptest.NewRequest(method, "http://sim.test/control"+path, bytes.NewBufferString(body))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != status {
			t.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
		}
		return w.Body.Bytes()
	}
	var added orderList
	if err := json.Unmarshal(control("POST", "/tenants/east/shops/a/orders", `{"count":3,"change":{"stage":"DISPATCH"}}`, 201), &added); err != nil {
		t.Fatal(err)
	}
	if len(added.Orders) != 3 || added.Orders[2].State != "En dispatch" {
		t.Fatalf("added %+v", added)
	}
	one := "/tenants/east/orders/" + decimal(added.Orders[0].ID)
	var changed Order
	if err := json.Unmarshal(control("PATCH", one, `{"state":"Livrée","untouched":true,"phone":"+213 (0)661 22 33 44"}`, 200), &changed); err != nil {
		t.Fatal(err)
	}
	if changed.Stage != Delivered || changed.PhoneE164 != "+213661223344" || !changed.UpdatedAt.Equal(added.Orders[0].UpdatedAt) {
		t.Errorf("changed to %+v", changed)
	}
	control("DELETE", one, "", 204)
	control("GET", one, "", 404)
	control("PATCH", "/tenants/east/orders/x", `{}`, 400)
	control("PATCH", "/tenants/east/orders/1", `{"colour":"red"}`, 400)
	control("POST", "/tenants/north/shops/a/orders", `{}`, 404)
	control("PUT", "/engine", `{"running":true,"speed":-1}`, 400)
	control("PUT", "/dirt", `{"nullConfirmator":2}`, 400)
	control("PUT", "/dirt", `{"nullConfirmator":1}`, 200)
	control("POST", "/engine/advance", `{"by":"24h"}`, 200)
	control("GET", "", "", 200)
	control("GET", "/nothing", "", 404)
	var list orderList
	if err := json.Unmarshal(control("GET", "/tenants/east/shops/a/orders?limit=4", "", 200), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Orders) != 4 || list.Next != list.Orders[3].ID {
		t.Errorf("the first page of the truth has %d orders and goes on after %d", len(list.Orders), list.Next)
	}
}
