// Package dialguard refuses connections into our own network.
//
// A store's base URL is typed by a person and a shop's name is answered by a
// foreign name server; either could point at a database, a metadata service or
// this machine. A check of the name alone could be tricked by a name that
// changes its address between check and use, so the guard judges the address
// the socket is about to connect to. It owns nothing but this judgement; which
// host names may be saved is the business of internal/store. Start reading at
// New.
package dialguard

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// ErrPrivate is the reason inside the fault of a refused connection.
var ErrPrivate = errors.New("the address lies in a private, loopback or link-local network")

// New makes a transport that connects to public addresses only. exact says of a
// "host:port", as it stands in the URL, whether the operator has named exactly
// it; such a one may be anywhere.
func New(exact func(hostPort string) bool) *http.Transport {
	free := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	guarded := *free
	guarded.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return judge(address)
	}
	return &http.Transport{
		// No proxy from the environment: behind one, the guard would judge the
		// proxy's address and let everything pass.
		Proxy: nil,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if exact(address) {
				return free.DialContext(ctx, network, address)
			}
			return guarded.DialContext(ctx, network, address)
		},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// judge refuses an address, given as "ip:port", unless it is public.
func judge(address string) error {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil || !Public(parsed.Addr()) {
		return shop.NewFault(shop.Blocked, 0, ErrPrivate)
	}
	return nil
}

// special are the ranges that netip has no word for (IANA special-purpose
// registries): none of them holds a shop.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), // IPv4-compatible, deprecated
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("3fff::/20"), // documentation
	netip.MustParsePrefix("fec0::/10"),
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	sixToIV = netip.MustParsePrefix("2002::/16")
)

// Public tells whether an address belongs to the open internet. An IPv4 address
// in IPv6 clothes (mapped, NAT64, 6to4) is judged as what it is.
func Public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if b := a.As16(); a.Is6() {
		switch {
		case nat64.Contains(a):
			return Public(netip.AddrFrom4([4]byte(b[12:16])))
		case sixToIV.Contains(a):
			return Public(netip.AddrFrom4([4]byte(b[2:6])))
		}
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		// Not global unicast: unspecified, loopback, multicast, link-local.
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
