package store

import (
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// apiRoot is where the shop API lives below its host (upstream contract 1.1).
const apiRoot = "/api/shop/v2"

// BaseURL is a normalised API root, like "https://demo.ecomanager.dz/api/shop/v2".
// It is made once, when a store is saved; nothing ever appends to it again
// (lesson P6: the predecessor normalised on some paths only, and one store was
// pulled from another tenant's host).
type BaseURL struct {
	root   string
	tenant string
}

// URLError says what is wrong with a typed address.
type URLError struct{ Reason string }

func (e *URLError) Error() string { return "base URL: " + e.Reason }

// NormaliseBaseURL takes what a person pasted, the bare host, the root or the
// address of the order list, and makes the API root of it.
func NormaliseBaseURL(pasted string, allowed AllowList) (BaseURL, error) {
	text := strings.TrimSpace(pasted)
	if text == "" {
		return BaseURL{}, &URLError{"is empty"}
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return BaseURL{}, &URLError{"is no address"}
	}
	u.Scheme = strings.ToLower(u.Scheme)
	u.Host = strings.ToLower(u.Host)
	host := strings.TrimSuffix(u.Hostname(), ".")
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return BaseURL{}, &URLError{"begins with neither https nor http"}
	case u.User != nil:
		return BaseURL{}, &URLError{"carries a user name; the token has its own field"}
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return BaseURL{}, &URLError{"carries parameters; paste the host or the API root"}
	case !hostName(host) && !address(host):
		return BaseURL{}, &URLError{"names no host"}
	case u.RawPath != "" || strings.ContainsAny(u.Path, "\\%;"):
		return BaseURL{}, &URLError{"has an unusual path; paste the host or the API root"}
	}
	if u.Port() == "" {
		u.Host = strings.TrimSuffix(u.Host, ".")
	}
	if u.Scheme == "https" {
		u.Host = strings.TrimSuffix(u.Host, ":443")
	}
	if !allowed.allows(u) {
		return BaseURL{}, ErrURLNotAllowed
	}
	prefix := path.Clean("/" + u.Path)
	prefix = strings.TrimSuffix(prefix, "/orders")
	prefix = strings.TrimSuffix(prefix, apiRoot)
	prefix = strings.TrimSuffix(prefix, "/")
	tenant := u.Host + prefix
	return BaseURL{root: u.Scheme + "://" + tenant + apiRoot, tenant: tenant}, nil
}

func address(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// String is the API root, without a slash at its end.
func (b BaseURL) String() string { return b.root }

// Tenant is what tells two EcoManager accounts apart: the host, and the path in
// front of the API root where there is one. Order numbers are unique inside it
// only (lesson P5).
func (b BaseURL) Tenant() string { return b.tenant }
