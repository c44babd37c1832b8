package ecomanagersim

import (
	"fmt"
	"reflect"
)

// Dirt are the switches of the vendor's untidiness, each a share from 0 (clean) to 1 (always). The first group is how a stored order is
// shown and may be switched at any time; the second is decided when an order is made or changed.
type Dirt struct {
	NumericStrings   float64 `json:"numericStrings"`   // money and quantities as strings (quirk Q5)
	ProductIDStrings float64 `json:"productIdStrings"` // product_id as a string
	DecomposedText   float64 `json:"decomposedText"`   // accents as combining marks (NFD)
	DatesWithT       float64 `json:"datesWithT"`       // 2025-11-18T10:02:44 for a space
	MissingUpdatedAt float64 `json:"missingUpdatedAt"` // updated_at null
	MissingOptional  float64 `json:"missingOptional"`  // the optional fields left out altogether

	EmptyItems          float64 `json:"emptyItems"`          // an order without lines (quirk Q6)
	NullConfirmator     float64 `json:"nullConfirmator"`     // confirmed by nobody
	PhoneSpellings      float64 `json:"phoneSpellings"`      // other than ten digits (quirk Q11)
	BrokenPhones        float64 `json:"brokenPhones"`        // no telephone number at all
	WilayaSpellings     float64 `json:"wilayaSpellings"`     // other than the official name
	ArabicNames         float64 `json:"arabicNames"`         // customers in Arabic letters
	UntouchedUpdates    float64 `json:"untouchedUpdates"`    // changes that leave updated_at alone (quirk Q10)
	DuplicateReferences float64 `json:"duplicateReferences"` // a new order repeats a reference of another shop of the tenant
}

// LightDirt is what an ordinary day looks like.
func LightDirt() Dirt {
	return Dirt{
		NumericStrings: 0.4, ProductIDStrings: 0.1, DecomposedText: 0.05, DatesWithT: 0.05, MissingOptional: 0.1,
		EmptyItems: 0.01, NullConfirmator: 0.05, PhoneSpellings: 0.4, BrokenPhones: 0.01, WilayaSpellings: 0.5, ArabicNames: 0.2,
		UntouchedUpdates: 0.02, DuplicateReferences: 0.002,
	}
}

// HeavyDirt turns everything on at rates at which no page is clean.
func HeavyDirt() Dirt {
	return Dirt{
		NumericStrings: 0.5, ProductIDStrings: 0.5, DecomposedText: 0.3, DatesWithT: 0.5, MissingUpdatedAt: 0.02, MissingOptional: 0.5,
		EmptyItems: 0.1, NullConfirmator: 0.3, PhoneSpellings: 1, BrokenPhones: 0.05, WilayaSpellings: 1, ArabicNames: 0.5,
		UntouchedUpdates: 0.2, DuplicateReferences: 0.02,
	}
}

func (d Dirt) validate() error {
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		if share := v.Field(i).Float(); !(share >= 0 && share <= 1) {
			return fmt.Errorf("%s is %v: a share lies between 0 and 1", v.Type().Field(i).Tag.Get("json"), share)
		}
	}
	return nil
}

// shows decides one kind of display dirt for one order: the same answer at every reading.
func shows(o *Order, kind string, share float64) bool {
	if share <= 0 {
		return false
	}
	return float64(mix(o.Noise^hash(kind))>>11)/(1<<53) < share
}

// mix is the finaliser of splitmix64: neighbouring seeds come out unrelated.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}
