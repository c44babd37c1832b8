package app

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/libertaphonix/libertaphonix/kit/run"
)

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheGatewayServesHTTPSWhenAsked(t *testing.T) {
	lender := httptest.NewTLSServer(nil) // only for its certificate
	defer lender.Close()
	certificate := lender.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	cfg, err := load(t, "GATEWAY_ADDR="+addr, "ADMIN_ADDR="+freeAddr(t), "GATEWAY_TLS=true",
		"TLS_CERT_FILE="+writePEM(t, "cert.pem", "CERTIFICATE", certificate.Certificate[0]), "TLS_KEY_FILE="+writePEM(t, "key.pem", "PRIVATE KEY", key))
	if err != nil {
		t.Fatal(err)
	}
	g := &run.Group{}
	if err := New(t.Context(), cfg, g); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Stop() }()

	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("https://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("got %d, HSTS %q", answer.StatusCode, answer.Header.Get("Strict-Transport-Security"))
	}
}
