package grpcserver

import (
	"crypto/tls"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/internal/tlsfile"
)

// TLS is how the process serves: nil, plaintext, unless the configuration names a certificate; mutual with authorities.
func TLS(p conf.Process) (*tls.Config, error) {
	return tlsfile.Server(tlsfile.Files{Cert: p.TLSCertFile, Key: p.TLSKeyFile, CA: p.TLSCAFile})
}
