package demo

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestWilayasStandInTheOrderOfTheirCodes(t *testing.T) {
	all := Wilayas()
	if len(all) != 69 {
		t.Fatalf("%d wilayas, want 69", len(all))
	}
	for i, w := range all {
		if w.Code != i+1 || w.French == "" || w.Arabic == "" || len(w.Communes) == 0 || w.Weight < 1 {
			t.Errorf("wilaya %d: %+v", i+1, w)
		}
	}
}

func TestEverySpellingOfATelephoneNumberHasItsNineDigits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	noDigit := regexp.MustCompile(`\D`)
	spellings := map[string]bool{}
	for range 1000 {
		p := NewPerson(r, 0.2)
		text := SpellPhone(r, p.Phone)
		spellings[regexp.MustCompile(`\d`).ReplaceAllString(text, "9")] = true
		if digits := noDigit.ReplaceAllString(text, ""); !strings.HasSuffix(digits, p.Phone[4:]) {
			t.Fatalf("%q is not %s", text, p.Phone)
		}
	}
	if len(spellings) < 8 {
		t.Errorf("only %d spellings", len(spellings))
	}
}

func TestShopsAreFiveOnTwoTenantsAndOnePrefixIsInBoth(t *testing.T) {
	tenants, prefixes, skus := map[string]int{}, map[string]map[string]bool{}, map[string]string{}
	for _, s := range Shops() {
		tenants[s.Tenant]++
		if prefixes[s.Prefix] == nil {
			prefixes[s.Prefix] = map[string]bool{}
		}
		prefixes[s.Prefix][s.Tenant] = true
		if s.Prefix == s.Code {
			t.Errorf("%s: the prefix is the code; upstream it never is", s.Code)
		}
		for _, p := range s.Products {
			if other, taken := skus[p.SKU]; taken && p.SKU != "" {
				t.Errorf("%s and %s share SKU %s", other, p.Title, p.SKU)
			}
			skus[p.SKU] = p.Title
		}
	}
	if len(Shops()) != 5 || len(tenants) != 2 || len(prefixes["SOUK"]) != 2 {
		t.Errorf("tenants %v, prefixes %v", tenants, prefixes)
	}
}
