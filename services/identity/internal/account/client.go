package account

import "net/netip"

// Client is where a call comes from, as far as it can be known. For people to read in a session list, and for counting failures.
type Client struct {
	Address   string
	UserAgent string
}

// ownedByOne is the prefix of IPv6 that one customer is given at least: who holds one address there holds 2⁶⁴ of them.
const ownedByOne = 64

// Network is what failures are counted under: the address of IPv4, the /64 of IPv6. Sessions and the audit trail keep the address
// itself. What is no address is counted as it is.
func (c Client) Network() string {
	address, err := netip.ParseAddr(c.Address)
	if err != nil {
		return c.Address
	}
	address = address.Unmap()
	if address.Is4() {
		return address.String()
	}
	network, err := address.WithZone("").Prefix(ownedByOne)
	if err != nil { // only for a length beyond the address
		return c.Address
	}
	return network.String()
}
