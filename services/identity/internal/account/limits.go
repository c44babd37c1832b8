package account

import "time"

// The limits of guessing (DESIGN 8). Only failures count: thirty agents log in from one office address every morning (lesson P57).
const (
	FailuresPerPair    = 10               // of one account from one address (of IPv6: one /64)…
	PairWindow         = 15 * time.Minute // …in this time; then that pair must wait
	FailuresPerHour    = 50               // of one account from anywhere…
	AccountWindow      = time.Hour        // …in this time; then its answers are slow
	SlowAnswer         = 2 * time.Second  // never a lock: that would let anybody shut a colleague out
	RefreshesAMinute   = 20               // of one session; several tabs refresh at once, nobody else does
	refreshWindow      = time.Minute
	ReplayWindow       = 30 * time.Second    // a rotated token shown again within it gets the same successor
	SuccessorLife      = 2 * ReplayWindow    // how long that successor is kept: a replica whose clock is behind still answers it
	SessionIdleLife    = 7 * 24 * time.Hour  // a session not refreshed for so long has ended
	SessionLongestLife = 30 * 24 * time.Hour // and every session ends after this, refreshed or not
)

// Failures is what counts against one login: the failures of its account and address, as stored.
type Failures struct {
	// TenthNewest is when the FailuresPerPair-newest failure of the pair within PairWindow happened; nil with fewer.
	TenthNewest *time.Time
	// OfAccount counts the account's failures within AccountWindow, from anywhere, up to FailuresPerHour.
	OfAccount int
}

// Wait is how long this pair must not try at all; zero when it may. It ends when the tenth newest failure leaves the window.
func (f Failures) Wait(now time.Time) time.Duration {
	if f.TenthNewest == nil {
		return 0
	}
	return max(0, f.TenthNewest.Add(PairWindow).Sub(now))
}

// refusal is Wait as the error that answers it.
func (f Failures) refusal(now time.Time) error {
	if wait := f.Wait(now); wait > 0 {
		return LimitedError{What: "login", After: wait}
	}
	return nil
}

// Slow reports whether the account's answers are slowed.
func (f Failures) Slow() bool { return f.OfAccount >= FailuresPerHour }
