package auth

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// UserIssuer and UserAudience stand in every user token. The audience is the suite: one token opens every service,
	// each of which then applies its own rules.
	UserIssuer   = "libertaphonix/identity"
	UserAudience = "libertaphonix"

	// UserTokenLife is how long an access token lives (DESIGN 8). There is no revocation list: this is also how long a
	// disabled user may go on, so it is short.
	UserTokenLife = 15 * time.Minute

	// ServiceTokenLife covers the connection attempts and retries of one call, and little else.
	ServiceTokenLife = 60 * time.Second

	// MaxTokenBytes bounds the work that an unauthenticated caller can cause; a token of ours has some 600 bytes.
	MaxTokenBytes = 4 << 10

	// Leeway is how far the clocks of two hosts may lie apart.
	Leeway = 5 * time.Second
)

// Clock tells the time; time.Now outside of tests.
type Clock func() time.Time

// BearerToken is the token of an authorization header. A header of another scheme, or none, gives "".
func BearerToken(header string) string {
	scheme, token, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// userClaims is the payload of a user token.
type userClaims struct {
	jwt.Claims
	Session string `json:"sid"`
	Role    string `json:"role"`
	Email   string `json:"email,omitempty"`
	Name    string `json:"name,omitempty"`
}

// serviceClaims is the payload of a service token.
type serviceClaims struct {
	jwt.Claims
	Actor *actor `json:"act,omitempty"`
}

// actor is the person a service acts for. The callee believes the service, which is why only listed services get in.
type actor struct {
	Subject string `json:"sub"`
	Role    string `json:"role"`
	Address string `json:"address,omitempty"`
}

// sign makes a compact token with the kid that every token of ours must carry.
func sign(alg jose.SignatureAlgorithm, kid string, key any, claims any) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", kid)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// shortID is a key's name made of its hash, so that no two keys share one and the key cannot be read from it.
func shortID(hash []byte) string { return base64.RawURLEncoding.EncodeToString(hash[:9]) }
