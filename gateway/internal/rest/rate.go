package rest

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/libertaphonix/libertaphonix/kit/auth"
)

const (
	// userBudget is requests a minute per user. Not per address: a whole call centre is one address (lesson P57).
	userBudget = 600

	// addressBudget is requests a minute per address without a valid token: logins, refreshes, pages.
	addressBudget = 300

	// blindBudget is for tokens that cannot be verified because identity was never reached: a call centre's worth of
	// users behind one address, so that an outage of identity does not become one of everything.
	blindBudget = 20 * addressBudget

	// maxBuckets bounds the memory of the limits, about 10 MB. Who is pushed out begins with a full bucket.
	maxBuckets = 50_000
)

// limits counts requests, in this process alone: with replicas a user has as many budgets.
type limits struct {
	verifier *auth.Verifier
	now      auth.Clock
	buckets  *lru.Cache[string, *rate.Limiter]
}

func newLimits(verifier *auth.Verifier, now auth.Clock) (*limits, error) {
	buckets, err := lru.New[string, *rate.Limiter](maxBuckets)
	return &limits{verifier, now, buckets}, err
}

// admit takes one request from the caller's bucket. It answers who the caller is, when the token proves it, and how long
// to wait; 0 lets the request in. A refused request costs nothing, so that one who waits is let in.
func (l *limits) admit(r *http.Request, address netip.Addr) (user string, wait time.Duration) {
	key, budget := "address "+network(address), addressBudget
	if token, ok := bearer(r); ok {
		principal, err := l.verifier.Authenticate(r.Context(), token)
		var refusal *auth.Refusal
		switch {
		case err == nil:
			user, key, budget = principal.Subject, "user "+principal.Subject, userBudget
		case errors.As(err, &refusal) && refusal.Reason == auth.KeysUnavailable:
			key, budget = "blind "+network(address), blindBudget
		}
	}
	return user, l.take(key, budget)
}

func (l *limits) take(key string, budget int) time.Duration {
	bucket, ok := l.buckets.Get(key)
	if !ok {
		fresh := rate.NewLimiter(rate.Limit(float64(budget)/time.Minute.Seconds()), budget)
		if earlier, existed, _ := l.buckets.PeekOrAdd(key, fresh); existed {
			bucket = earlier
		} else {
			bucket = fresh
		}
	}
	now := l.now()
	turn := bucket.ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if wait > 0 {
		turn.CancelAt(now)
	}
	return wait
}

// network is who shares a bucket: one IPv4 address, or the /64 that every IPv6 subscriber has whole.
func network(address netip.Addr) string {
	if address.Is6() {
		if prefix, err := address.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return address.String()
}

// bearer is the token of the Authorization header.
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "bearer")
}
