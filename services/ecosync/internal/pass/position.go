package pass

import (
	"slices"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

const (
	// GapStuckAfter failures in a row without a page of progress a gap is told as
	// a condition. It is still tried in every pass, behind the top (lesson P9).
	GapStuckAfter = 3
	// maxGaps bounds what a shop that breaks in every pass can pile up; beyond
	// it the two oldest become one, which reads a stretch twice and loses none.
	maxGaps = 32
)

// Position is what is known to have been read of a store: everything between
// Floor and Head, except the gaps. It is written with each page, so that it is
// true at every moment: a pass killed anywhere leaves nothing to be repaired
// (lessons P2, P9). Its methods change nothing but answer a new one.
type Position struct {
	// Head is nil before the first page was read.
	Head *shop.Key
	// Settled says that Head's second was over, by the shop's clock, when it was
	// read: no further row can appear in it.
	Settled bool
	// Floor is how far back the first pass goes; zero before it. What lies below
	// was never live and belongs to a backfill (lesson P40).
	Floor time.Time
	// Gaps are newest first.
	Gaps []Gap
	// Mode is how the store must be walked.
	Mode Mode
	// Scan is the walk by id that is in the middle; nil when none is.
	Scan *Scan
	// ScannedAt is when the last one ended, by our clock.
	ScannedAt time.Time
}

// Gap is a stretch of the listing that a walk did not reach: from Last down to
// Floor, both included.
type Gap struct {
	// Last is the key of the last row read above it; zero when the page above
	// had none.
	Last shop.Key
	// Cursor reads the page below Last.
	Cursor string
	// Floor is where what is known begins again; zero means the position's own
	// floor.
	Floor shop.Key
	// Settled is Position.Settled of the head that Floor was.
	Settled bool
	// Failures counts tries that ended without a page of progress.
	Failures int
	// Failure is why the last one ended, and Since when the first of them did,
	// by our clock, for people.
	Failure shop.Failure
	Since   time.Time
}

// Stuck tells that a person should know.
func (g Gap) Stuck() bool { return g.Failures >= GapStuckAfter }

// raised moves the head to the first key of a walk from the top. It also comes
// down: the order that stood there was deleted or taken back, and a head above
// everything the shop has would never be reached again (lesson P7).
func (p Position) raised(top *shop.Key, clock time.Time) Position {
	if top != nil {
		p.Head, p.Settled = top, clock.Sub(top.At) > settling
	}
	return p
}

// below is the gap between a walk from the top that ends here and this head.
func (p Position) below(last shop.Key, cursor string) Gap {
	g := Gap{Last: last, Cursor: cursor, Settled: p.Settled}
	if p.Head != nil {
		g.Floor = *p.Head
	}
	return g
}

// opened adds a gap above the others.
func (p Position) opened(g Gap) Position {
	p.Gaps = slices.Insert(slices.Clone(p.Gaps), 0, g)
	if n := len(p.Gaps); n > maxGaps {
		p.Gaps = append(p.Gaps[:n-2], p.Gaps[n-2].joined(p.Gaps[n-1]))
	}
	return p
}

// narrowed replaces gap i.
func (p Position) narrowed(i int, g Gap) Position {
	p.Gaps = slices.Clone(p.Gaps)
	p.Gaps[i] = g
	return p
}

// closed removes gap i.
func (p Position) closed(i int) Position {
	p.Gaps = slices.Delete(slices.Clone(p.Gaps), i, i+1)
	return p
}

// failed counts a try of gap i that ended without progress.
func (p Position) failed(i int, why shop.Failure, now time.Time) Position {
	g := p.Gaps[i]
	if g.Failures == 0 {
		g.Since = now
	}
	g.Failures++
	g.Failure = why
	return p.narrowed(i, g)
}

// joined is the smallest gap that holds both and what lies between them.
func (g Gap) joined(other Gap) Gap {
	upper, lower := g, other
	if upper.Last.Compare(lower.Last) < 0 {
		upper, lower = lower, upper
	}
	j := Gap{Last: upper.Last, Cursor: upper.Cursor, Floor: upper.Floor, Settled: upper.Settled}
	if lower.Floor.Compare(j.Floor) < 0 {
		j.Floor, j.Settled = lower.Floor, lower.Settled
	}
	return j
}

// Known tells whether a row with this key was read: between floor and head and
// in no gap. Rows of a second that was still running may be missing.
func (p Position) Known(k shop.Key) bool {
	if p.Head == nil || k.Compare(*p.Head) > 0 || k.At.Before(p.Floor) {
		return false
	}
	if !p.Settled && k.At.Equal(p.Head.At) {
		return false
	}
	return !slices.ContainsFunc(p.Gaps, func(g Gap) bool { return g.holds(k) })
}

func (g Gap) holds(k shop.Key) bool {
	if k.Compare(g.Last) > 0 && g.Last != (shop.Key{}) {
		return false
	}
	return k.Compare(g.Floor) > 0 || !g.Settled && k.At.Equal(g.Floor.At)
}
