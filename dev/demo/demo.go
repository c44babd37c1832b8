// Package demo holds the invented business that development runs on: customers with Algerian names in Latin and Arabic letters,
// the wilayas as order forms write them, telephone numbers in the spellings shops meet, products with SKUs and prices in dinars,
// five stores on two EcoManager tenants, and the people who work there.
//
// Everything is drawn from a generator the caller seeds, so the same seed is the same world. No name, number or product was taken
// from a real list of customers. The package has no I/O and knows neither the simulators nor the services; start reading at Shops.
package demo

import "math/rand/v2"

// Person is a customer: one telephone number, one place, and the name given on the order form.
type Person struct {
	Name    string
	Phone   string // E.164
	Wilaya  Wilaya
	Commune string
}

// NewPerson draws a customer. arabicShare is the share (0 to 1) of names written in Arabic letters.
func NewPerson(r *rand.Rand, arabicShare float64) Person {
	w := drawWilaya(r)
	p := Person{
		Wilaya:  w,
		Commune: w.Communes[r.IntN(len(w.Communes))],
		Phone:   newPhone(r),
	}
	first, last := firstNames[r.IntN(len(firstNames))], lastNames[r.IntN(len(lastNames))]
	switch {
	case r.Float64() < arabicShare:
		p.Name = first.arabic + " " + last.arabic
	case r.IntN(4) == 0: // French forms: the family name first
		p.Name = last.latin + " " + first.latin
	default:
		p.Name = first.latin + " " + last.latin
	}
	return p
}

// Confirmator draws the name of somebody at the shop's own telephone desk.
func Confirmator(r *rand.Rand) (id int, name string) {
	i := r.IntN(8)
	return 11 + i, firstNames[i*5].latin + " " + lastNames[i*7].latin
}
