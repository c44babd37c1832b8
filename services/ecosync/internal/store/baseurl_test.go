package store_test

import (
	"errors"
	"testing"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

const defaultHosts = "*.ecomanager.dz,*.maystro-delivery.com,api.maystro.com"

func allow(t testing.TB, text string) store.AllowList {
	t.Helper()
	list, err := store.ParseAllowList(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAPastedAddressIsNormalisedOnce(t *testing.T) {
	list := allow(t, defaultHosts+", 127.0.0.1:9099, sim.local:8081")
	for pasted, want := range map[string]string{
		"demo.ecomanager.dz":                                "https://demo.ecomanager.dz/api/shop/v2",
		" https://demo.ecomanager.dz/ ":                     "https://demo.ecomanager.dz/api/shop/v2",
		"HTTPS://Demo.EcoManager.dz":                        "https://demo.ecomanager.dz/api/shop/v2",
		"https://demo.ecomanager.dz:443":                    "https://demo.ecomanager.dz/api/shop/v2",
		"https://demo.ecomanager.dz./":                      "https://demo.ecomanager.dz/api/shop/v2",
		"https://demo.ecomanager.dz/api/shop/v2":            "https://demo.ecomanager.dz/api/shop/v2",
		"https://demo.ecomanager.dz/api/shop/v2/":           "https://demo.ecomanager.dz/api/shop/v2",
		"https://demo.ecomanager.dz//api//shop/v2///":       "https://demo.ecomanager.dz/api/shop/v2",
		"https://demo.ecomanager.dz/api/shop/v2/orders":     "https://demo.ecomanager.dz/api/shop/v2",
		"http://127.0.0.1:9099/tenants/one":                 "http://127.0.0.1:9099/tenants/one/api/shop/v2",
		"http://127.0.0.1:9099/tenants/one/api/shop/v2/":    "http://127.0.0.1:9099/tenants/one/api/shop/v2",
		"https://sim.local:8081":                            "https://sim.local:8081/api/shop/v2",
		"https://demo.ecomanager.dz/x/../api/shop/v2/../v2": "https://demo.ecomanager.dz/api/shop/v2",
	} {
		got, err := store.NormaliseBaseURL(pasted, list)
		if err != nil || got.String() != want {
			t.Errorf("NormaliseBaseURL(%q) = %q, %v; want %q", pasted, got, err, want)
			continue
		}
		// What is normal stays as it is: saving twice must not append twice.
		if again, err := store.NormaliseBaseURL(got.String(), list); err != nil || again != got {
			t.Errorf("NormaliseBaseURL(%q) = %q, %v: not stable", got, again, err)
		}
	}
}

func TestAHostileAddressIsRefused(t *testing.T) {
	list := allow(t, defaultHosts+",127.0.0.1:9099")
	for pasted, notAllowed := range map[string]bool{
		"": false, "   ": false, "https://": false, "ftp://demo.ecomanager.dz": false, "file:///etc/passwd": false,
		"https://user:secret@demo.ecomanager.dz": false, "https://demo.ecomanager.dz?x=1": false,
		"https://demo.ecomanager.dz/#x": false, "https://dé mo.ecomanager.dz": false, "https://demo.ecomanager.dz/%2e%2e": false,
		"https://[::1": false, "https://a..ecomanager.dz": false,

		"http://demo.ecomanager.dz":            true, // plaintext is for exactly named addresses only
		"https://demo.ecomanager.dz:8443":      true,
		"https://ecomanager.dz":                true,
		"https://ecomanager.dz.evil.example":   true,
		"https://evilecomanager.dz":            true,
		"https://demo.ecomanager.dz.":          false, // the same host, allowed
		"https://169.254.169.254":              true,
		"http://127.0.0.1:9098":                true,
		"http://localhost:9099":                true, // another spelling of an allowed address is another address
		"https://[::1]:9099":                   true,
		"http://2130706433:9099":               true,
		"https://demo.ecomanager.dz@evil.test": false,
	} {
		_, err := store.NormaliseBaseURL(pasted, list)
		if pasted == "https://demo.ecomanager.dz." {
			if err != nil {
				t.Errorf("%q: %v", pasted, err)
			}
			continue
		}
		var malformed *store.URLError
		if notAllowed && !errors.Is(err, store.ErrURLNotAllowed) || !notAllowed && !errors.As(err, &malformed) {
			t.Errorf("NormaliseBaseURL(%q): %v", pasted, err)
		}
	}
}

func TestTenantsAreToldApart(t *testing.T) {
	list := allow(t, defaultHosts+",127.0.0.1:9099")
	one, _ := store.NormaliseBaseURL("http://127.0.0.1:9099/one", list)
	two, _ := store.NormaliseBaseURL("http://127.0.0.1:9099/two/api/shop/v2", list)
	if one.Tenant() != "127.0.0.1:9099/one" || two.Tenant() != "127.0.0.1:9099/two" {
		t.Errorf("tenants %q and %q", one.Tenant(), two.Tenant())
	}
}

func TestAMistypedAllowListIsRefused(t *testing.T) {
	for _, text := range []string{"*.", "*.*.dz", "http://host", "host:", ":80", "ex ample.dz", "10.0.0.1"} {
		if _, err := store.ParseAllowList(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func FuzzNormaliseBaseURL(f *testing.F) {
	for _, s := range []string{"demo.ecomanager.dz", "https://x.ecomanager.dz/a/b/..//api/shop/v2/orders/", "http://127.0.0.1:9099"} {
		f.Add(s)
	}
	list := allow(f, defaultHosts+",127.0.0.1:9099")
	f.Fuzz(func(t *testing.T, pasted string) {
		got, err := store.NormaliseBaseURL(pasted, list)
		if err != nil {
			return
		}
		if again, err := store.NormaliseBaseURL(got.String(), list); err != nil || again != got {
			t.Errorf("%q became %q, and that %q, %v", pasted, got, again, err)
		}
	})
}
