package dialguard_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/dialguard"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

func TestOnlyPublicAddressesPass(t *testing.T) {
	for address, public := range map[string]bool{
		"105.96.0.1": true, "8.8.8.8": true, "2a00:1450:4007::1": true,
		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "::1": false, "::": false,
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false, "fec0::1": false,
		"100.64.0.1": false, "198.18.0.1": false, "192.0.2.1": false, "203.0.113.9": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "ff02::1": false, "2001:db8::1": false,
		// IPv4 in other clothes.
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true,
		"64:ff9b::7f00:1": false, "64:ff9b::808:808": true, "2002:7f00:1::1": false, "2002:a00:1::1": false,
		"::7f00:1": false, "::a00:1": false, "3fff::1": false,
	} {
		if got := dialguard.Public(netip.MustParseAddr(address)); got != public {
			t.Errorf("Public(%s) = %t", address, got)
		}
	}
}

func TestALoopbackServerIsReachedOnlyWhenExactlyItsHostAndPortAreAllowed(t *testing.T) {
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer server.Close()
	hostPort := strings.TrimPrefix(server.URL, "http://")
	byName := "localhost:" + hostPort[strings.LastIndexByte(hostPort, ':')+1:]

	get := func(allowed, url string) error {
		tr := dialguard.New(func(address string) bool { return address == allowed })
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get(url)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	for name, refused := range map[string]error{
		"nothing is allowed":        get("", server.URL),
		"a name that resolves here": get("", "http://"+byName),
		"another port is allowed":   get("127.0.0.1:1", server.URL),
	} {
		if !errors.Is(refused, dialguard.ErrPrivate) || shop.ClassOf(refused) != shop.Blocked {
			t.Errorf("%s: %v", name, refused)
		}
	}
	if reached != 0 {
		t.Fatal("a refused connection reached the server")
	}
	if err := get(hostPort, server.URL); err != nil || reached != 1 {
		t.Errorf("exactly allowed: %v", err)
	}
}

func TestAProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	if dialguard.New(func(string) bool { return false }).Proxy != nil {
		t.Error("behind a proxy the guard would judge the proxy")
	}
}
