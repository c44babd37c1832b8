package order

import "strings"

// PhoneProblem is what is wrong with a telephone number; empty when it is good. A number that has one is kept as written,
// shown, and belongs to no customer.
type PhoneProblem string

// The problems.
const (
	PhoneGood          PhoneProblem = ""
	PhoneMissing       PhoneProblem = "MISSING"        // no digits at all
	PhoneTooShort      PhoneProblem = "TOO_SHORT"      // a digit was lost
	PhoneTooLong       PhoneProblem = "TOO_LONG"       // a digit too many, or two numbers in one field
	PhoneUnknownPrefix PhoneProblem = "UNKNOWN_PREFIX" // the right length, but no number begins so
)

// Lengths of Algerian national numbers without the leading 0 (ITU E.164 national numbering plan of Algeria): mobiles begin
// with 5, 6 or 7 and have nine digits, landlines begin with 2, 3 or 4 and have eight, 9 is for services and has nine.
const (
	mobileDigits   = 9
	landlineDigits = 8
	minE164Digits  = 7 // shorter numbers exist in a few countries; none of them orders here
	maxE164Digits  = 15
)

// NormalizePhone turns a number as people write it into E.164, so that every spelling of one number is one customer
// (lesson P18): spaces, dots, dashes and brackets, +213, 00213, 213, the leading 0 kept or lost by a spreadsheet, Arabic
// digits, invisible marks. A number of another country keeps its country. It answers either a number or a problem.
func NormalizePhone(written string) (string, PhoneProblem) {
	digits, plus := phoneDigits(written)
	if digits == "" {
		return "", PhoneMissing
	}
	if !plus && strings.HasPrefix(digits, "00") {
		digits, plus = digits[2:], true
	}
	if plus && !strings.HasPrefix(digits, "213") {
		return foreign(digits)
	}
	national := digits
	if plus || len(digits) >= len("213")+landlineDigits && strings.HasPrefix(digits, "213") {
		national = strings.TrimPrefix(digits, "213")
	}
	national = strings.TrimPrefix(national, "0") // "+213 (0) 550…" keeps the trunk 0 by mistake
	return algerian(national)
}

func algerian(national string) (string, PhoneProblem) {
	if national == "" {
		return "", PhoneTooShort
	}
	want := mobileDigits
	switch national[0] {
	case '5', '6', '7', '9':
	case '2', '3', '4':
		want = landlineDigits
	default:
		return "", wrongLength(len(national), mobileDigits, PhoneUnknownPrefix)
	}
	if problem := wrongLength(len(national), want, PhoneGood); problem != PhoneGood {
		return "", problem
	}
	return "+213" + national, PhoneGood
}

func foreign(digits string) (string, PhoneProblem) {
	switch {
	case len(digits) < minE164Digits:
		return "", PhoneTooShort
	case len(digits) > maxE164Digits:
		return "", PhoneTooLong
	case digits[0] == '0': // no country's code begins so
		return "", PhoneUnknownPrefix
	default:
		return "+" + digits, PhoneGood
	}
}

func wrongLength(have, want int, otherwise PhoneProblem) PhoneProblem {
	switch {
	case have < want:
		return PhoneTooShort
	case have > want:
		return PhoneTooLong
	default:
		return otherwise
	}
}

// phoneDigits picks the digits, and whether a plus stands before the first of them.
func phoneDigits(written string) (digits string, plus bool) {
	var b strings.Builder
	for _, r := range written {
		d, ok := digit(r)
		switch {
		case ok:
			b.WriteRune(d)
		case b.Len() == 0 && (r == '+' || r == '＋'):
			plus = true
		}
	}
	return b.String(), plus
}
