package passtest

import (
	"context"
	"sync"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
)

// Quota is a pass.Quota in memory, on the arithmetic of internal/quota.
type Quota struct {
	mu     sync.Mutex
	states map[string]quota.State
	// Free lets every request through; blocks hold all the same.
	Free bool
}

// Reserve implements pass.Quota.
func (q *Quota) Reserve(_ context.Context, storeID string, share quota.Share) (wait time.Time, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if s := q.states[storeID].At(now); q.Free {
		return s.BlockedUntil, nil
	}
	after, wait := q.states[storeID].Take(now, share)
	q.keep(storeID, after)
	return wait, nil
}

// Block implements pass.Quota.
func (q *Quota) Block(_ context.Context, storeID string, until time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.states[storeID]; until.After(s.BlockedUntil) {
		s.BlockedUntil = until
		q.keep(storeID, s)
	}
	return nil
}

// Spend takes n requests of the day at once, for tests of a spent window.
func (q *Quota) Spend(storeID string, window int, n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.states[storeID]
	s.Windows[window] = quota.Window{Began: time.Now(), Spent: n}
	q.keep(storeID, s)
}

func (q *Quota) keep(storeID string, s quota.State) {
	if q.states == nil {
		q.states = map[string]quota.State{}
	}
	q.states[storeID] = s
}
