package order

import (
	"strconv"
	"strings"
)

// Wilaya is a province: where an order goes, and how long the way may take.
type Wilaya struct {
	Code            int      `db:"code"`
	NameFr          string   `db:"name_fr"`
	NameAr          string   `db:"name_ar"`
	Aliases         []string `db:"aliases"`
	MaxDeliveryDays int      `db:"max_delivery_days"` // counted from the day of dispatch
}

// DefaultDeliveryDays holds where the wilaya is not recognised.
const DefaultDeliveryDays = 2

// Gazetteer finds wilayas by what shops write. The zero value knows none.
type Gazetteer struct {
	byName map[string]int
	byCode map[int]Wilaya
}

// NewGazetteer indexes the table in force by every name and alias. A spelling that two wilayas claim finds neither: a wrong
// province sends a parcel to the wrong end of the country.
func NewGazetteer(wilayas []Wilaya) *Gazetteer {
	g := &Gazetteer{byName: map[string]int{}, byCode: map[int]Wilaya{}}
	for _, w := range wilayas {
		g.byCode[w.Code] = w
		for _, name := range append([]string{w.NameFr, w.NameAr}, w.Aliases...) {
			key := wilayaKey(name)
			if owner, claimed := g.byName[key]; claimed && owner != w.Code {
				g.byName[key] = 0
				continue
			}
			g.byName[key] = w.Code
		}
	}
	return g
}

// Code finds the wilaya a text names, 0 when it names none: by name or alias in French or Arabic, in any case, with or
// without accents, article and spacing; by code; by code and name ("16 - Alger"), where the name decides.
func (g *Gazetteer) Code(written string) int {
	folded := Fold(written)
	elided := folded
	for _, lead := range []string{"wilaya de ", "wilaya ", "ولايه "} {
		folded = strings.TrimPrefix(folded, lead)
	}
	name := strings.Trim(folded, "0123456789 ") // "16 - Alger" and "Alger (16)"
	if code, found := g.byName[wilayaKey(name)]; found {
		return code
	}
	if rest, ok := strings.CutPrefix(elided, "wilaya d"); ok { // d'Alger; only now, or Djelfa would lose its D
		return g.byName[wilayaKey(rest)]
	}
	if name != "" {
		return 0
	}
	code, err := strconv.Atoi(strings.TrimSpace(folded))
	if _, known := g.byCode[code]; err != nil || !known {
		return 0
	}
	return code
}

// Knows tells whether the code is of the table.
func (g *Gazetteer) Knows(code int) bool {
	_, known := g.byCode[code]
	return known
}

// DeliveryDays is how many days a delivery to the wilaya may take.
func (g *Gazetteer) DeliveryDays(code int) int {
	if w, known := g.byCode[code]; known {
		return w.MaxDeliveryDays
	}
	return DefaultDeliveryDays
}

// wilayaKey goes further than [Fold]: words run together, so "Sidi-Bel-Abbes" and "Sidi Belabbes" are one.
func wilayaKey(name string) string { return strings.ReplaceAll(Fold(name), " ", "") }
