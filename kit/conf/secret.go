package conf

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

const stars = "***"

// Secret is a string that prints as stars wherever it is printed: fmt with every
// verb, slog, JSON and text encoders. Only Reveal gives the value, so that every
// place that uses one can be found by searching for that word (lesson P77).
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// IsZero reports whether there is no secret at all.
func (s Secret) IsZero() bool { return s == "" }

// String hides the value; an unset secret prints as nothing, so that "is it set?"
// can still be read off a log line.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return stars
}

// Format covers every fmt verb: %x of a plain string type would print the bytes.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.String()) }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the value from JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText hides the value from every encoder that knows text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the value as it stands; it exists because a type with
// MarshalText alone would not survive a round trip through an encoder's checks.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}
