package grpcserver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/grpcclient"
	"github.com/libertaphonix/libertaphonix/kit/grpcserver"
	"github.com/libertaphonix/libertaphonix/kit/internal/testservice"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// authority signs certificates for the test's processes.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// process is the TLS part of the configuration of the process called name.
func (a *authority) process(t *testing.T, name string) conf.Process {
	t.Helper()
	a.issue(t, name, &x509.Certificate{DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	return conf.Process{
		TLSCertFile: filepath.Join(a.dir, name+".crt"), TLSKeyFile: filepath.Join(a.dir, name+".key"), TLSCAFile: filepath.Join(a.dir, "ca.crt"),
	}
}

func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestWithCertificatesAServiceIsWhatItsCertificateSays(t *testing.T) {
	ca := newAuthority(t)
	var seen auth.Principal
	d := open(t, testservice.Handlers{Unary: func(ctx context.Context, _ proto.Message) error { seen = auth.From(ctx); return nil }},
		func(c *grpcserver.Config) {
			var err error
			if c.TLS, err = grpcserver.TLS(ca.process(t, "shop")); err != nil {
				t.Fatal(err)
			}
			c.Listener, c.Addr = nil, "127.0.0.1:0"
		})
	call := func(certificate conf.Process, tokenName, method string) error {
		config, err := grpcclient.TLS(certificate)
		if err != nil {
			t.Fatal(err)
		}
		options := grpcclient.Options{Service: "shop", TLS: config}
		if tokenName != "" {
			if options.Tokens, err = auth.NewServiceTokens(tokenName, serviceKey, time.Now); err != nil {
				t.Fatal(err)
			}
		}
		conn, err := grpcclient.Dial(d.server.Addr().String(), options)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx := metadata.AppendToOutgoingContext(context.Background(), "x-client-address", "41.111.0.7")
		return testservice.Call(ctx, conn, method, testservice.Order("0550"))
	}

	if err := call(ca.process(t, "scheduler"), "scheduler", testservice.Find); err != nil {
		t.Errorf("scheduler with its own certificate: %v", err)
	}
	err := call(ca.process(t, "ecosync"), "scheduler", testservice.Find)
	if got, want := answered(err), (answer{codes.Unauthenticated, "TOKEN_INVALID", "PEER"}); got != want {
		t.Errorf("scheduler's name with ecosync's certificate: %v", got)
	}
	if err := call(ca.process(t, "gateway"), "", testservice.Replace); err != nil || seen.Address != "41.111.0.7" {
		t.Errorf("the gateway tells the client's address: saw %q, %v", seen.Address, err)
	}
	if err := call(ca.process(t, "ecosync"), "", testservice.Replace); err != nil || seen.Address != "127.0.0.1" {
		t.Errorf("another than the gateway may not tell an address: saw %q, %v", seen.Address, err)
	}
	if err := call(conf.Process{TLSCAFile: filepath.Join(ca.dir, "ca.crt")}, "scheduler", testservice.Find); status.Code(err) != codes.Unavailable {
		t.Errorf("a caller without a certificate: %v", err)
	}
	if err := call(newAuthority(t).process(t, "scheduler"), "scheduler", testservice.Find); status.Code(err) != codes.Unavailable {
		t.Errorf("a certificate of another authority: %v", err)
	}
	if err := call(conf.Process{}, "scheduler", testservice.Find); status.Code(err) != codes.Unavailable {
		t.Errorf("plaintext: %v", err)
	}
	if _, _, reason := rpcerr.Reason(err); reason == "" {
		t.Error("a refusal has a reason")
	}
}

func TestARenewedCertificateIsTakenWithoutARestart(t *testing.T) {
	ca := newAuthority(t)
	process := ca.process(t, "shop")
	config, err := grpcserver.TLS(process)
	if err != nil {
		t.Fatal(err)
	}
	first, err := config.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	ca.process(t, "shop")
	later := time.Now().Add(time.Minute) // file systems may count whole seconds
	if err := os.Chtimes(process.TLSCertFile, later, later); err != nil {
		t.Fatal(err)
	}
	second, err := config.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(first.Certificate[0]) == string(second.Certificate[0]) {
		t.Error("the old certificate is still shown")
	}
	if err := os.WriteFile(process.TLSCertFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if third, err := config.GetCertificate(nil); err != nil || string(third.Certificate[0]) != string(second.Certificate[0]) {
		t.Errorf("a half-written file must not spoil the door: %v", err)
	}
}

func TestWithoutFilesThereIsNoTLS(t *testing.T) {
	if config, err := grpcserver.TLS(conf.Process{}); config != nil || err != nil {
		t.Errorf("got %v, %v", config, err)
	}
	if _, err := grpcserver.TLS(conf.Process{TLSCertFile: "missing.crt", TLSKeyFile: "missing.key"}); err == nil {
		t.Error("a missing certificate must be told at start")
	}
}
