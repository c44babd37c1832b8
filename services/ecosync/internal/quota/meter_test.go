package quota_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// counter is a quota in memory, and a shop that answers with fault.
type counter struct {
	quota.State
	now   time.Time
	asked int
	fault error
}

func (c *counter) Fingerprint(context.Context, shop.Token) ([]byte, error) { return []byte("f"), nil }

func (c *counter) ReserveToken(_ context.Context, _ []byte, s quota.Share) (wait time.Time, err error) {
	c.State, wait = c.Take(c.now, s)
	return wait, nil
}

func (c *counter) BlockToken(_ context.Context, _ []byte, until time.Time) error {
	c.BlockedUntil = until
	return nil
}

func (c *counter) Probe(context.Context, shop.Access) (shop.Page, error) {
	c.asked++
	return shop.Page{}, c.fault
}

func (c *counter) Order(context.Context, shop.Access, int64) (shop.Row, error) {
	c.asked++
	return shop.Row{}, c.fault
}

func TestATestSpendsTheTokensQuotaAndNobodySleepsInIt(t *testing.T) {
	c := &counter{now: noon}
	m := quota.NewMeter(c, c, c, func() time.Time { return c.now })
	if _, err := m.Probe(t.Context(), shop.Access{}); err != nil || c.Windows[0].Spent != 1 {
		t.Fatalf("%v, %+v", err, c.State)
	}
	c.fault = shop.NewFault(shop.RateLimited, 429, nil)
	if _, err := m.Order(t.Context(), shop.Access{}, 1); shop.ClassOf(err) != shop.RateLimited || !c.BlockedUntil.Equal(noon.Add(time.Minute)) {
		t.Errorf("a 429 that names no time: %v, blocked until %s (lesson P11)", err, c.BlockedUntil)
	}
	c.fault = nil
	var fault *shop.Fault
	if _, err := m.Probe(t.Context(), shop.Access{}); !errors.As(err, &fault) || fault.RetryAfter != time.Minute || c.asked != 2 {
		t.Errorf("a blocked token: %v, the shop was asked %d times (lesson P3)", err, c.asked)
	}
	c.now = noon.Add(time.Minute)
	if _, err := m.Probe(t.Context(), shop.Access{}); err != nil || c.asked != 3 {
		t.Errorf("after the block: %v", err)
	}
}
