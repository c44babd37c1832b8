package order

import (
	"errors"
	"strings"
	"unicode"
)

// MinNameLetters is the shortest name that is searched for: fewer letters make no trigram, and would read half the table.
const MinNameLetters = 3

// MinNumberDigits is the fewest digits that are taken for a telephone or tracking number.
const MinNumberDigits = 8

// ErrQueryTooShort says that a search text names nothing that could be found by an index.
var ErrQueryTooShort = errors.New("search text too short")

// SearchKind is what a search text is taken for. A text is one kind or another, never several ORed: each kind has its own index, and an OR over
// three of them would read the table.
type SearchKind int

// The kinds of search.
const (
	SearchNone      SearchKind = iota
	SearchPhone                // Text is E.164, whole or its beginning
	SearchTracking             // Text is the beginning of a tracking number, digits only
	SearchReference            // Text is the beginning of a reference, in capitals
	SearchName                 // Words are parts of a folded name, all of which must occur
)

// Search is a classified search text.
type Search struct {
	Kind  SearchKind
	Text  string
	Words []string
}

// ParseSearch classifies what a person typed (DESIGN 8): eight digits or more are a number, letters followed by digits a reference, anything else
// a name. It returns ErrQueryTooShort for a text that is none of them.
func ParseSearch(q string) (Search, error) {
	q = strings.TrimSpace(q)
	if q == "" {
		return Search{}, nil
	}
	if digits, ok := onlyDigits(q); ok {
		if len(digits) < MinNumberDigits {
			return Search{}, ErrQueryTooShort
		}
		// What ingest would store as a telephone is searched for as one, in the same spelling; the rest may be the beginning of one.
		if phone, problem := NormalizePhone(q); problem == PhoneGood {
			return Search{Kind: SearchPhone, Text: phone}, nil
		}
		_, plus := phoneDigits(q)
		if phone, ok := phoneBeginning(digits, plus); ok {
			return Search{Kind: SearchPhone, Text: phone}, nil
		}
		return Search{Kind: SearchTracking, Text: digits}, nil
	}
	if reference, ok := referenceBeginning(q); ok {
		return Search{Kind: SearchReference, Text: reference}, nil
	}
	words := strings.Fields(Fold(q))
	letters := 0
	for _, w := range words {
		letters = max(letters, len([]rune(w)))
	}
	if letters < MinNameLetters {
		return Search{}, ErrQueryTooShort
	}
	return Search{Kind: SearchName, Words: words}, nil
}

// onlyDigits returns the digits of a text that holds nothing else but what people write between them. Digits of the scripts that customers type count.
func onlyDigits(q string) (string, bool) {
	var digits strings.Builder
	for _, r := range q {
		d, isDigit := digit(r)
		switch {
		case isDigit:
			digits.WriteRune(d)
		case unicode.IsSpace(r), strings.ContainsRune("+-./()", r), unicode.Is(unicode.Cf, r):
		default:
			return "", false
		}
	}
	return digits.String(), digits.Len() > 0
}

// phoneBeginning turns the digits of the beginning of a number into E.164, of another country where 00 or + says so. National numbers have nine digits after the prefix;
// what is longer is no number of ours, and is left to be a tracking number.
func phoneBeginning(digits string, international bool) (string, bool) {
	const national = 9
	rest, isPhone := digits, false
	switch {
	case strings.HasPrefix(digits, "00213"):
		rest, isPhone = digits[5:], true
	case strings.HasPrefix(digits, "00"):
		return "+" + digits[2:], digits[2] != '0' && len(digits) <= 2+maxE164Digits
	case strings.HasPrefix(digits, "213") && (international || len(digits) <= 3+national):
		rest, isPhone = digits[3:], true
	case strings.HasPrefix(digits, "0"):
		rest, isPhone = digits[1:], true
	case len(digits) == national && digits[0] >= '5' && digits[0] <= '7':
		isPhone = true
	case international:
		return "+" + digits, digits[0] != '0' && len(digits) <= maxE164Digits
	}
	rest = strings.TrimPrefix(rest, "0") // +213 (0)5…: the trunk zero that people leave in
	return "+213" + rest, isPhone && len(rest) <= national
}

// referenceBeginning recognises letters followed by digits, with the separators that shops put between them left where they are. One space
// between them is a person's, who reads the reference aloud: no shop writes it.
func referenceBeginning(q string) (string, bool) {
	letters, digits := 0, 0
	if word, number, spaced := strings.Cut(q, " "); spaced {
		q = word + strings.TrimSpace(number)
	}
	for _, r := range q {
		switch {
		case r < unicode.MaxASCII && unicode.IsLetter(r) && digits == 0:
			letters++
		case r >= '0' && r <= '9' && letters > 0:
			digits++
		case (r == '-' || r == '_') && letters > 0:
		default:
			return "", false
		}
	}
	return strings.ToUpper(q), letters > 0 && digits > 0
}
