package order

import (
	"testing"
	"time"
)

var someWilayas = []Wilaya{
	{Code: 6, NameFr: "Béjaïa", NameAr: "بجاية", Aliases: []string{"Bougie"}, MaxDeliveryDays: 2},
	{Code: 7, NameFr: "Biskra", NameAr: "بسكرة", MaxDeliveryDays: 3},
	{Code: 16, NameFr: "Alger", NameAr: "الجزائر", Aliases: []string{"Algiers", "الجزائر العاصمة"}, MaxDeliveryDays: 2},
	{Code: 22, NameFr: "Sidi Bel Abbès", NameAr: "سيدي بلعباس", Aliases: []string{"SBA"}, MaxDeliveryDays: 2},
	{Code: 28, NameFr: "M'Sila", NameAr: "المسيلة", MaxDeliveryDays: 2},
	{Code: 33, NameFr: "Illizi", NameAr: "إليزي", MaxDeliveryDays: 7},
	{Code: 62, NameFr: "El Kantara", NameAr: "القنطرة", MaxDeliveryDays: 3},
}

func TestAWilayaIsFoundAsShopsWriteIt(t *testing.T) {
	g := NewGazetteer(someWilayas)
	for written, want := range map[string]int{
		"Béjaïa": 6, "BEJAIA": 6, "bejaia ": 6, "Be\u0301jai\u0308a": 6, "Bougie": 6, "06": 6, "6": 6, "06 - Bejaia": 6, "بجاية": 6, "بجايه": 6,
		"Alger": 16, "Wilaya d'Alger": 16, "wilaya d’Oran": 0, "wilaya de Alger": 16, "16-Alger": 16, "الجزائر": 16, "الجزائر العاصمة": 16,
		"Sidi-Bel-Abbes": 22, "SIDI BELABBES": 22, "sba": 22,
		"M'Sila": 28, "M’sila": 28, "msila": 28, "ولاية المسيلة": 28,
		"اليزي": 33, "El-Kantara": 62, "٣٣": 33,
		"": 0, "Paris": 0, "99": 0, "0": 0, "16 - Biskra": 7, "Bej": 0,
	} {
		if got := g.Code(written); got != want {
			t.Errorf("%q: got %d, want %d", written, got, want)
		}
	}
}

func TestASpellingOfTwoWilayasFindsNeither(t *testing.T) {
	g := NewGazetteer([]Wilaya{{Code: 1, NameFr: "Adrar", Aliases: []string{"Sud"}}, {Code: 30, NameFr: "Ouargla", Aliases: []string{"sud"}}})
	if got := g.Code("SUD"); got != 0 {
		t.Errorf("got %d", got)
	}
}

func TestFoldMakesSpellingsEqualAndKeepsWordsApart(t *testing.T) {
	for _, same := range [][]string{
		{"amina ben ali", "AMINA  Ben-Ali", "Amína Ben Ali.", "  amina\tben ali"},
		{"احمد", "أحمد", "إحمد", "آحمد", "أَحْمَد", "احـمـد"},
		{"فاطمه", "فاطمة"},
		{"ليلي", "ليلى"},
		{"livree", "Livrée", "LIVRÉE", "Livre\u0301e"},
		{"en preparation", "En préparation"},
		{"coeur", "Cœur"},
	} {
		for _, s := range same {
			if got := Fold(s); got != same[0] {
				t.Errorf("%q folds to %q, want %q", s, got, same[0])
			}
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Béjaïa", "أَحْمَد بن علي", "M’Sila", "Straße № 5", "İstanbul", "ﻻ", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := Fold(s); Fold(once) != once {
			t.Fatalf("%q folds to %q and that to %q", s, once, Fold(once))
		}
	})
}

// Lesson P70: days are business days; half past eleven at night in UTC is tomorrow in Algiers.
func TestDeliverByIsTheEndOfABusinessDay(t *testing.T) {
	for _, c := range []struct {
		dispatched time.Time
		days       int
		want       time.Time
	}{
		{time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), 2, time.Date(2026, 3, 4, 23, 0, 0, 0, time.UTC)},
		{time.Date(2026, 3, 2, 23, 30, 0, 0, time.UTC), 2, time.Date(2026, 3, 5, 23, 0, 0, 0, time.UTC)},
		{time.Date(2026, 12, 31, 12, 0, 0, 0, time.UTC), 0, time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)},
	} {
		if got := deliverBy(c.dispatched, c.days, inAlgiers); !got.Equal(c.want) {
			t.Errorf("%v + %d: got %v, want %v", c.dispatched, c.days, got, c.want)
		}
	}
}

func TestACorrectedWilayaMovesThePromise(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("En dispatch", FollowUp, monday))
	r := said("En dispatch", FollowUp, tuesday)
	r.Wilaya = "Illizi"
	d := next(t, in, o, r)
	if want := o.DeliverBy.AddDate(0, 0, 5); !d.Order.DeliverBy.Equal(want) || !d.Order.DispatchedAt.Equal(*o.DispatchedAt) {
		t.Errorf("deliver by %v, want %v", d.Order.DeliverBy, want)
	}
}

func TestAWilayaIsFoundWhereverItsCodeStands(t *testing.T) {
	g := NewGazetteer(someWilayas)
	for _, written := range []string{"Alger", "16", "16 - Alger", "Alger - 16", "Alger (16)", "16-Alger-16"} {
		if got := g.Code(written); got != 16 {
			t.Errorf("%q: %d", written, got)
		}
	}
}
