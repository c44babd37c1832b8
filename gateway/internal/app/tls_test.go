package app

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

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

func TestARenewedCertificateIsShownWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	issue(t, cert, key, 1)
	cfg, err := load(t, "GATEWAY_TLS=true", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
	if err != nil {
		t.Fatal(err)
	}
	config, err := serverTLS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		shown, err := config.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return shown.Leaf.SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("certificate %d is shown first", got)
	}
	later := filepath.Join(dir, "later.pem")
	issue(t, cert, later, 2)
	if got := serial(); got != 1 {
		t.Errorf("certificate %d is shown while its key is not there yet", got)
	}
	if err := os.Rename(later, key); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("certificate %d is shown after the renewal", got)
	}
}

// issue writes a self-signed certificate with this serial number, and its key.
func issue(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
