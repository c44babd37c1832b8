package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
)

const hidden = "***"

// Password is a password in clear, alive only while a request is answered. However it is printed, logged or marshalled it shows
// stars; only a Hasher converts it to bytes.
type Password string

// String hides the password from fmt.
func (Password) String() string { return hidden }

// GoString hides the password from %#v.
func (Password) GoString() string { return hidden }

// LogValue hides the password from slog.
func (Password) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the password from JSON.
func (Password) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// PasswordHash is what is stored of a password: a PHC string that names its algorithm and parameters. Hidden like a password,
// since it can be attacked at leisure.
type PasswordHash string

// String hides the hash from fmt.
func (PasswordHash) String() string { return hidden }

// GoString hides the hash from %#v.
func (PasswordHash) GoString() string { return hidden }

// LogValue hides the hash from slog.
func (PasswordHash) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the hash from JSON.
func (PasswordHash) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// tokenPrefix makes a leaked refresh token recognisable to secret scanners, and tells it from an access token at sight.
const tokenPrefix = "lpr_"

// RefreshToken is an opaque secret of 256 random bits. Stored only as its hash.
type RefreshToken string

// NewRefreshToken draws a token from the system's randomness, which never fails (crypto/rand.Read).
func NewRefreshToken() RefreshToken {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	return RefreshToken(tokenPrefix + base64.RawURLEncoding.EncodeToString(raw[:]))
}

// Hash is what the store keeps and finds a token by. A plain SHA-256 is enough: 256 random bits cannot be guessed, unlike a
// password, so nothing slow is needed.
func (t RefreshToken) Hash() TokenHash { return sha256.Sum256([]byte(t)) }

// String hides the token from fmt.
func (RefreshToken) String() string { return hidden }

// GoString hides the token from %#v.
func (RefreshToken) GoString() string { return hidden }

// LogValue hides the token from slog.
func (RefreshToken) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the token from JSON.
func (RefreshToken) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// TokenHash is the SHA-256 of a refresh token.
type TokenHash [sha256.Size]byte

// AccessToken is a signed token a person shows with each call. Hidden like every secret.
type AccessToken string

// String hides the token from fmt.
func (AccessToken) String() string { return hidden }

// GoString hides the token from %#v.
func (AccessToken) GoString() string { return hidden }

// LogValue hides the token from slog.
func (AccessToken) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the token from JSON.
func (AccessToken) MarshalText() ([]byte, error) { return []byte(hidden), nil }

var (
	_ fmt.Stringer   = Password("")
	_ slog.LogValuer = RefreshToken("")
)
