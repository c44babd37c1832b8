package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/auth"
)

func TestABodyOverTheLimitIsRefusedWithAndWithoutALength(t *testing.T) {
	s := newSuite(t)
	large := `{"reason":"` + strings.Repeat("x", maxBody) + `"}`
	const path = "/api/v1/orders/12:changeStatus"
	refused(t, s.call(t, http.MethodPost, path, large), http.StatusRequestEntityTooLarge, "INVALID_REQUEST")

	chunked := httptest.NewRequest(http.MethodPost, path, io.MultiReader(strings.NewReader(large)))
	chunked.ContentLength = -1
	chunked.Header.Set("Content-Type", "application/json")
	refused(t, s.do(chunked), http.StatusRequestEntityTooLarge, "INVALID_REQUEST")
	if s.orders.calls != 0 {
		t.Error("the service was asked all the same")
	}
}

func TestALongAddressAndLargeHeadersAreRefused(t *testing.T) {
	s := newSuite(t)
	refused(t, s.call(t, http.MethodGet, "/api/v1/orders?q="+strings.Repeat("x", maxTarget), ""), http.StatusRequestURITooLong, "INVALID_REQUEST")
	refused(t, s.call(t, http.MethodGet, "/api/v1/orders", "", "X-Filler", strings.Repeat("x", maxHeaders)), http.StatusRequestHeaderFieldsTooLarge, "INVALID_REQUEST")
}

// spend answers how many requests a caller still had, and the refusal of the one after them. Only the first and the last
// are really sent; what lies between is taken from the bucket that the first one was counted in.
func spend(t *testing.T, s *suite, remote, authorization string) (int, *httptest.ResponseRecorder) {
	t.Helper()
	send := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/openapi.json", nil)
		r.RemoteAddr = remote
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		return s.do(r)
	}
	if w := send(); w.Code != http.StatusOK {
		return 0, w
	}
	keys := s.handler.limits.buckets.Keys()
	bucket, _ := s.handler.limits.buckets.Peek(keys[len(keys)-1]) // the one used last
	left := int(bucket.TokensAt(s.clock.read()))
	bucket.AllowN(s.clock.read(), left)
	return 1 + left, send()
}

func TestAUserHas600RequestsAMinuteWhateverTheAddress(t *testing.T) {
	s := newSuite(t)
	token := s.token(t, "agent-1")
	n, w := spend(t, s, "203.0.113.9:1", token)
	if n != userBudget {
		t.Errorf("%d requests were let in, want %d", n, userBudget)
	}
	refused(t, w, http.StatusTooManyRequests, "RATE_LIMITED")
	wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
	must(t, err)

	r := httptest.NewRequest(http.MethodGet, "/openapi.json", nil)
	r.RemoteAddr = "198.51.100.1:1" // another address helps nobody
	r.Header.Set("Authorization", token)
	refused(t, s.do(r.Clone(t.Context())), http.StatusTooManyRequests, "RATE_LIMITED")
	s.clock.move(time.Duration(wait) * time.Second)
	answered(t, s.do(r), http.StatusOK) // who waits as told is let in
}

func TestACallCentreBehindOneAddressIsManyUsers(t *testing.T) {
	s := newSuite(t)
	for _, agent := range []string{"agent-1", "agent-2", "agent-3"} {
		if n, _ := spend(t, s, "203.0.113.9:1", s.token(t, agent)); n != userBudget {
			t.Errorf("%s got %d requests, want %d", agent, n, userBudget)
		}
	}
}

func TestWithoutAValidTokenTheAddressCounts(t *testing.T) {
	s := newSuite(t)
	expired := s.token(t, "agent-1")
	s.clock.move(time.Hour)
	for i, authorization := range []string{"", "Bearer nonsense", "Basic abc", expired} {
		remote := "203.0.113." + strconv.Itoa(i) + ":1"
		if n, _ := spend(t, s, remote, authorization); n != addressBudget {
			t.Errorf("%q got %d requests, want %d", authorization, n, addressBudget)
		}
	}
}

func TestIPv6SubscribersCountByTheirNetwork(t *testing.T) {
	s := newSuite(t)
	spend(t, s, "[2001:db8::1]:1", "")
	if n, _ := spend(t, s, "[2001:db8::ffff]:1", ""); n != 0 {
		t.Errorf("a second address of one network got %d requests of its own", n)
	}
	if n, _ := spend(t, s, "[2001:db8:0:1::1]:1", ""); n != addressBudget {
		t.Errorf("the next network got %d requests, want %d", n, addressBudget)
	}
}

func TestAnOutageOfIdentityDoesNotStarveACallCentre(t *testing.T) {
	s := newSuite(t, func(o *Options) {
		keys := auth.NewKeys(func(context.Context) ([]byte, error) { return nil, errors.New("down") }, nil, o.Now)
		o.Verifier = auth.NewVerifier("gateway", nil, keys, o.Now)
	})
	if n, _ := spend(t, s, "203.0.113.9:1", s.token(t, "agent-1")); n != blindBudget {
		t.Errorf("%d requests were let in, want %d", n, blindBudget)
	}
}

func TestProbesAreNeverRefused(t *testing.T) {
	s := newSuite(t)
	spend(t, s, "192.0.2.1:1234", "") // the address of httptest's requests
	answered(t, s.call(t, http.MethodGet, "/healthz", ""), http.StatusOK)
	refused(t, s.call(t, http.MethodGet, "/", ""), http.StatusTooManyRequests, "RATE_LIMITED")
}

func TestTheMemoryOfTheLimitsIsBounded(t *testing.T) {
	l, err := newLimits(nil, time.Now)
	must(t, err)
	for i := range maxBuckets + 1000 {
		l.take("address "+netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String(), addressBudget)
	}
	if l.buckets.Len() != maxBuckets {
		t.Errorf("%d buckets are kept, want %d", l.buckets.Len(), maxBuckets)
	}
}

func TestAPanicIsAnInternalErrorWithItsTraceInTheLogAlone(t *testing.T) {
	h := recoverPanic(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the bug") }))
	v := &visit{requestID: "r-1"}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", v.requestID)
	h.ServeHTTP(w, r.WithContext(withVisit(r.Context(), v)))
	body := refused(t, w, http.StatusInternalServerError, "INTERNAL")
	if strings.Contains(body.Message, "bug") {
		t.Errorf("says %q", body.Message)
	}
	if v.cause == nil || !strings.Contains(v.cause.Error(), "limits_test.go") {
		t.Errorf("the cause is %v, want a trace", v.cause)
	}
}

func TestAPanicInTheMiddleOfAnAnswerBreaksTheConnection(t *testing.T) {
	h := recoverPanic(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("the bug")
	}))
	defer func() {
		if crash := recover(); !aborted(crash) {
			t.Errorf("recovered %v, want ErrAbortHandler", crash)
		}
	}()
	h.ServeHTTP(&answer{ResponseWriter: httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/", nil))
}
