package pass

import (
	"errors"
	"fmt"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

const (
	// ahead is how far a row may lie before the shop's own clock and still move
	// the head; a row dated 2035 must not hide the next ten years (DESIGN 4).
	ahead = 5 * time.Minute
	// settling is how long after a second no row is expected to appear in it any
	// more: the shop stamps a change before it commits it.
	settling = 10 * time.Second
)

// OrderError says that pages or rows do not follow each other as a listing by
// last change must (lesson P1).
type OrderError struct {
	// Page counts from 1.
	Page int
	// Inside is true for a breach between two rows of one page: the listing is
	// not sorted as asked, and no walk by change can be trusted.
	Inside bool
	Detail string
}

func (e *OrderError) Error() string { return fmt.Sprintf("page %d: %s", e.Page, e.Detail) }

// errNoClock refuses a page without a Date: without the shop's clock neither
// head nor floor can be found, and ours must not stand in for it.
var errNoClock = errors.New("the answer has no Date header")

// walk is the arithmetic of one stretch of the listing, from the top or from a
// gap: which rows of a page are written, whether there must be another page, and
// what is known if it ends here. It does nothing but compare.
type walk struct {
	// base is the position that the walk began with.
	base Position
	// gap is the index in base.Gaps of the one that is read; top when none is.
	gap int
	// floor is where what is known begins again: nil in a store's first pass.
	floor   *shop.Key
	settled bool
	// clock is the shop's, from the first page.
	clock time.Time
	// highest is the first row that may become the head.
	highest *shop.Key
	// last is the oldest key seen so far.
	last     shop.Key
	pages    int
	cursors  map[string]bool
	firstIDs map[int64]bool
	// weak: the cursor has no second column, so that rows of one second are lost
	// at page edges.
	weak bool
}

// top stands for no gap.
const top = -1

// fromTop walks what is new.
func fromTop(p Position) *walk {
	return &walk{
		base: p, gap: top, floor: p.Head, settled: p.Settled,
		cursors: map[string]bool{}, firstIDs: map[int64]bool{},
	}
}

// fromGap goes on where a walk ended early.
func fromGap(p Position, i int) *walk {
	g := p.Gaps[i]
	w := &walk{
		base: p, gap: i, settled: g.Settled, last: g.Last,
		cursors: map[string]bool{g.Cursor: true}, firstIDs: map[int64]bool{},
	}
	if g.Floor != (shop.Key{}) {
		w.floor = &g.Floor
	}
	return w
}

// begin is the cursor of the first page.
func (w *walk) begin() string {
	if w.gap == top {
		return ""
	}
	return w.base.Gaps[w.gap].Cursor
}

// step is the judgement on one page.
type step struct {
	// rows are to be written, in page order.
	rows []shop.Row
	// outside counts rows below the floor.
	outside int64
	// end: nothing that we want lies below.
	end bool
	// overlap: the page lies wholly at or below the head, so the walk may stop
	// here if nothing in it was news.
	overlap bool
}

// surely tells that the next page will be read whatever becomes of this one, so
// that it can be fetched while this one is written.
func (s step) surely() bool { return !s.end && !s.overlap }

// goOn is the stop rule: above head never, then at the first page lying wholly
// at or below it in which orders created and updated nothing. That page is the
// overlap; there is none in time.
func (s step) goOn(news int64) bool { return !s.end && (!s.overlap || news > 0) }

// read judges a page. backTo is how far the first pass of a store goes.
func (w *walk) read(page shop.Page, backTo time.Duration) (step, error) {
	w.pages++
	if page.Date.IsZero() {
		return step{}, errNoClock
	}
	if w.pages == 1 {
		w.clock = page.Date
		if w.base.Floor.IsZero() {
			w.base.Floor = page.Date.Add(-backTo)
		}
	}
	if err := w.progress(page); err != nil {
		return step{}, err
	}
	s := step{end: page.Next.End(), overlap: w.floor != nil}
	judged, first := 0, true
	var oldest time.Time
	for _, row := range page.Rows {
		if row.Order == nil || row.Order.UpdatedAt.IsZero() {
			// Without a change time a row has no place in this order: it is
			// written where it is met, and the rescan finds it otherwise.
			s.rows = append(s.rows, row)
			continue
		}
		key := row.Order.Key()
		if w.last != (shop.Key{}) && key.At.After(w.last.At) {
			return step{}, &OrderError{
				Page: w.pages, Inside: !first,
				Detail: "a row is newer than the row above it",
			}
		}
		w.last, first = key, false
		if key.At.Before(w.base.Floor) {
			s.outside++
		} else {
			s.rows = append(s.rows, row)
		}
		if key.At.After(page.Date.Add(ahead)) {
			continue // written, and no measure for anything
		}
		if w.highest == nil {
			w.highest = &key
		}
		judged++
		oldest = key.At
		if w.floor != nil && key.At.After(w.floor.At) {
			s.overlap = false
		}
	}
	if judged == 0 {
		// Nothing on this page says where we are.
		s.overlap = false
		return s, nil
	}
	s.end = s.end || oldest.Before(w.base.Floor)
	if s.overlap && !w.settled && !oldest.Before(w.floor.At) {
		// The head's second was still running when it was read: hundreds of
		// changes may share it. Only below it are we sure.
		s.overlap = false
	}
	return s, nil
}

// progress refuses a listing that stands still (lesson P1: the predecessor read
// the same twenty rows as pages 9502, 9503 and 9504).
func (w *walk) progress(page shop.Page) error {
	if len(page.Rows) > 0 && page.Rows[0].Order != nil {
		id := page.Rows[0].Order.ID
		if w.firstIDs[id] {
			return &OrderError{Page: w.pages, Detail: "it begins with the same order as a page before"}
		}
		w.firstIDs[id] = true
	}
	if page.Next.End() {
		return nil
	}
	if w.cursors[page.Next.Token] {
		return &OrderError{Page: w.pages, Detail: "its cursor was given before"}
	}
	w.cursors[page.Next.Token] = true
	if len(page.Rows) == 0 {
		return &OrderError{Page: w.pages, Detail: "it is empty and not the last"}
	}
	if page.Next.Decoded && (page.Next.At.IsZero() || !page.Next.TieBreak) {
		// A cursor without updated_at is the bookmark of a listing by id: rows may
		// follow each other in time by chance, and an old order that changes today
		// stays far below the head (lesson P4).
		w.weak = true
	}
	return nil
}

// stopped is what is known if the walk ends behind the page that named this
// cursor.
func (w *walk) stopped(cursor string) Position {
	if w.gap != top {
		g := w.base.Gaps[w.gap]
		return w.base.narrowed(w.gap, Gap{Last: w.last, Cursor: cursor, Floor: g.Floor, Settled: g.Settled})
	}
	if w.highest == nil {
		// Nothing that could be a head was read yet: the next pass begins again.
		return w.base
	}
	return w.base.raised(w.highest, w.clock).opened(w.base.below(w.last, cursor))
}

// finished is what is known when the walk reached its end.
func (w *walk) finished() Position {
	if w.gap != top {
		return w.base.closed(w.gap)
	}
	return w.base.raised(w.highest, w.clock)
}
