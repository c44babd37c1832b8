// Package quota is the arithmetic of what a shop allows per token.
//
// It owns the four windows, the budget that is spent of them and the share that
// background walks may have. It counts nothing itself and does no I/O: a
// counter (internal/postgres) keeps a State per token and asks here. Start
// reading at State.Take.
package quota

import "time"

// Windows is how many there are: second, minute, hour, day.
const Windows = 4

// budget is the part, in per cent, that is spent of what the shop allows: the
// rest is room for the shop's clock, and for whoever else uses the token.
const budget = 80

// allowed is what the shop allows in each window (documented limits of the API).
var allowed = [Windows]struct {
	length   time.Duration
	requests int64
}{
	{time.Second, 5},
	{time.Minute, 50},
	{time.Hour, 1_000},
	{24 * time.Hour, 10_000},
}

// Unsaid is how long a 429 that names no time keeps everybody from asking.
const Unsaid = time.Minute

// Share is what part of every window a walk may use.
type Share int

const (
	// Live may spend the whole budget: passes, tests and single reads.
	Live Share = iota
	// Background is for rescan and backfill, which together may spend half of
	// it, so that a history never starves the present.
	Background
)

// Length of a window.
func Length(window int) time.Duration { return allowed[window].length }

// Limit is what a share may spend in a window. It is at least 1: a share of
// nothing would wait for ever.
func Limit(window int, s Share) int64 {
	limit := allowed[window].requests * budget / 100
	if s == Background {
		limit /= 2
	}
	return max(limit, 1)
}

// Window is one window as it is counted. It begins with its first request, as
// the shop's own does, and not on the hour.
type Window struct {
	Began time.Time
	// Spent counts all requests, Background those of background walks among
	// them.
	Spent      int64
	Background int64
}

// State is what has been spent of one token.
type State struct {
	Windows [Windows]Window
	// BlockedUntil is when the shop lets anybody ask again; zero when it did not
	// say.
	BlockedUntil time.Time
}

// At is the state at a moment: windows that are over are empty, and so is a
// block.
func (s State) At(now time.Time) State {
	for i, w := range s.Windows {
		if !now.Before(w.Began.Add(Length(i))) {
			s.Windows[i] = Window{}
		}
	}
	if !s.BlockedUntil.After(now) {
		s.BlockedUntil = time.Time{}
	}
	return s
}

// Wait is when a share may ask again: the moment at which every window that is
// spent has begun anew; zero when it may ask now.
func (s State) Wait(now time.Time, share Share) time.Time {
	s = s.At(now)
	until := s.BlockedUntil
	for i, w := range s.Windows {
		full := w.Spent >= Limit(i, Live) || share == Background && w.Background >= Limit(i, Background)
		if end := w.Began.Add(Length(i)); full && end.After(until) {
			until = end
		}
	}
	return until
}

// Take is the state after one request, or when to try again; then nothing is
// taken.
func (s State) Take(now time.Time, share Share) (after State, wait time.Time) {
	if wait = s.Wait(now, share); !wait.IsZero() {
		return s, wait
	}
	s = s.At(now)
	for i := range s.Windows {
		w := &s.Windows[i]
		if w.Spent == 0 {
			w.Began = now
		}
		w.Spent++
		if share == Background {
			w.Background++
		}
	}
	return s, time.Time{}
}

// Left is what can still be spent in the tightest window, which is the one with
// the smallest part of its limit left and of equals the longest: four requests
// left in this second say nothing. Nothing is left while the shop asks to wait.
func (s State) Left(now time.Time) int64 {
	s = s.At(now)
	if !s.BlockedUntil.IsZero() {
		return 0
	}
	left, of := int64(1), int64(1)
	for i := Windows - 1; i >= 0; i-- {
		limit := Limit(i, Live)
		if mine := max(limit-s.Windows[i].Spent, 0); i == Windows-1 || mine*of < left*limit {
			left, of = mine, limit
		}
	}
	return left
}
