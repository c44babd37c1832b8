package store

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// AllowList is UPSTREAM_ALLOWED_HOSTS: what may be saved as a base URL over the
// API. Three shapes are understood: "*.ecomanager.dz" (every name below it),
// "api.maystro.com" (that name), both over https and its own port only, and
// "10.0.0.7:8443" (exactly that host and port, also over http and also inside a
// private network: the operator's own word).
type AllowList struct {
	suffixes []string
	hosts    map[string]bool
	exact    map[string]bool
}

// ParseAllowList reads the comma-separated list.
func ParseAllowList(text string) (AllowList, error) {
	list := AllowList{hosts: map[string]bool{}, exact: map[string]bool{}}
	for _, entry := range strings.Split(text, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		switch {
		case entry == "":
		case strings.HasPrefix(entry, "*."):
			if !hostName(entry[2:]) {
				return AllowList{}, fmt.Errorf("%q is no host pattern", entry)
			}
			list.suffixes = append(list.suffixes, entry[1:])
		case strings.Contains(entry, ":"):
			host, port, err := net.SplitHostPort(entry)
			if number, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || number == 0 {
				return AllowList{}, fmt.Errorf("%q is no host:port", entry)
			}
			list.exact[net.JoinHostPort(host, port)] = true
		default:
			if !hostName(entry) {
				return AllowList{}, fmt.Errorf("%q is no host name", entry)
			}
			list.hosts[entry] = true
		}
	}
	return list, nil
}

// Exact tells whether the operator has named exactly this "host:port". The dial
// guard lets such an address be private.
func (l AllowList) Exact(hostPort string) bool { return l.exact[strings.ToLower(hostPort)] }

// allows judges scheme, host and port of a parsed address.
func (l AllowList) allows(u *url.URL) bool {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	if l.Exact(net.JoinHostPort(host, port)) {
		return true
	}
	if u.Scheme != "https" || port != "443" {
		return false
	}
	if l.hosts[host] {
		return true
	}
	for _, suffix := range l.suffixes {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// hostName tells a dotted ASCII name from an address and from anything else. A
// name in another script must be written in its xn-- form: two that look alike
// would otherwise be one to the eye.
func hostName(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "" || len(host) > 253 {
		return false
	}
	for _, label := range strings.Split(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
				return false
			}
		}
	}
	return true
}
