package account

import (
	"strings"
	"testing"
)

func TestEmailsAreNormalised(t *testing.T) {
	tests := map[string]struct {
		typed string
		want  Email
		ok    bool
	}{
		"case and spaces":           {"  Amina.Benali@Shop.DZ ", "amina.benali@shop.dz", true},
		"a plus is part of it":      {"amina+test@shop.dz", "amina+test@shop.dz", true},
		"no at sign":                {"amina", "", false},
		"no dot in the domain":      {"amina@shop", "", false},
		"a display name":            {"Amina <amina@shop.dz>", "", false},
		"two addresses":             {"a@shop.dz,b@shop.dz", "", false},
		"a look-alike letter":       {"аmina@shop.dz", "", false}, // a Cyrillic а
		"a line break":              {"amina@shop.dz\nbcc:x@y.dz", "", false},
		"longer than mail can be":   {strings.Repeat("a", 250) + "@shop.dz", "", false},
		"nothing":                   {"", "", false},
		"a punycode domain is fine": {"amina@xn--e1afmkfd.dz", "amina@xn--e1afmkfd.dz", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEmail(tt.typed)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %q, %v; want %q, ok = %v", got, err, tt.want, tt.ok)
			}
		})
	}
}

func TestFailuresOfOneAccountCountTogetherHoweverItIsSpelled(t *testing.T) {
	if NewFailureKey(" Amina@Shop.dz") != NewFailureKey("amina@shop.dz") {
		t.Error("two spellings of one address have two keys")
	}
	if NewFailureKey("amina@shop.dz") == NewFailureKey("karim@shop.dz") {
		t.Error("two addresses share a key")
	}
}

func FuzzEmails(f *testing.F) {
	for _, s := range []string{"Amina@Shop.dz", " a@b.c", "a@b", "\"a b\"@c.d", "a@[127.0.0.1]", "أ@b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		e, err := ParseEmail(typed)
		if err != nil {
			return
		}
		again, err := ParseEmail(string(e))
		if err != nil || again != e {
			t.Errorf("%q became %q, which becomes %q, %v", typed, e, again, err)
		}
		if NewFailureKey(typed) != NewFailureKey(string(e)) {
			t.Errorf("failures of %q and %q are counted apart", typed, e)
		}
	})
}
