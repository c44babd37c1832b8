package pg

import (
	"net/netip"

	"github.com/jackc/pgx/v5/pgconn"
)

// plaintextHost names a host that a connection may reach unencrypted over a network, "" when there is none. It judges
// what the driver made of the URL, the PG variables and the service file, and each thing it would fall back to.
func plaintextHost(cfg *pgconn.Config) string {
	if cfg.TLSConfig == nil && leavesMachine(cfg.Host, cfg.Port) {
		return cfg.Host
	}
	for _, other := range cfg.Fallbacks {
		if other.TLSConfig == nil && leavesMachine(other.Host, other.Port) {
			return other.Host
		}
	}
	return ""
}

func leavesMachine(host string, port uint16) bool {
	if network, _ := pgconn.NetworkAddress(host, port); network == "unix" || host == "localhost" {
		return false
	}
	address, err := netip.ParseAddr(host)
	return err != nil || !address.Unmap().IsLoopback()
}
