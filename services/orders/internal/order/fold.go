package order

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold makes two spellings of one text equal: case, Latin accents, the variants of Arabic letters, vowel marks, apostrophes
// and spacing do not count. "Béjaïa", "BEJAIA" and "Be\u0301jai\u0308a" fold alike, as do "أحمد" and "احمد".
//
// Words stay apart by one space, so a folded text can be searched for by any part of it. It is what `search_name` and
// `upstream_state_key` hold, and a query must be folded by the same function: changing it means rewriting both columns.
//
// The standard library cannot decompose a letter into its base and its accent, hence golang.org/x/text.
func Fold(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range norm.NFKD.String(s) { // K: ligatures, full-width digits and Arabic presentation forms too
		switch {
		case unicode.Is(unicode.Mn, r), r == tatweel, isApostrophe(r), unicode.Is(unicode.Cf, r):
			continue // accents, vowel marks, lengthening, M'Sila = Msila, invisible direction marks
		case unicode.IsLetter(r), unicode.IsDigit(r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteString(foldLetter(r))
		default:
			space = true
		}
	}
	return b.String()
}

const tatweel = 'ـ'

func isApostrophe(r rune) bool {
	switch r {
	case '\'', '’', '‘', 'ʼ', '`', '´', 'ʹ', '′':
		return true
	default:
		return false
	}
}

// foldLetter lowers a letter and maps what decomposition leaves apart: people write these Arabic letters for each other,
// and these Latin ones have no accent to take off.
func foldLetter(r rune) string {
	switch r {
	case 'ٱ':
		return "ا"
	case 'ى', 'ی':
		return "ي"
	case 'ة':
		return "ه"
	case 'ک', 'ڪ':
		return "ك"
	case 'ڤ':
		return "ف"
	case 'ڨ', 'گ':
		return "ق"
	case 'œ', 'Œ':
		return "oe"
	case 'æ', 'Æ':
		return "ae"
	case 'ß':
		return "ss"
	case 'ø', 'Ø':
		return "o"
	case 'ı', 'İ':
		return "i"
	}
	if d, ok := digit(r); ok {
		return string(d)
	}
	return string(unicode.ToLower(r))
}

// digit reads a decimal digit of any script that customers here type: Latin, Arabic-Indic, Eastern Arabic, full-width.
func digit(r rune) (rune, bool) {
	for _, zero := range []rune{'0', '٠', '۰', '０'} {
		if r >= zero && r <= zero+9 {
			return '0' + r - zero, true
		}
	}
	return 0, false
}
