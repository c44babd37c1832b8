package app

import (
	"strings"
	"testing"

	"github.com/libertaphonix/libertaphonix/kit/conf"
)

func load(t *testing.T, environ ...string) (Config, error) {
	t.Helper()
	cfg, _, err := conf.Load[Config](environ)
	return cfg, err
}

func TestNothingIsRequired(t *testing.T) {
	cfg, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	base, err := cfg.publicBaseURL()
	if err != nil || base.String() != "http://127.0.0.1:8080" || cfg.adminListenAddr() != "127.0.0.1:9080" {
		t.Errorf("base URL %v (%v), admin %s", base, err, cfg.adminListenAddr())
	}
}

func TestTheBaseURLIsWherePeopleComeFrom(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    string
	}{
		{[]string{"GATEWAY_ADDR=:8080"}, "http://localhost:8080"},
		{[]string{"GATEWAY_ADDR=0.0.0.0:80"}, "http://localhost:80"},
		{[]string{"GATEWAY_ADDR=[::]:80"}, "http://localhost:80"},
		{[]string{"PUBLIC_BASE_URL=https://Office.Example.dz/"}, "https://office.example.dz"},
		{[]string{"PUBLIC_BASE_URL=https://office.example.dz:8443"}, "https://office.example.dz:8443"},
	} {
		cfg, err := load(t, c.environ...)
		if err != nil {
			t.Fatal(err)
		}
		if base, err := cfg.publicBaseURL(); err != nil || base.String() != c.want {
			t.Errorf("%v gives %v (%v), want %s", c.environ, base, err, c.want)
		}
	}
}

func TestEveryFaultIsToldAtOnceByItsVariable(t *testing.T) {
	_, err := load(t, "GATEWAY_ADDR=here", "PUBLIC_BASE_URL=https://office.example.dz/app", "TRUSTED_PROXIES=10.0.0.0/8,everybody", "GATEWAY_TLS=true")
	if err == nil {
		t.Fatal("no fault was found")
	}
	for _, want := range []string{"GATEWAY_ADDR", "PUBLIC_BASE_URL", "TRUSTED_PROXIES", "GATEWAY_TLS", "everybody"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the faults do not name %s:\n%v", want, err)
		}
	}
	for _, url := range []string{"office.example.dz", "ftp://office", "https://user:pass@office", "https://office?x=1", "https://"} {
		if _, err := load(t, "PUBLIC_BASE_URL="+url); err == nil {
			t.Errorf("PUBLIC_BASE_URL=%s is accepted", url)
		}
	}
}
