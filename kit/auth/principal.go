package auth

import (
	"context"
	"time"
)

// Kind says what sort of caller a Principal is.
type Kind int

// The zero Principal is anonymous: forgetting to authenticate gives no rights.
const (
	Anonymous Kind = iota
	User
	Service
)

// String is the word used in logs.
func (k Kind) String() string {
	switch k {
	case User:
		return "user"
	case Service:
		return "service"
	default:
		return "anonymous"
	}
}

// Principal is the caller of one request, as its token proved it.
type Principal struct {
	Kind    Kind
	Subject string // user id, or the name of the service; empty when anonymous
	Email   string // of a user, when the token tells it
	Name    string // of a user, when the token tells it
	Role    string // of a user: ADMIN, MANAGER, AGENT_SUIVI
	Service string // of a service: orders, ecosync, …
	Session string // of a user: the session that the token belongs to
	Address string // where the person or the service calls from; for the audit, never for a decision of rights
	// Actor is the person a service acts for, as that service vouches; nil when it acts by itself.
	Actor     *Principal
	ExpiresAt time.Time // when the token ends; zero when anonymous
}

// Person is who is behind the call: the user, or the person a service acts for, or else the caller itself.
func (p Principal) Person() Principal {
	if p.Kind == Service && p.Actor != nil {
		return *p.Actor
	}
	return p
}

type principalKey struct{}

// With puts the caller into a context.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From is the caller of the request; anonymous when nobody was authenticated.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

type peerNamesKey struct{}

// WithPeerNames notes the names in the verified certificate of the other end (mutual TLS). A service token whose issuer
// is none of them is refused, so that a stolen shared key is of no use without the certificate that belongs to the name.
func WithPeerNames(ctx context.Context, names []string) context.Context {
	return context.WithValue(ctx, peerNamesKey{}, names)
}

func peerNames(ctx context.Context) (names []string, mutual bool) {
	names, mutual = ctx.Value(peerNamesKey{}).([]string)
	return names, mutual
}
