package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
)

// SigningKey is the private half of a user-token key, which only identity has.
type SigningKey struct {
	ID      string // the kid
	Private ed25519.PrivateKey
}

// NewSigningKey makes a key and names it after the hash of its public half.
func NewSigningKey() (SigningKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return SigningKey{}, err
	}
	hash := sha256.Sum256(public)
	return SigningKey{ID: shortID(hash[:]), Private: private}, nil
}

// Public is the half to publish.
func (k SigningKey) Public() PublicKey {
	return PublicKey{ID: k.ID, Key: k.Private.Public().(ed25519.PublicKey)}
}

// Issuer signs user tokens, for identity. It holds no key: which one signs is asked for each token, because keys rotate.
type Issuer struct {
	current func(context.Context) (SigningKey, error)
	now     Clock
}

// NewIssuer makes an issuer that signs with the key that current answers.
func NewIssuer(current func(context.Context) (SigningKey, error), now Clock) *Issuer {
	return &Issuer{current: current, now: now}
}

// Person is what a user token says about its bearer.
type Person struct {
	Subject string // user id
	Session string // session id
	Role    string
	Email   string // optional
	Name    string // optional
}

// Issue makes an access token for a person, and says when it ends.
func (i *Issuer) Issue(ctx context.Context, p Person) (token string, expires time.Time, err error) {
	if p.Subject == "" || p.Session == "" || p.Role == "" {
		return "", time.Time{}, fmt.Errorf("a user token needs subject, session and role")
	}
	key, err := i.current(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("find the signing key: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", time.Time{}, err
	}
	now := i.now().Truncate(time.Second) // a token counts whole seconds
	expires = now.Add(UserTokenLife)
	token, err = sign(jose.EdDSA, key.ID, key.Private, userClaims{
		Claims: jwt.Claims{
			Issuer:    UserIssuer,
			Subject:   p.Subject,
			Audience:  jwt.Audience{UserAudience},
			Expiry:    jwt.NewNumericDate(expires),
			NotBefore: jwt.NewNumericDate(now),
			IssuedAt:  jwt.NewNumericDate(now),
			ID:        id.String(),
		},
		Session: p.Session, Role: p.Role, Email: p.Email, Name: p.Name,
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign the token: %w", err)
	}
	return token, expires, nil
}
