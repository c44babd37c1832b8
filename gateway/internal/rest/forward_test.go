package rest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
)

// What gRPC itself writes into the metadata of every call.
var transportKeys = []string{":authority", "content-type", "user-agent", "grpc-accept-encoding", "grpc-timeout"}

func ownKeys(md metadata.MD) (keys []string) {
	for key := range md {
		if !slices.Contains(transportKeys, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func TestOnlyFiveThingsOfARequestReachAService(t *testing.T) {
	s := newSuite(t)
	r := httptest.NewRequest(http.MethodGet, "/api/v1/orders/12", nil)
	r.RemoteAddr = "203.0.113.9:5555"
	for _, pair := range [][2]string{
		{"Authorization", "Bearer token"},
		{"Idempotency-Key", "key-1"},
		{"X-Request-Id", "req-1"},
		{"User-Agent", "curl/8"},
		{"Grpc-Metadata-Role", "ADMIN"},
		{"Grpc-Metadata-Authorization", "Bearer other"},
		{"Grpc-Metadata-X-Client-Address", "1.1.1.1"},
		{"X-Client-Address", "1.1.1.1"},
		{"X-Forwarded-For", "1.1.1.1"},
		{"X-Forwarded-Host", "evil"},
		{"X-Refresh-Cookie", "t"},
		{"Cookie", "refresh_token=t"},
		{"X-Role", "ADMIN"},
		{"Grpcgateway-Authorization", "x"},
		{"Te", "trailers"},
		{"Grpc-Timeout", "99H"},
	} {
		r.Header.Add(pair[0], pair[1])
	}
	answered(t, s.do(r), http.StatusOK)
	_, md := s.orders.last()
	if got, want := ownKeys(md), []string{"authorization", "idempotency-key", "x-client-address", "x-client-agent", "x-request-id"}; !slices.Equal(got, want) {
		t.Errorf("metadata keys %q, want %q", got, want)
	}
	for key, want := range map[string]string{
		"authorization": "Bearer token", "idempotency-key": "key-1", "x-request-id": "req-1", "x-client-address": "203.0.113.9",
		"x-client-agent": "curl/8",
	} {
		if got := md.Get(key); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestAServiceLearnsTheClientsProgramAndNotTheGateways(t *testing.T) {
	s := newSuite(t)
	for given, want := range map[string][]string{
		"Mozilla/5.0 (Android 15)": {"Mozilla/5.0 (Android 15)"},
		strings.Repeat("x", 300):   {strings.Repeat("x", 256)},
		"caf\u00e9\x00 1.0":        {"caf 1.0"},
		"":                         nil,
	} {
		answered(t, s.call(t, http.MethodGet, "/api/v1/orders/12", "", "User-Agent", given, "X-Client-Agent", "forged"), http.StatusOK)
		if _, md := s.orders.last(); !slices.Equal(md.Get("x-client-agent"), want) {
			t.Errorf("%q reached the service as %q, want %q", given, md.Get("x-client-agent"), want)
		}
	}
}

func TestABadIdempotencyKeyIsRefusedAndNotDropped(t *testing.T) {
	s := newSuite(t)
	for name, keys := range map[string][]string{
		"no ASCII": {"clé"}, "a control character": {"a\tb"}, "too long": {strings.Repeat("k", 65)}, "empty": {""}, "two of them": {"a", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/orders/12:changeStatus", nil)
			r.Header["Idempotency-Key"] = keys
			refused(t, s.do(r), http.StatusBadRequest, "INVALID_REQUEST")
		})
	}
	if s.orders.calls != 0 {
		t.Error("the service was asked all the same")
	}
	answered(t, s.call(t, http.MethodPost, "/api/v1/orders/12:changeStatus", "", "Idempotency-Key", strings.Repeat("~", 64)), http.StatusOK)
}

func TestNothingOfAServicesMetadataReachesTheClient(t *testing.T) {
	s := newSuite(t)
	w := s.call(t, http.MethodGet, "/api/v1/orders/12", "")
	for name := range w.Header() {
		if strings.HasPrefix(name, "Grpc-") || name == "Trailer" {
			t.Errorf("the answer has the header %s", name)
		}
	}
}

func TestEveryCallHasADeadline(t *testing.T) {
	s := newSuite(t)
	answered(t, s.call(t, http.MethodGet, "/api/v1/orders/12", "", "Grpc-Timeout", "99H"), http.StatusOK)
	if left := time.Until(s.orders.deadline); s.orders.deadline.IsZero() || left > deadline {
		t.Errorf("the service had %v, want at most %v", left, deadline)
	}
}

func TestARequestIDIsTakenOverOnlyWhenItIsPlain(t *testing.T) {
	s := newSuite(t)
	for given, kept := range map[string]bool{
		"req-1": true, "a:b": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false,
		"a b": false, "a\"b": false, "é": false, "": false,
	} {
		got := s.call(t, http.MethodGet, "/healthz", "", "X-Request-Id", given).Header().Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("given %q, answered %q, want it kept: %v", given, got, kept)
		}
	}
}

func TestTheClientAddressIsWhatTrustedProxiesSay(t *testing.T) {
	s := newSuite(t) // trusts 10.0.0.0/8
	for name, c := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"nobody between":                      {"203.0.113.9:1", nil, "203.0.113.9"},
		"a stranger's claim":                  {"203.0.113.9:1", []string{"1.1.1.1"}, "203.0.113.9"},
		"one proxy":                           {"10.0.0.1:1", []string{"198.51.100.7"}, "198.51.100.7"},
		"a proxy that wrote a port":           {"10.0.0.1:1", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		"a claim passed on by the proxy":      {"10.0.0.1:1", []string{"1.1.1.1, 198.51.100.7"}, "198.51.100.7"},
		"two proxies":                         {"10.0.0.1:1", []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"two proxies, two headers":            {"10.0.0.1:1", []string{"198.51.100.7", "10.0.0.2"}, "198.51.100.7"},
		"an unreadable entry":                 {"10.0.0.1:1", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		"only proxies":                        {"10.0.0.1:1", []string{"10.0.0.3"}, "10.0.0.3"},
		"a proxy without the header":          {"10.0.0.1:1", nil, "10.0.0.1"},
		"an IPv6 client":                      {"10.0.0.1:1", []string{"2001:db8::1"}, "2001:db8::1"},
		"an IPv4 address in IPv6":             {"[::ffff:10.0.0.1]:1", []string{"198.51.100.7"}, "198.51.100.7"},
		"a link-local address with its zone":  {"[fe80::1%eth0]:1", nil, "fe80::1"},
		"a connection without an IP (a pipe)": {"@", []string{"1.1.1.1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/api/v1/orders/12", nil)
			r.RemoteAddr = c.remote
			r.Header["X-Forwarded-For"] = c.forwarded
			answered(t, s.do(r), http.StatusOK)
			_, md := s.orders.last()
			if got := strings.Join(md.Get("x-client-address"), ","); got != c.want {
				t.Errorf("the service saw %q, want %q", got, c.want)
			}
		})
	}
}

func TestUnreadableProxiesAreNamed(t *testing.T) {
	trusted, unreadable := ParseProxies([]string{"10.1.2.3/8", " 192.0.2.7 ", "", "2001:db8::/32", "everybody"})
	if len(trusted) != 3 || trusted[0].String() != "10.0.0.0/8" || trusted[1].String() != "192.0.2.7/32" {
		t.Errorf("trusted: %v", trusted)
	}
	if !slices.Equal(unreadable, []string{"everybody"}) {
		t.Errorf("unreadable: %q", unreadable)
	}
}
