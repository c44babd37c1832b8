package ecomanagersim

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// handClock is a clock that tests move by hand.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func clockedServer(t testing.TB, orders int) (*Server, *handClock) {
	t.Helper()
	clock := &handClock{now: noon}
	cfg := twoTenants(orders)
	cfg.Clock = clock.Now
	return newServer(t, cfg), clock
}

func TestEachWindowEndsAtItsNumberAndOpensAgainWhenRetryAfterSays(t *testing.T) {
	const many = 1_000_000
	for _, c := range []struct {
		window Window
		quota  Quota
		number int
		wait   int
	}{
		{Second, Quota{On: true}, 5, 1},
		{Minute, Quota{On: true, PerSecond: many}, 50, 60},
		{Hour, Quota{On: true, PerSecond: many, PerMinute: many}, 1000, 3600},
		{Day, Quota{On: true, PerSecond: many, PerMinute: many, PerHour: many}, 10_000, 86_400},
		{Hour, Quota{On: true, PerSecond: many, PerMinute: many, PerHour: 7, Speed: 60}, 7, 60},
	} {
		s, clock := clockedServer(t, 1)
		if err := s.SetQuota(c.quota); err != nil {
			t.Fatal(err)
		}
		for i := range c.number {
			resp := ask(t, s, "east", "a", "/orders?per_page=1")
			if left := resp.Header.Get("X-RateLimit-Remaining"); resp.StatusCode != http.StatusOK || left != strconv.Itoa(c.number-i-1) {
				t.Fatalf("%s: request %d answers %d with %q left", c.window, i+1, resp.StatusCode, left)
			}
		}
		resp := ask(t, s, "east", "a", "/orders?per_page=1")
		if after := resp.Header.Get("Retry-After"); resp.StatusCode != http.StatusTooManyRequests || after != strconv.Itoa(c.wait) ||
			resp.Header.Get("X-RateLimit-Limit") != strconv.Itoa(c.number) {
			t.Errorf("%s: past the limit %d, Retry-After %q, want %d", c.window, resp.StatusCode, after, c.wait)
		}
		if resp := ask(t, s, "east", "b", "/orders?per_page=1"); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: the limit of one token reached another: %d", c.window, resp.StatusCode)
		}
		clock.pass(time.Duration(c.wait)*time.Second - time.Millisecond)
		if resp := ask(t, s, "east", "a", "/orders"); resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s: a moment early: %d", c.window, resp.StatusCode)
		}
		clock.pass(time.Millisecond)
		if resp := ask(t, s, "east", "a", "/orders"); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: after Retry-After: %d", c.window, resp.StatusCode)
		}
		counts, _ := s.Requests()
		if counts[0].Limited != 2 {
			t.Errorf("%s: %d requests are counted as limited", c.window, counts[0].Limited)
		}
	}
}

func TestAQuotaIsOffUntilAskedForAndMayHideItsHeaders(t *testing.T) {
	s, _ := clockedServer(t, 1)
	for range 20 {
		if resp := ask(t, s, "east", "a", "/orders"); resp.StatusCode != http.StatusOK || resp.Header.Get("X-RateLimit-Limit") != "" {
			t.Fatal("a quota nobody asked for")
		}
	}
	if err := s.SetShopQuota("east", "a", Quota{On: true, PerSecond: 1, WithoutRetryAfter: true, WithoutHeaders: true}); err != nil {
		t.Fatal(err)
	}
	ask(t, s, "east", "a", "/orders")
	resp := ask(t, s, "east", "a", "/orders")
	for _, name := range []string{"Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get(name) != "" {
			t.Errorf("%d with %s: %q", resp.StatusCode, name, resp.Header.Get(name))
		}
	}
	if resp := ask(t, s, "east", "b", "/orders"); resp.StatusCode != http.StatusOK {
		t.Errorf("the other shop: %d", resp.StatusCode)
	}
}

func TestASpentHourIsRefusedUntilItIsOver(t *testing.T) {
	s, clock := clockedServer(t, 1)
	if err := s.SpendQuota("east", "a", Hour); err == nil {
		t.Error("a quota that is off was spent")
	}
	if err := s.SetQuota(Quota{On: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.SpendQuota("east", "a", Hour); err != nil {
		t.Fatal(err)
	}
	if err := s.SpendQuota("east", "a", "YEAR"); err == nil {
		t.Error("a year was spent")
	}
	clock.pass(20 * time.Minute)
	if resp := ask(t, s, "east", "a", "/orders"); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "2400" {
		t.Errorf("%d, Retry-After %s", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	// A new token is a new counter.
	if _, err := s.RegenerateToken("east", "a"); err != nil {
		t.Fatal(err)
	}
	if resp := ask(t, s, "east", "a", "/orders"); resp.StatusCode != http.StatusOK {
		t.Errorf("with the new token: %d", resp.StatusCode)
	}
}
