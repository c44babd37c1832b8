package ecomanager

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// reader takes scalars out of loosely typed JSON. It keeps the first problem it
// meets and goes on, so that a decoder reads straight down without an if behind
// every field.
type reader struct {
	zone    *time.Location
	problem *shop.Problem
}

func (r *reader) fail(reason shop.Reason, field, detail string) {
	if r.problem == nil {
		r.problem = &shop.Problem{Reason: reason, Field: field, Detail: detail}
	}
}

// absent tells a missing field or a null. PHP writes an empty object as [],
// which is an absence too wherever no list is expected.
func absent(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}

func kind(raw json.RawMessage) byte {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

// scalarText reads a string, a number or a boolean as text; ok is false for an
// object, a list and broken JSON.
func scalarText(raw json.RawMessage) (text string, ok bool) {
	if absent(raw) {
		return "", true
	}
	switch kind(raw) {
	case '{', '[':
		return "", false
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return "", false
		}
		return clean(s), true
	}
	// Numbers and booleans keep the digits they came with: an identifier must
	// not pass through a float.
	return string(bytes.TrimSpace(raw)), true
}

// clean brings text to NFC, without outer space and without NUL, which JSON
// allows and PostgreSQL does not.
func clean(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	return strings.TrimSpace(norm.NFC.String(s))
}

func (r *reader) text(field string, raw json.RawMessage) string {
	s, ok := scalarText(raw)
	if !ok {
		r.fail(shop.FieldType, field, "text was expected")
	}
	return s
}

// whole reads an integer or a numeric string (quirk Q5). "2.00" is 2; "2.5" is
// a problem.
func (r *reader) whole(field string, raw json.RawMessage) (n int64, present bool) {
	s, ok := scalarText(raw)
	if !ok {
		r.fail(shop.FieldType, field, "a whole number was expected")
		return 0, false
	}
	if s == "" {
		return 0, false
	}
	if i := strings.IndexByte(s, '.'); i > 0 && strings.Trim(s[i+1:], "0") == "" {
		s = s[:i]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.fail(shop.BadNumber, field, "not a whole number")
		return 0, false
	}
	return n, true
}

// money reads an amount to the centime, exactly; nil when the shop did not say.
func (r *reader) money(field string, raw json.RawMessage) *shop.Centimes {
	s, ok := scalarText(raw)
	if !ok {
		r.fail(shop.FieldType, field, "an amount was expected")
		return nil
	}
	if s == "" {
		return nil
	}
	amount, why := parseMoney(s, kind(raw) == '"')
	if why != "" {
		r.fail(shop.BadMoney, field, why)
		return nil
	}
	return &amount
}

// maxCentimes is a hundred billion in the currency: above it an amount is a
// mistake, and sums of many lines still fit an int64.
const maxCentimes = 100_000_000_000 * 100

var (
	plainAmount = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,15})?$`)
	// exponents appear when PHP writes a float: 1.6e+3.
	exponential = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,15})?[eE][+-]?[0-9]{1,2}$`)
	grouped     = regexp.MustCompile(`^[0-9]{1,3}( [0-9]{3})+$`)
	groupedBy   = map[byte]*regexp.Regexp{
		',': regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+$`),
		'.': regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{3})+$`),
	}
)

// parseMoney reads 1600, "1600.00", "1600,5", "1 600,00", "1,600.00" and
// 1.6e+3. why is empty on success. "1,600" and "1.600" are refused: they are sixteen
// hundred to one writer and one point six to another, and money is not guessed.
// A JSON number has one reading, so there 1.600 is one point six; written tells
// that the amount came as text.
func parseMoney(s string, written bool) (amount shop.Centimes, why string) {
	// The French thousands separators: no-break, narrow no-break and thin space.
	s = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\u2009", " ").Replace(s)
	if strings.HasPrefix(s, "-") {
		return 0, "a negative amount"
	}
	if exponential.MatchString(s) {
		return exact(s)
	}
	integer, fraction := s, ""
	comma, dot := strings.LastIndexByte(s, ','), strings.LastIndexByte(s, '.')
	switch {
	case comma >= 0 && dot >= 0:
		// The later one is the decimal sign, the other one groups.
		last, group := comma, byte('.')
		if dot > comma {
			last, group = dot, ','
		}
		integer, fraction = s[:last], s[last+1:]
		if !groupedBy[group].MatchString(integer) {
			return 0, "its separators contradict each other"
		}
		integer = strings.ReplaceAll(integer, string(group), "")
	case comma >= 0:
		integer, fraction = s[:comma], s[comma+1:]
		if len(fraction) == 3 && !strings.Contains(integer, " ") {
			return 0, "a comma before three digits groups or divides"
		}
	case dot >= 0:
		integer, fraction = s[:dot], s[dot+1:]
		if written && len(fraction) == 3 && groupedBy['.'].MatchString(s) {
			return 0, "a dot before three digits groups or divides"
		}
	}
	if grouped.MatchString(integer) {
		integer = strings.ReplaceAll(integer, " ", "")
	}
	s = integer
	if comma >= 0 || dot >= 0 {
		s += "." + fraction
	}
	if !plainAmount.MatchString(s) {
		return 0, "not an amount"
	}
	return exact(s)
}

// exact turns a checked decimal into centimes without a float.
func exact(s string) (shop.Centimes, string) {
	rat, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, "not an amount"
	}
	rat.Mul(rat, big.NewRat(100, 1))
	if !rat.IsInt() {
		return 0, "finer than a centime"
	}
	if rat.Cmp(big.NewRat(maxCentimes, 1)) > 0 {
		return 0, "larger than any amount"
	}
	return shop.Centimes(rat.Num().Int64()), ""
}

// zoned are the shapes that name their zone; zoneless are read in the store's.
var (
	zoned    = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00"}
	zoneless = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"}
)

// time reads a date in the store's zone into UTC (lesson P70: the zone is the
// store's and never the container's). Absent, empty and MySQL's zero date are
// the zero time.
func (r *reader) time(field string, raw json.RawMessage) time.Time {
	s, ok := scalarText(raw)
	if !ok {
		r.fail(shop.FieldType, field, "a time was expected")
		return time.Time{}
	}
	t, ok := parseTime(s, r.zone)
	if !ok {
		r.fail(shop.BadTime, field, "a time in no known shape")
	}
	return t
}

func parseTime(s string, zone *time.Location) (time.Time, bool) {
	if s == "" || strings.HasPrefix(s, "0000-00-00") {
		return time.Time{}, true
	}
	for _, layout := range zoned {
		if t, err := time.Parse(layout, s); err == nil {
			return inRange(t)
		}
	}
	for _, layout := range zoneless {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return inRange(t)
		}
	}
	return time.Time{}, false
}

// inRange refuses years that no timestamp column and no protobuf holds. Fractions of a
// second are cut: the listing is sorted by whole seconds.
func inRange(t time.Time) (time.Time, bool) {
	t = t.UTC().Truncate(time.Second)
	if t.Year() < 1970 || t.Year() > 9000 {
		return time.Time{}, false
	}
	return t, true
}
