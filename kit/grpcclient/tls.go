package grpcclient

import (
	"crypto/tls"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/internal/tlsfile"
)

// TLS is how the process calls others: nil, plaintext, unless the configuration names a certificate or authorities.
func TLS(p conf.Process) (*tls.Config, error) {
	return tlsfile.Client(tlsfile.Files{Cert: p.TLSCertFile, Key: p.TLSKeyFile, CA: p.TLSCAFile})
}
