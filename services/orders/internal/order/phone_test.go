package order

import (
	"regexp"
	"testing"
)

var spellings = []struct {
	written string
	want    string
	problem PhoneProblem
}{
	{"0550000001", "+213550000001", PhoneGood},
	{"0550 00 00 01", "+213550000001", PhoneGood},
	{"05-50-00.00/01", "+213550000001", PhoneGood},
	{"+213550000001", "+213550000001", PhoneGood},
	{"+213 (0) 550 00 00 01", "+213550000001", PhoneGood},
	{"00213550000001", "+213550000001", PhoneGood},
	{"00213 0550000001", "+213550000001", PhoneGood},
	{"213550000001", "+213550000001", PhoneGood},
	{"550000001", "+213550000001", PhoneGood},                      // the leading 0 lost in a spreadsheet
	{"٠٥٥٠٠٠٠٠٠١", "+213550000001", PhoneGood},                     // Arabic-Indic digits
	{"۰۵۵۰۰۰۰۰۰۱", "+213550000001", PhoneGood},                     // Eastern Arabic digits
	{"\u202a0550\u00a000 00 01\u202c", "+213550000001", PhoneGood}, // pasted from a contact list
	{"tél: 0550000001", "+213550000001", PhoneGood},
	{"0661 11 22 33", "+213661112233", PhoneGood},
	{"0770112233", "+213770112233", PhoneGood},
	{"021 23 45 67", "+21321234567", PhoneGood}, // a landline of Algiers
	{"+213 21 23 45 67", "+21321234567", PhoneGood},
	{"041234567", "+21341234567", PhoneGood},
	{"+33 6 12 34 56 78", "+33612345678", PhoneGood},
	{"0033612345678", "+33612345678", PhoneGood},
	{"", "", PhoneMissing},
	{"néant", "", PhoneMissing},
	{"055000000", "", PhoneTooShort},
	{"05500000011", "", PhoneTooLong},
	{"0550000001 / 0661112233", "", PhoneTooLong}, // which of the two is a person's question
	{"02123456", "", PhoneTooShort},
	{"0150000001", "", PhoneUnknownPrefix},
	{"0000000000", "", PhoneUnknownPrefix},
	{"+0", "", PhoneTooShort},
	{"+1234567890123456", "", PhoneTooLong},
}

// Lesson P18: every spelling of one number is one customer.
func TestEverySpellingOfANumberIsOneNumber(t *testing.T) {
	for _, c := range spellings {
		if got, problem := NormalizePhone(c.written); got != c.want || problem != c.problem {
			t.Errorf("%q: got %q %q, want %q %q", c.written, got, problem, c.want, c.problem)
		}
	}
}

func FuzzNormalizePhone(f *testing.F) {
	for _, c := range spellings {
		f.Add(c.written)
	}
	e164 := regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`) // the constraint customer_phone_e164_check
	f.Fuzz(func(t *testing.T, written string) {
		got, problem := NormalizePhone(written)
		if (got == "") == (problem == PhoneGood) {
			t.Fatalf("%q: neither or both of %q and %q", written, got, problem)
		}
		if got == "" {
			return
		}
		if !e164.MatchString(got) {
			t.Fatalf("%q: %q is not E.164", written, got)
		}
		if again, _ := NormalizePhone(got); again != got {
			t.Fatalf("%q became %q and then %q", written, got, again)
		}
	})
}
