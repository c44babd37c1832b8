package account

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a password. The least is counted in characters, as people count; the most in bytes, as the hash is paid for.
const (
	MinPasswordLength = 10
	MaxPasswordBytes  = 128
)

// minDistinct refuses "aaaaaaaaaa" and "1212121212" without the rituals of upper case and digits that make people write
// passwords down (NIST SP 800-63B, 5.1.1.2).
const minDistinct = 4

// WeakPasswordError tells which rule a new password breaks. Its text never repeats the password.
type WeakPasswordError struct{ Rule string }

// Error names the rule.
func (e WeakPasswordError) Error() string { return "weak password: " + e.Rule }

// checkPassword judges a new password of the user with this e-mail and name. An old password is never judged: it is only compared.
func checkPassword(p Password, email Email, name string) error {
	s := string(p)
	switch {
	case len(s) > MaxPasswordBytes:
		return WeakPasswordError{"must be at most 128 bytes"}
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return WeakPasswordError{"must be text without control characters"}
	case utf8.RuneCountInString(s) < MinPasswordLength:
		return WeakPasswordError{"must have at least 10 characters"}
	case distinct(s) < minDistinct:
		return WeakPasswordError{"must use at least 4 different characters"}
	case strings.EqualFold(s, string(email)) || strings.EqualFold(s, email.local()):
		return WeakPasswordError{"must not be the e-mail address"}
	case strings.EqualFold(strings.TrimSpace(s), strings.TrimSpace(name)):
		return WeakPasswordError{"must not be the name"}
	}
	return nil
}

func distinct(s string) int {
	seen := map[rune]struct{}{}
	for _, r := range s {
		seen[r] = struct{}{}
	}
	return len(seen)
}
