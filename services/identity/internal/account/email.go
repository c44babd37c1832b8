package account

import (
	"crypto/sha256"
	"net/mail"
	"strings"
)

// maxEmail is the longest address SMTP can deliver to (RFC 5321, 4.5.3.1.3, less the angle brackets).
const maxEmail = 254

// Email is a normalised address: ASCII, lower case, no spaces, no display name. Mailbox names are case-sensitive on paper and
// nowhere else; two users apart only by case would be one person locked out of the wrong account.
type Email string

// ParseEmail normalises what a person typed; ErrInvalidEmail when it is not one address. Domains with other than ASCII letters
// are written in their xn-- form: nobody can tell two look-alike letters apart in a user list.
func ParseEmail(typed string) (Email, error) {
	s := strings.ToLower(strings.TrimSpace(typed))
	if len(s) > maxEmail || !printableASCII(s) {
		return "", ErrInvalidEmail
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Address != s || !strings.Contains(s[strings.LastIndexByte(s, '@')+1:], ".") {
		return "", ErrInvalidEmail
	}
	return Email(s), nil
}

// local is the part before the at sign.
func (e Email) local() string {
	name, _, _ := strings.Cut(string(e), "@")
	return name
}

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// FailureKey names an account for counting failures, whether it exists or not. It is a hash: the address of an unknown account
// is often a password typed into the wrong box, and must not lie in a table.
type FailureKey [sha256.Size]byte

// NewFailureKey derives the key of what was typed as an e-mail, normalised when it can be.
func NewFailureKey(typed string) FailureKey {
	return sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(typed))))
}
