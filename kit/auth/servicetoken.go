package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
)

// MinServiceKeyBytes is the least that HS256 deserves: as many bytes as its hash has.
const MinServiceKeyBytes = 32

// serviceKey is the shared key with the name that tokens give it: two keys can be told apart by the kid, so a token made
// with a replaced key is refused as such and not as tampered with.
type serviceKey struct {
	id     string
	secret []byte
}

// newServiceKey takes the bytes of SERVICE_AUTH_KEY (conf.Service.ServiceKey decodes them).
func newServiceKey(secret []byte) (serviceKey, error) {
	if len(secret) < MinServiceKeyBytes {
		return serviceKey{}, fmt.Errorf("the service key has %d bytes, it needs at least %d: make one with `openssl rand -base64 32`",
			len(secret), MinServiceKeyBytes)
	}
	hash := sha256.Sum256(append([]byte("libertaphonix service key\x00"), secret...))
	return serviceKey{id: shortID(hash[:]), secret: bytes.Clone(secret)}, nil
}

// ServiceTokens makes the tokens by which a service shows its name to the services it calls.
type ServiceTokens struct {
	self string
	key  serviceKey
	now  Clock
}

// NewServiceTokens makes the tokens of the service called self, signed with the shared key.
func NewServiceTokens(self string, key []byte, now Clock) (*ServiceTokens, error) {
	if self == "" {
		return nil, fmt.Errorf("a service token needs the name of its service")
	}
	own, err := newServiceKey(key)
	if err != nil {
		return nil, err
	}
	return &ServiceTokens{self: self, key: own, now: now}, nil
}

// Token makes a token for one call to audience. The person behind the call that ctx belongs to, if any, goes along as
// the actor. Signing takes microseconds, so nothing is cached and no token outlives its need.
func (s *ServiceTokens) Token(ctx context.Context, audience string) (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	now := s.now()
	claims := serviceClaims{Claims: jwt.Claims{
		Issuer:    s.self,
		Subject:   s.self,
		Audience:  jwt.Audience{audience},
		Expiry:    jwt.NewNumericDate(now.Add(ServiceTokenLife)),
		NotBefore: jwt.NewNumericDate(now),
		IssuedAt:  jwt.NewNumericDate(now),
		ID:        id.String(),
	}}
	if person := From(ctx).Person(); person.Kind == User {
		claims.Actor = &actor{Subject: person.Subject, Role: person.Role, Address: person.Address}
	}
	return sign(jose.HS256, s.key.id, s.key.secret, claims)
}
