package rest

import (
	"context"
	"net/netip"
	"time"

	"google.golang.org/grpc/codes"
)

// visit is what the layers of one request tell each other. It is written by the goroutine of the request alone.
type visit struct {
	started   time.Time
	requestID string
	method    string     // as sent, also when HEAD is routed as GET
	address   netip.Addr // of the client, behind the proxies we trust
	cookie    string     // refresh token that came as a cookie
	agent     string     // User-Agent, cut down to what may be passed on

	route        string     // the pattern that matched: the only form in which a path is ever logged
	user         string     // id of the verified user; empty when anonymous
	bodyTooLarge bool       // reading the body went over the limit
	code         codes.Code // what the answer says
	cause        error      // for the log: what the caller is not told
}

// unrouted stands for the route of a request that matched none: a path chosen by a stranger is neither logged nor counted.
const unrouted = "unmatched"

type visitKey struct{}

func withVisit(ctx context.Context, v *visit) context.Context {
	return context.WithValue(ctx, visitKey{}, v)
}

// visitOf is the visit of a request; never nil, so that a handler can be tested without the layers.
func visitOf(ctx context.Context) *visit {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{route: unrouted}
}
