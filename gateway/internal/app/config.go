package app

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/libertaphonix/libertaphonix/gateway/internal/rest"
	"github.com/libertaphonix/libertaphonix/kit/conf"
)

// Config is what the gateway reads from the environment. It embeds conf.Process, not conf.Service: the door holds no
// database and no key, so that what it does not know cannot be stolen from it.
type Config struct {
	conf.Process

	GatewayAddr    string   `env:"GATEWAY_ADDR" envDefault:"127.0.0.1:8080" doc:"where the gateway listens for HTTP"`
	GatewayTLS     bool     `env:"GATEWAY_TLS" envDefault:"false" doc:"serve HTTPS with TLS_CERT_FILE; false leaves that to a proxy in front"`
	PublicBaseURL  string   `env:"PUBLIC_BASE_URL" doc:"how people and shops reach the gateway, e.g. https://office.example.dz; decides origins, cookies and webhook addresses; default: its own address"`
	TrustedProxies []string `env:"TRUSTED_PROXIES" doc:"addresses and networks of proxies whose X-Forwarded-For is believed, separated by commas"`
}

// adminOffset is how far above its own port a process serves health and metrics, as in conf.
const adminOffset = 1000

// Validate reports what no single variable shows.
func (c *Config) Validate() []error {
	var faults []error
	if _, port, err := c.listen(); err != nil || port > 65535-adminOffset {
		faults = append(faults, conf.Fault{
			Variable: "GATEWAY_ADDR", Problem: fmt.Sprintf("%q is not host:port with a port up to %d", c.GatewayAddr, 65535-adminOffset),
			Remedy: "write it like 127.0.0.1:8080",
		})
	}
	if c.GatewayTLS && c.TLSCertFile == "" {
		faults = append(faults, conf.Fault{Variable: "GATEWAY_TLS", Problem: "needs a certificate", Remedy: "set TLS_CERT_FILE and TLS_KEY_FILE too"})
	}
	if c.PublicBaseURL != "" {
		if _, err := parseBaseURL(c.PublicBaseURL); err != nil {
			faults = append(faults, conf.Fault{Variable: "PUBLIC_BASE_URL", Problem: err.Error(), Remedy: "write it like https://office.example.dz, without a path"})
		}
	}
	if _, unreadable := rest.ParseProxies(c.TrustedProxies); len(unreadable) > 0 {
		faults = append(faults, conf.Fault{
			Variable: "TRUSTED_PROXIES", Problem: fmt.Sprintf("%q is neither an address nor a network", strings.Join(unreadable, ",")),
			Remedy: "write it like 10.0.0.0/8,192.0.2.7",
		})
	}
	return faults
}

// publicBaseURL is how the outside reaches the gateway; by default the address it listens at, which suits one machine.
func (c *Config) publicBaseURL() (*url.URL, error) {
	if c.PublicBaseURL != "" {
		return parseBaseURL(c.PublicBaseURL)
	}
	host, port, err := c.listen()
	if err != nil {
		return nil, err
	}
	if address, err := netip.ParseAddr(host); host == "" || err == nil && address.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if c.GatewayTLS {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, strconv.Itoa(port))}, nil
}

// parseBaseURL wants an origin: paths below it are not supported, because the login cookie and the pages name theirs
// from the root.
func parseBaseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q is not an http or https URL", text)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, fmt.Errorf("%q has more than scheme, host and port", text)
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

func (c *Config) listen() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(c.GatewayAddr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 {
		return "", 0, fmt.Errorf("port %q", text)
	}
	return host, port, nil
}

// adminListenAddr is ADMIN_ADDR, else the gateway's own address with the port raised by 1000.
func (c *Config) adminListenAddr() string {
	host, port, err := c.listen()
	if c.AdminAddr != "" || err != nil {
		return c.AdminAddr
	}
	if port != 0 { // port 0 is "any free port", and so is the admin port then
		port += adminOffset
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
