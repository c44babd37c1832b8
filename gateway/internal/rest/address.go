package rest

import (
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the addresses whose X-Forwarded-For is believed. From anybody else the header is a stranger's claim.
type proxies []netip.Prefix

// ParseProxies reads addresses and networks: "10.0.0.0/8", "192.0.2.7". It answers what it could not read.
func ParseProxies(list []string) (trusted []netip.Prefix, unreadable []string) {
	for _, text := range list {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		if network, err := netip.ParsePrefix(text); err == nil {
			trusted = append(trusted, network.Masked())
		} else if address, err := netip.ParseAddr(text); err == nil {
			trusted = append(trusted, netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()))
		} else {
			unreadable = append(unreadable, text)
		}
	}
	return trusted, unreadable
}

func (p proxies) trust(address netip.Addr) bool {
	for _, network := range p {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// client is the address of the client: the other end of the connection, or, as long as that is a trusted proxy, the one
// it says it was called by. The zero Addr when the connection has no IP address.
func (p proxies) client(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := remote.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trust(address); i-- { // the nearest proxy wrote last
		hop, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		address = hop
	}
	return address.WithZone("")
}

// parseHop reads an entry of X-Forwarded-For; some proxies write the port too.
func parseHop(text string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap(), true
	}
	withPort, err := netip.ParseAddrPort(text)
	return withPort.Addr().Unmap(), err == nil
}
