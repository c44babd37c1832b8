package account

import "testing"

func TestFailuresAreCountedUnderWhatOneCustomerOwns(t *testing.T) {
	tests := map[string]struct{ address, want string }{
		"an address of IPv4 is itself":          {"203.0.113.7", "203.0.113.7"},
		"however it is written":                 {"::ffff:203.0.113.7", "203.0.113.7"},
		"an address of IPv6 is its /64":         {"2001:db8:1:1::42", "2001:db8:1:1::/64"},
		"whatever its interface":                {"2001:db8:1:1:ffff:ffff:ffff:ffff", "2001:db8:1:1::/64"},
		"the next /64 is another":               {"2001:db8:1:2::42", "2001:db8:1:2::/64"},
		"a zone is the business of one host":    {"fe80::1%eth0", "fe80::/64"},
		"what is no address stays as it is":     {"bufconn", "bufconn"},
		"an unknown address stays one, unknown": {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (Client{Address: tt.address}).Network(); got != tt.want {
				t.Errorf("Network() = %q, want %q", got, tt.want)
			}
		})
	}
}
