package auth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// accepted is the whole list of algorithms. The algorithm of a token picks the kind of token, and the kind picks the
// keys: a public Ed25519 key can never be tried as an HMAC secret.
var accepted = []jose.SignatureAlgorithm{jose.EdDSA, jose.HS256}

// Verifier turns the token of a request into a Principal, or refuses it with a reason.
type Verifier struct {
	self       string
	serviceKey *serviceKey // nil: service tokens are refused
	keys       *Keys
	now        Clock
}

// NewVerifier makes the verifier of the service called self. Service tokens are verified with key, the bytes of
// SERVICE_AUTH_KEY; the gateway has none and refuses them all, and so does a key too short to be one (NewServiceTokens,
// made from the same bytes, reports that at start). User tokens are verified with keys.
func NewVerifier(self string, key []byte, keys *Keys, now Clock) *Verifier {
	v := &Verifier{self: self, keys: keys, now: now}
	if shared, err := newServiceKey(key); err == nil {
		v.serviceKey = &shared
	}
	return v
}

// Authenticate says who shows this token; every error is a *Refusal. With mutual TLS, ctx carries the names of the
// certificate (WithPeerNames). Order of the checks: size, form, key, signature, and only then what the token says.
func (v *Verifier) Authenticate(ctx context.Context, token string) (Principal, error) {
	if token == "" {
		return Principal{}, &Refusal{Reason: TokenMissing}
	}
	if len(token) > MaxTokenBytes {
		return Principal{}, invalid(FlawOversized, nil)
	}
	parsed, err := jwt.ParseSigned(token, accepted)
	if err != nil {
		var algorithm *jose.ErrUnexpectedSignatureAlgorithm
		if errors.As(err, &algorithm) {
			return Principal{}, invalid(FlawAlgorithm, err)
		}
		return Principal{}, invalid(FlawForm, err)
	}
	if len(parsed.Headers) != 1 || parsed.Headers[0].KeyID == "" {
		return Principal{}, invalid(FlawKey, nil)
	}
	header := parsed.Headers[0]
	if jose.SignatureAlgorithm(header.Algorithm) == jose.EdDSA {
		return v.user(ctx, parsed, header.KeyID)
	}
	return v.service(ctx, parsed, header.KeyID)
}

func (v *Verifier) user(ctx context.Context, token *jwt.JSONWebToken, kid string) (Principal, error) {
	key, err := v.keys.Find(ctx, kid)
	if err != nil {
		return Principal{}, err
	}
	var claims userClaims
	if err := token.Claims(key, &claims); err != nil {
		return Principal{}, invalid(FlawSignature, err)
	}
	if claims.Issuer != UserIssuer {
		return Principal{}, invalid(FlawIssuer, nil)
	}
	if err := v.check(claims.Claims, UserAudience, UserTokenLife); err != nil {
		return Principal{}, err
	}
	if claims.Subject == "" || claims.Session == "" || claims.Role == "" {
		return Principal{}, invalid(FlawClaims, errors.New("a user token without subject, session or role"))
	}
	return Principal{
		Kind: User, Subject: claims.Subject, Email: claims.Email, Name: claims.Name, Role: claims.Role,
		Session: claims.Session, ExpiresAt: claims.Expiry.Time(),
	}, nil
}

func (v *Verifier) service(ctx context.Context, token *jwt.JSONWebToken, kid string) (Principal, error) {
	if v.serviceKey == nil || v.serviceKey.id != kid {
		return Principal{}, invalid(FlawKey, nil)
	}
	var claims serviceClaims
	if err := token.Claims(v.serviceKey.secret, &claims); err != nil {
		return Principal{}, invalid(FlawSignature, err)
	}
	// All services share the key, so the name is a claim of one who has it; the certificate, where there is one, proves it.
	if claims.Issuer == "" || claims.Issuer != claims.Subject {
		return Principal{}, invalid(FlawIssuer, nil)
	}
	if names, mutual := peerNames(ctx); mutual && !slices.Contains(names, claims.Issuer) {
		return Principal{}, invalid(FlawPeer, nil)
	}
	if err := v.check(claims.Claims, v.self, ServiceTokenLife); err != nil {
		return Principal{}, err
	}
	p := Principal{Kind: Service, Subject: claims.Issuer, Service: claims.Issuer, ExpiresAt: claims.Expiry.Time()}
	if a := claims.Actor; a != nil {
		if a.Subject == "" || a.Role == "" {
			return Principal{}, invalid(FlawClaims, errors.New("an actor without subject or role"))
		}
		p.Actor = &Principal{Kind: User, Subject: a.Subject, Role: a.Role, Address: a.Address}
	}
	return p, nil
}

// check holds the claims that both kinds share. A token must say when it was made and when it ends, and may not live
// longer than its kind does: one that never ends is refused even with a good signature.
func (v *Verifier) check(c jwt.Claims, audience string, life time.Duration) error {
	if len(c.Audience) != 1 || c.Audience[0] != audience {
		return invalid(FlawAudience, nil)
	}
	if c.Expiry == nil || c.IssuedAt == nil || c.ID == "" {
		return invalid(FlawClaims, errors.New("a token without exp, iat or jti"))
	}
	now := v.now()
	if c.IssuedAt.Time().After(now.Add(Leeway)) || c.NotBefore != nil && c.NotBefore.Time().After(now.Add(Leeway)) {
		return invalid(FlawNotYetValid, nil)
	}
	if !now.Before(c.Expiry.Time().Add(Leeway)) {
		return &Refusal{Reason: TokenExpired}
	}
	if c.Expiry.Time().Sub(c.IssuedAt.Time()) > life {
		return invalid(FlawLifetime, nil)
	}
	return nil
}
