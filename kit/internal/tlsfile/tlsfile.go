// Package tlsfile makes TLS configurations of PEM files.
//
// It owns the minimum version, mutual TLS, and the reading of a renewed certificate without a restart.
// It never decides whether TLS is on: naming a file does. Start at [Server] and [Client].
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files names what the process has; an empty name is a file it has not.
type Files struct {
	Cert, Key string // the certificate it shows
	CA        string // whose certificates it believes
}

// Server is nil without a certificate. With CA, callers must show a certificate too (mutual TLS).
func Server(f Files) (*tls.Config, error) {
	if f.Cert == "" {
		return nil, nil
	}
	shown, err := Shown(f)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:     tls.VersionTLS13, // both ends are ours, or grpcurl
		GetCertificate: shown,
	}
	if f.CA != "" {
		authorities, err := pool(f.CA)
		if err != nil {
			return nil, err
		}
		config.ClientCAs, config.ClientAuth = authorities, tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// Shown is the certificate for tls.Config.GetCertificate.
func Shown(f Files) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	own := &certificate{files: f}
	if _, err := own.current(); err != nil {
		return nil, err
	}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own.current() }, nil
}

// Client is nil without certificate and CA. Without CA the system's authorities are believed.
func Client(f Files) (*tls.Config, error) {
	if f.Cert == "" && f.CA == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if f.Cert != "" {
		own := &certificate{files: f}
		if _, err := own.current(); err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own.current() }
	}
	if f.CA != "" {
		authorities, err := pool(f.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = authorities
	}
	return config, nil
}

func pool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("TLS_CA_FILE: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("TLS_CA_FILE: %s holds no certificate in PEM", path)
	}
	return authorities, nil
}

// certificate is read again when one of its files changed: what renews certificates writes files, and asks nobody to
// restart. Both count: a certificate may be written before its key.
type certificate struct {
	files Files

	mu      sync.Mutex
	loaded  *tls.Certificate
	written [2]time.Time // of the files that loaded was read from
}

func (c *certificate) current() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	written := [2]time.Time{modified(c.files.Cert), modified(c.files.Key)}
	if c.loaded != nil && written == c.written {
		return c.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	switch {
	case err != nil && c.loaded != nil:
		return c.loaded, nil // half written: the next handshake looks again
	case err != nil:
		return nil, fmt.Errorf("TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
	}
	c.loaded, c.written = &pair, written
	return c.loaded, nil
}

// modified is the zero time for a file that cannot be looked at; reading it says why.
func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime().UTC()
}
