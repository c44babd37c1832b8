package redact_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/kit/internal/redact"
)

func TestSecretsAreTakenOutByTheirShape(t *testing.T) {
	const letters = "qwertyuiopasdfghjklzxcvbnm"
	for name, c := range map[string]struct{ in, want string }{
		"a bearer token":               {"Authorization: Bearer abc123.def", "Authorization: Bearer ***"},
		"a bearer token of letters":    {"sent Bearer " + letters + " upstream", "sent Bearer *** upstream"},
		"a bearer token in lower case": {"header bearer " + letters, "header bearer ***"},
		"basic credentials":            {"Basic dXNlcjpwYXNzd29yZA==", "Basic ***"},
		"the word Token before one":    {"Token 0123456789abcdef0123456789abcdef01234567", "Token ***"},
		"a JWT":                        {"got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl here", "got *** here"},
		"a password in a URL":          {"dial postgres://app:s3cr3t@db:5432/shop", "dial postgres://app:***@db:5432/shop"},
		"a query parameter":            {"GET /orders?api_key=abcd1234&page=2", "GET /orders?api_key=***&page=2"},
		"a JSON field":                 {`{"password":"hunter2 and more","name":"x"}`, `{"password":"***","name":"x"}`},
		"a DSN":                        {"host=db password=hunter2 user=app", "host=db password=*** user=app"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, redact.Text(c.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPhonesAreMaskedInEverySpelling(t *testing.T) {
	for _, spelling := range []string{
		"0661234567", "06 61 23 45 67", "06.61.23.45.67", "06-61-23-45-67", "0661 234 567", "06/61/23/45/67",
		"0661 23.45.67", "(0661) 23 45 67", "0 661 23 45 67", "661234567", "661 23 45 67", "6 61 23 45 67",
		"+213661234567", "+213 661 23 45 67", "+213 (0) 661 23 45 67", "+2130661234567", "00213661234567", "00213 6 61 23 45 67",
		"213661234567", "0551234567", "0771234567", "021 23 45 67", "+213 21 23 45 67", "041234567",
		"٠٦٦١٢٣٤٥٦٧", "٠٦٦١ ٢٣ ٤٥ ٦٧", "06\u00a061\u00a023\u00a045\u00a067", "\u200e+213661234567",
	} {
		for _, around := range []string{"%", "call %, please", "phone=%", "<%>", `{"a":"%"}`, "هاتف %"} {
			text := strings.Replace(around, "%", spelling, 1)
			masked := redact.Text(text)
			if n := digits(masked); n != 2 {
				t.Errorf("%q is logged as %q: %d digits show; want 2", text, masked, n)
			}
		}
	}
}

func digits(s string) int {
	n := 0
	for _, r := range s {
		if r >= '0' && r <= '9' || r >= '٠' && r <= '٩' {
			n++
		}
	}
	return n
}

func TestWhatIsNoSecretStaysAsItIs(t *testing.T) {
	for _, text := range []string{
		"0190b5c3-0661-7234-8567-0a1b2c3d4e5f", "01906612-3456-7890-9055-123456789012",
		"2026-11-23T20:21:32.612345678Z", "2026-11-23 20:21:32", "05/06/2026 12:30", "05-06-2026 12:30:00",
		"1.512345678s", "0.612345678", "612.345678ms", "1796055512", "1796055512123", "order 81234567 of store NATU",
		"4bf92f3577b34da6a3ce929d0e0e4736", "NATU-0661234567X", "127.0.0.1:57102", "192.168.100.200",
		"bearer token is missing", "invalid token: signature mismatch", "Bearer authentication", "page 1000 of 2000",
		"10,000 orders in 55.123456 s", "v1.36.12-20260825204119-511051f7f437", "token expired",
	} {
		if diff := cmp.Diff(text, redact.Text(text)); diff != "" {
			t.Errorf("%q was changed: %s", text, diff)
		}
	}
}

func TestKeysOfSecretsAreKnown(t *testing.T) {
	for _, key := range []string{"password", "newPassword", "access_token", "apiToken", "Authorization", "api_key", "X-Api-Key", "clientSecret", "Set-Cookie", "credentials_keyset", "SERVICE_AUTH_KEY"} {
		if !redact.Key(key) {
			t.Errorf("%q is not taken for a secret", key)
		}
	}
	for _, key := range []string{"order", "token_last4", "tokenLastFour", "session_id", "keys", "author", "token_count", "expires_at"} {
		if redact.Key(key) {
			t.Errorf("%q is taken for a secret", key)
		}
	}
}

func TestJSONKeepsItsNumbersAndLosesItsSecrets(t *testing.T) {
	in := `{"apiToken":"abc","store":{"name":"Natu","password":"x","auth":{"secret":{"inner":"y"}}},"amount":12345678901234567890,"phone":"0661234567","list":[{"token":"z"}]}`
	want := `{"amount":12345678901234567890,"apiToken":"***","list":[{"token":"***"}],"phone":"0661234567","store":{"auth":{"secret":{"inner":"***"}},"name":"Natu","password":"***"}}`
	got, err := redact.JSON([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func FuzzTextNeverFailsAndIsStable(f *testing.F) {
	for _, seed := range []string{"", "0661234567", "Bearer abc123.def", "٠٦٦١٢٣٤٥٦٧", "\xff\xfe0661234567\xff", "password=\"", "2026-11-23"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := redact.Text(s)
		if twice := redact.Text(once); digits(twice) > digits(once) {
			t.Errorf("cleaning %q twice shows more: %q then %q", s, once, twice)
		}
	})
}
