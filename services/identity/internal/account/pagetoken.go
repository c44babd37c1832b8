package account

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// ErrPageTokenInvalid says that a page token is damaged, or belongs to another list, other filters or another user.
var ErrPageTokenInvalid = errors.New("the page token is damaged or belongs to another list")

const pageTokenSum = 8

// PageToken writes the key of a page's last row for clients to hand back. The scope names the list, its filters and its user; a
// token shown with another scope is refused. It is a checksum and not a signature: a forged position reads nothing that the
// filters, judged anew on every page, would not show.
func PageToken(key, scope string) string {
	sum := sumOf(key, scope)
	return base64.RawURLEncoding.EncodeToString(append(sum[:], key...))
}

// ParsePageToken reads the key of a token made for the same scope; an empty token is the first page and an empty key.
func ParsePageToken(token, scope string) (key string, err error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= pageTokenSum {
		return "", ErrPageTokenInvalid
	}
	key = string(raw[pageTokenSum:])
	if sum := sumOf(key, scope); string(sum[:]) != string(raw[:pageTokenSum]) {
		return "", ErrPageTokenInvalid
	}
	return key, nil
}

func sumOf(key, scope string) [pageTokenSum]byte {
	whole := sha256.Sum256([]byte(scope + "\x00" + key))
	return [pageTokenSum]byte(whole[:])
}
