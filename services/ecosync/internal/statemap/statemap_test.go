package statemap_test

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
)

func TestDefaultMapReadsEverySpelling(t *testing.T) {
	m, err := statemap.New(1, statemap.Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		state   string
		meaning statemap.Meaning
		known   bool
	}{
		{"En dispatch", statemap.FollowUp, true},
		{"EN DISPATCH", statemap.FollowUp, true},
		{"  en   dispatch ", statemap.FollowUp, true},
		{"En\u00a0livraison", statemap.FollowUp, true},
		{"Livré", statemap.Delivered, true},
		{"Livrée", statemap.Delivered, true},
		{"Livrés", statemap.Delivered, true},
		{"Livrées", statemap.Delivered, true},
		{"Livré(e)(s)", statemap.Delivered, true},
		{"LIVRE", statemap.Delivered, true},
		{norm.NFD.String("Livrée"), statemap.Delivered, true},
		{"Livré - encaissé", statemap.Delivered, true},
		{"Encaissée", statemap.Delivered, true},
		{"Annulé", statemap.Cancelled, true},
		{"Annulée par client", statemap.Cancelled, true},
		{"Retour", statemap.Returned, true},
		{"Retours", statemap.Returned, true},
		{"Retour reçu", statemap.Returned, true},
		{"Retourné", statemap.Returned, true},
		{"Retournée au vendeur", statemap.Returned, true},
		{"En confirmation", statemap.None, true},
		{"En préparation", statemap.None, true},
		{"En cours", statemap.None, true},
		// Never guessed (lesson P15).
		{"Livreur en route", statemap.None, false},
		{"Expédié", statemap.None, false},
		{"قيد التوصيل", statemap.None, false},
		{"", statemap.None, false},
	} {
		meaning, known := m.Meaning(tc.state)
		if meaning != tc.meaning || known != tc.known {
			t.Errorf("Meaning(%q) = %s, %t; want %s, %t", tc.state, meaning, known, tc.meaning, tc.known)
		}
	}
}

func TestAnEditedMapPrefersTheExactAndTheLonger(t *testing.T) {
	m, err := statemap.New(7, []statemap.Entry{
		{State: "Retour", Prefix: true, Meaning: statemap.Returned},
		{State: "Retour annulé", Prefix: true, Meaning: statemap.FollowUp},
		{State: "Retour annulé définitif", Meaning: statemap.Cancelled},
		{State: "قيد التوصيل", Meaning: statemap.FollowUp},
	})
	if err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]statemap.Meaning{
		"Retour":                  statemap.Returned,
		"Retour annulé":           statemap.FollowUp,
		"Retours annulés hier":    statemap.FollowUp,
		"Retour annulé définitif": statemap.Cancelled,
		"قيد التوصيل":             statemap.FollowUp,
	} {
		if got, known := m.Meaning(state); got != want || !known {
			t.Errorf("Meaning(%q) = %s, %t; want %s", state, got, known, want)
		}
	}
}

func TestAMapThatContradictsItselfIsRefused(t *testing.T) {
	for name, entries := range map[string][]statemap.Entry{
		"two meanings for one folded state": {
			{State: "Livré", Meaning: statemap.Delivered},
			{State: "LIVRÉES", Meaning: statemap.Returned},
		},
		"an empty state":         {{State: " (…) ", Meaning: statemap.None}},
		"a meaning that is none": {{State: "Livré", Meaning: "SHIPPED"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := statemap.New(1, entries); err == nil {
				t.Fatal("accepted")
			}
		})
	}
	if _, err := statemap.New(1, []statemap.Entry{
		{State: "Livré", Meaning: statemap.Delivered}, {State: "livrée", Meaning: statemap.Delivered},
	}); err != nil {
		t.Fatalf("two spellings of one mind were refused: %v", err)
	}
}

func FuzzFoldIsStable(f *testing.F) {
	for _, s := range []string{"Livré(e)(s)", "EN DISPATCH", "ﬁn", "İstanbul", "قيد", "e\u0301e\u0301s", "ss", "éés ees"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded := statemap.Fold(s)
		if strings.Contains(folded, "  ") || folded != strings.TrimSpace(folded) {
			t.Errorf("Fold(%q) = %q keeps stray spaces", s, folded)
		}
		if got := statemap.Fold(norm.NFD.String(s)); got != folded {
			t.Errorf("Fold(%q) depends on the normal form: %q, %q", s, folded, got)
		}
	})
}
