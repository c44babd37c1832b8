package grpcserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

const (
	authorizationKey = "authorization"

	// clientAddressKey carries the address of the browser, which only the gateway sees.
	clientAddressKey = "x-client-address"

	// gatewayName is the name in the gateway's certificate, where there are certificates.
	gatewayName = "gateway"
)

// authentication finds out who calls and applies the rule of the method.
//
// On a method for everybody a bad token is the same as none: who logs in again, or logs out, does so because the old
// token is no longer good.
func authentication(rules map[string]auth.Rule, verifier *auth.Verifier) around {
	return func(ctx context.Context, method string, next func(context.Context) error) error {
		rule := rules[method]
		address, names, mutual := caller(ctx)
		if mutual {
			ctx = auth.WithPeerNames(ctx, names)
		}
		p, err := principal(ctx, verifier)
		if err != nil {
			if !rule.Anonymous {
				return refusal(err).ForRequest(ctx)
			}
			p = auth.Principal{}
		}
		p.Address = address
		if p.Kind != auth.Service {
			p.Address = clientAddress(ctx, address, !mutual || slices.Contains(names, gatewayName))
		}
		callOf(ctx).principal = p
		if !rule.Allows(p) {
			return denial(p).ForRequest(ctx)
		}
		return next(auth.With(ctx, p))
	}
}

func principal(ctx context.Context, verifier *auth.Verifier) (auth.Principal, error) {
	values := metadata.ValueFromIncomingContext(ctx, authorizationKey)
	if len(values) == 0 {
		return auth.Principal{}, nil
	}
	if len(values) > 1 { // two answers to the question who calls are none
		return auth.Principal{}, &auth.Refusal{Reason: auth.TokenInvalid, Flaw: auth.FlawForm}
	}
	return verifier.Authenticate(ctx, auth.BearerToken(values[0]))
}

// refusal is a refused token on the wire.
func refusal(err error) *rpcerr.Error {
	var r *auth.Refusal
	if !errors.As(err, &r) {
		return rpcerr.Internal(err)
	}
	if r.Reason == auth.KeysUnavailable {
		return rpcerr.New(codes.Unavailable, r.Reason, rpcerr.PlumbingDomain, "%s", r.Error()).
			RetryAfter(rpcerr.UnavailableRetry).Cause(r.Cause)
	}
	e := rpcerr.New(codes.Unauthenticated, r.Reason, rpcerr.PlumbingDomain, "%s", r.Error()).Cause(r.Cause)
	if r.Flaw != "" {
		e = e.With("flaw", string(r.Flaw))
	}
	return e
}

// denial tells those who should log in from those for whom that would not help.
func denial(p auth.Principal) *rpcerr.Error {
	if p.Kind == auth.Anonymous {
		return refusal(&auth.Refusal{Reason: auth.TokenMissing})
	}
	r := &auth.Refusal{Reason: auth.PermissionDenied}
	return rpcerr.New(codes.PermissionDenied, r.Reason, rpcerr.PlumbingDomain, "%s", r.Error())
}

// caller is the other end of the connection: its address, and with mutual TLS the names in its certificate.
func caller(ctx context.Context) (address string, names []string, mutual bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "", nil, false
	}
	if host, _, err := net.SplitHostPort(p.Addr.String()); err == nil {
		address = host
	}
	tlsInfo, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(tlsInfo.State.VerifiedChains) == 0 {
		return address, nil, false
	}
	leaf := tlsInfo.State.PeerCertificates[0]
	names = slices.Clone(leaf.DNSNames)
	if leaf.Subject.CommonName != "" {
		names = append(names, leaf.Subject.CommonName)
	}
	return address, names, true
}

// clientAddress is where a person calls from. The gateway's word is taken only where it can be the gateway's: with
// certificates, from the gateway alone; without, the network policy is what keeps others away from this port.
func clientAddress(ctx context.Context, connection string, trusted bool) string {
	values := metadata.ValueFromIncomingContext(ctx, clientAddressKey)
	if !trusted || len(values) != 1 {
		return connection
	}
	said, err := netip.ParseAddr(values[0])
	if err != nil {
		return connection
	}
	return said.Unmap().String()
}
