package redact

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// An Algerian number: +213, 00213, 213 or 0, then 9 digits for a mobile (5, 6, 7) or 8
// for a landline (2, 3, 4); a mobile may lack its 0, as sheets of numbers drop it.
// Between digits may stand one space (any kind), dot, hyphen, slash, or parentheses.
//
// The digits may also be the Arabic-Indic ones. Latin and Arabic-Indic are told by one
// class because people mix them.
const (
	digit     = `[0-9٠-٩۰-۹]`
	separator = `[\s\x{00a0}\x{202f}\x{200e}\x{200f}.\-/()]{0,2}`
)

var phone = regexp.MustCompile(
	`(?:(?:\+|0{1,2}|٠{1,2}|۰{1,2})?` + separator + oneOf("2") + separator + oneOf("1") + separator + oneOf("3") + separator + `(?:` + oneOf("0") + separator + `)?` +
		`|` + oneOf("0") + separator + `)` +
		`(?:` + oneOf("567") + repeated(8) + `|` + oneOf("234") + repeated(7) + `)` +
		`|` + oneOf("567") + repeated(8))

// oneOf is a class of the given Latin digits in all three spellings.
func oneOf(digits string) string {
	var b strings.Builder
	b.WriteByte('[')
	for _, d := range digits {
		n := d - '0'
		b.WriteRune(d)
		b.WriteRune('٠' + n)
		b.WriteRune('۰' + n)
	}
	b.WriteByte(']')
	return b.String()
}

func repeated(n int) string { return strings.Repeat(separator+digit, n) }

const fewestDigits = 9

// phones masks every telephone number in a text but its last two digits, which tell
// two numbers of one log line apart.
func phones(s string) string {
	if digitsIn(s) < fewestDigits {
		return s
	}
	var b strings.Builder
	kept := 0 // everything before is in b
	for at := 0; at < len(s); {
		loc := phone.FindStringIndex(s[at:])
		if loc == nil {
			break
		}
		start, end := at+loc[0], at+loc[1]
		if !standsAlone(s, start, end) || !dialled(s[start:end]) {
			_, width := utf8.DecodeRuneInString(s[start:])
			at = start + width
			continue
		}
		b.WriteString(s[kept:start])
		b.WriteString(maskDigits(s[start:end]))
		kept, at = end, end
	}
	if kept == 0 {
		return s
	}
	return b.String() + s[kept:]
}

// standsAlone reports whether nothing around makes the digits a part of something
// longer: another number, a word, a decimal, or a group of a UUID.
func standsAlone(s string, start, end int) bool {
	before, size := utf8.DecodeLastRuneInString(s[:start])
	if isWord(before) || before == '.' && digitEnds(s[:start-1]) || before == '-' && hexEnds(s[:start-size]) {
		return false
	}
	after, size := utf8.DecodeRuneInString(s[end:])
	rest := s[end+size:] // size is 0 at the end
	if isWord(after) || after == '.' && digitBegins(rest) || after == '-' && hexBegins(rest) {
		return false
	}
	return after != ':' || !digitBegins(rest) // a clock follows a date
}

var (
	// 05/06/2026, 05-06-2026, 05.06.2026: also in front of a clock.
	date = regexp.MustCompile(`^\d\d([-/.])\d\d[-/.]\d{4}`)
	// 0.612345678: nobody groups a telephone number like a decimal.
	decimal = regexp.MustCompile(`^\d{1,3}\.\d{5,}$`)
)

func dialled(s string) bool { return !date.MatchString(s) && !decimal.MatchString(s) }

// maskDigits stars every digit but the last two and leaves the rest as written.
func maskDigits(s string) string {
	left := digitsIn(s)
	return strings.Map(func(r rune) rune {
		if !isDigit(r) {
			return r
		}
		left--
		if left < 2 {
			return r
		}
		return '*'
	}, s)
}

func digitsIn(s string) int {
	n := 0
	for _, r := range s {
		if isDigit(r) {
			n++
		}
	}
	return n
}

func isDigit(r rune) bool {
	return r >= '0' && r <= '9' || r >= '٠' && r <= '٩' || r >= '۰' && r <= '۹'
}

func isWord(r rune) bool {
	return r != utf8.RuneError && (r == '_' || isDigit(r) || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
}

func isHex(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
}

func digitBegins(s string) bool { r, _ := utf8.DecodeRuneInString(s); return isDigit(r) }
func digitEnds(s string) bool   { r, _ := utf8.DecodeLastRuneInString(s); return isDigit(r) }
func hexBegins(s string) bool   { r, _ := utf8.DecodeRuneInString(s); return isHex(r) }
func hexEnds(s string) bool     { r, _ := utf8.DecodeLastRuneInString(s); return isHex(r) }
