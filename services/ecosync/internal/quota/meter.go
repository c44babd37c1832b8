package quota

import (
	"context"
	"errors"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// Counter counts requests of tokens, whether or not a store has them yet.
type Counter interface {
	// ReserveToken takes one request from every window, or answers when to try
	// again; zero means reserved.
	ReserveToken(ctx context.Context, fingerprint []byte, share Share) (wait time.Time, err error)
	// BlockToken keeps everybody from asking until then.
	BlockToken(ctx context.Context, fingerprint []byte, until time.Time) error
}

// Fingerprints names tokens without telling them.
type Fingerprints interface {
	Fingerprint(ctx context.Context, token shop.Token) ([]byte, error)
}

// Shops is the client of a shop. Errors are *shop.Fault.
type Shops interface {
	Probe(ctx context.Context, a shop.Access) (shop.Page, error)
	Order(ctx context.Context, a shop.Access, id int64) (shop.Row, error)
}

// patience is what a person's request waits for a second to be over. A longer
// wait is told: nobody sleeps inside a call (lesson P3).
const patience = 3 * time.Second

// Meter lets single requests through to shops as far as their tokens' quota
// goes: connection tests and single reads. A request that would have to wait
// gets the answer that the shop itself would give.
type Meter struct {
	shops   Shops
	tokens  Fingerprints
	counter Counter
	now     func() time.Time
}

// NewMeter puts a meter in front of shops.
func NewMeter(shops Shops, tokens Fingerprints, counter Counter, now func() time.Time) *Meter {
	return &Meter{shops: shops, tokens: tokens, counter: counter, now: now}
}

// Probe reads the first rows of the listing.
func (m *Meter) Probe(ctx context.Context, a shop.Access) (page shop.Page, err error) {
	err = m.through(ctx, a.Token, func() error {
		page, err = m.shops.Probe(ctx, a)
		return err
	})
	return page, err
}

// Order reads one order.
func (m *Meter) Order(ctx context.Context, a shop.Access, id int64) (row shop.Row, err error) {
	err = m.through(ctx, a.Token, func() error {
		row, err = m.shops.Order(ctx, a, id)
		return err
	})
	return row, err
}

func (m *Meter) through(ctx context.Context, token shop.Token, send func() error) error {
	fingerprint, err := m.tokens.Fingerprint(ctx, token)
	if err != nil {
		return err
	}
	for deadline := m.now().Add(patience); ; {
		until, err := m.counter.ReserveToken(ctx, fingerprint, Live)
		if err != nil {
			return err
		}
		if until.IsZero() {
			break
		}
		wait := until.Sub(m.now())
		if until.After(deadline) {
			fault := shop.NewFault(shop.RateLimited, 0, nil)
			fault.RetryAfter = wait
			return fault
		}
		select {
		case <-time.After(max(wait, 10*time.Millisecond)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err = send()
	var fault *shop.Fault
	if errors.As(err, &fault) && fault.Class == shop.RateLimited {
		wait := fault.RetryAfter
		if wait == shop.RetryAfterUnknown {
			wait = Unsaid
		}
		return errors.Join(err, m.counter.BlockToken(ctx, fingerprint, m.now().Add(wait)))
	}
	return err
}
