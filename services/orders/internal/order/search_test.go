package order

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestASearchTextIsOneKindAndNeverTwo(t *testing.T) {
	for _, tc := range []struct {
		q    string
		want Search
	}{
		{"", Search{}},
		{"   ", Search{}},
		{"0550123456", Search{Kind: SearchPhone, Text: "+213550123456"}},
		{"05 50 12 34 56", Search{Kind: SearchPhone, Text: "+213550123456"}},
		{"+213 550 12 34 56", Search{Kind: SearchPhone, Text: "+213550123456"}},
		{"+213 (0)550-12-34-56", Search{Kind: SearchPhone, Text: "+213550123456"}},
		{"00213550123456", Search{Kind: SearchPhone, Text: "+213550123456"}},
		{"213550123456", Search{Kind: SearchPhone, Text: "+213550123456"}},
		{"550123456", Search{Kind: SearchPhone, Text: "+213550123456"}},
		{"٠٥٥٠١٢٣٤٥٦", Search{Kind: SearchPhone, Text: "+213550123456"}},
		{"۰۵۵۰۱۲۳۴۵۶", Search{Kind: SearchPhone, Text: "+213550123456"}},
		{"05501234", Search{Kind: SearchPhone, Text: "+2135501234"}},
		{"+33612345678", Search{Kind: SearchPhone, Text: "+33612345678"}},
		{"2511000000000042", Search{Kind: SearchTracking, Text: "2511000000000042"}},
		{"251100000000", Search{Kind: SearchTracking, Text: "251100000000"}},
		{"21654321", Search{Kind: SearchPhone, Text: "+21321654321"}},
		{"0033612345678", Search{Kind: SearchPhone, Text: "+33612345678"}},
		{"00336123456", Search{Kind: SearchPhone, Text: "+336123456"}},
		{"(+33) 6 12 34 56 78", Search{Kind: SearchPhone, Text: "+33612345678"}},
		{"DEMOA 700123", Search{Kind: SearchReference, Text: "DEMOA700123"}},
		{"2131234567890123", Search{Kind: SearchTracking, Text: "2131234567890123"}},
		{"demoa700123", Search{Kind: SearchReference, Text: "DEMOA700123"}},
		{"NAT-70", Search{Kind: SearchReference, Text: "NAT-70"}},
		{"Bensaïd", Search{Kind: SearchName, Words: []string{"bensaid"}}},
		{"Amina  Ould", Search{Kind: SearchName, Words: []string{"amina", "ould"}}},
		{"أحمد", Search{Kind: SearchName, Words: []string{Fold("احمد")}}},
	} {
		got, err := ParseSearch(tc.q)
		if err != nil {
			t.Errorf("ParseSearch(%q): %v", tc.q, err)
			continue
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("ParseSearch(%q) (-want +got):\n%s", tc.q, diff)
		}
	}
}

func TestATextThatNoIndexCouldFindIsRefused(t *testing.T) {
	for _, q := range []string{"a", "ab", "é", "1234567", "12 34", "--", "'", "%%"} {
		if got, err := ParseSearch(q); !errors.Is(err, ErrQueryTooShort) {
			t.Errorf("ParseSearch(%q) = %+v, %v; want ErrQueryTooShort", q, got, err)
		}
	}
}

func FuzzParseSearch(f *testing.F) {
	for _, q := range []string{"", "0550123456", "+213 (0)5 50", "DEMOA700123", "أحمد بن", "a", "\x00", "٠٥٥٠", "%_\\", "ﬀ", "\u200f0550123456"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		s, err := ParseSearch(q)
		if err != nil {
			return
		}
		switch s.Kind {
		case SearchNone:
			if s.Text != "" || s.Words != nil {
				t.Fatalf("ParseSearch(%q) = %+v: no search, yet something to look for", q, s)
			}
		case SearchPhone:
			if len(s.Text) < 6 || s.Text[0] != '+' || len(s.Text) > 16 {
				t.Fatalf("ParseSearch(%q) = %+v: not the beginning of an E.164 number", q, s)
			}
		case SearchTracking, SearchReference:
			if s.Text == "" {
				t.Fatalf("ParseSearch(%q) = %+v: looks for nothing", q, s)
			}
		case SearchName:
			if len(s.Words) == 0 {
				t.Fatalf("ParseSearch(%q) = %+v: looks for nothing", q, s)
			}
		}
	})
}

// Lesson P18: a number is found by every spelling in which a shop may have written it.
func TestWhatIsStoredAsATelephoneIsSearchedForAsThatTelephone(t *testing.T) {
	for _, written := range []string{
		"0033612345678", "00 33 6 12 34 56 78", "+33 6 12 34 56 78", "21654321", "021 65 43 21", "21321654321",
		"550000000", "0550000000", "00213550000000", "+213 (0)550 00 00 00", "982300000",
	} {
		stored, problem := NormalizePhone(written)
		s, err := ParseSearch(written)
		if problem != PhoneGood || err != nil || s.Kind != SearchPhone || s.Text != stored {
			t.Errorf("%q is stored as %q (%s) and searched for as %+v, %v", written, stored, problem, s, err)
		}
	}
}
