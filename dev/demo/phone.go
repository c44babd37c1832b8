package demo

import (
	"fmt"
	"math/rand/v2"
)

// mobilePrefixes are ranges that the numbering plan gives to mobile networks, so that a validator accepts what we invent.
var mobilePrefixes = [...]string{"550", "551", "555", "560", "660", "661", "665", "697", "770", "771", "775", "790", "796"}

// newPhone draws a mobile number in E.164.
func newPhone(r *rand.Rand) string {
	return fmt.Sprintf("+213%s%06d", mobilePrefixes[r.IntN(len(mobilePrefixes))], r.IntN(1_000_000))
}

// SpellPhone writes an Algerian E.164 number the way a customer typed it: ten digits for most, else with spaces, dots or hyphens, or
// with one of the spellings of the country code. All of them are the same number.
func SpellPhone(r *rand.Rand, e164 string) string {
	n := e164[len("+213"):]
	a, b, c, d := n[:3], n[3:5], n[5:7], n[7:9]
	switch r.IntN(20) {
	case 0:
		return "0" + a + " " + b + " " + c + " " + d
	case 1:
		return "+213" + n
	case 2:
		return "+213 " + a + " " + b + " " + c + " " + d
	case 3:
		return "00213" + n
	case 4:
		return "0" + a + "." + b + "." + c + "." + d
	case 5:
		return "0" + a + "-" + b + "-" + c + "-" + d
	case 6:
		return "+213 (0)" + a + " " + b + " " + c + " " + d
	case 7:
		return "213" + n
	case 8:
		return " 0" + n
	default:
		return "0" + n
	}
}

// BrokenPhone writes something that is no telephone number, as forms do receive.
func BrokenPhone(r *rand.Rand) string {
	broken := [...]string{"055", "0000000000", "05501234567890", "appeler le soir", "0123", "-"}
	return broken[r.IntN(len(broken))]
}
