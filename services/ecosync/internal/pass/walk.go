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

// walk is the arithmetic of one pass: which rows of a page are written, and
// whether there must be another page. It does nothing but compare.
type walk struct {
	position Position
	// clock is the shop's, from the first page.
	clock time.Time
	// top is the first row that may become the head.
	top *shop.Key
	// last is the oldest key seen so far.
	last     shop.Key
	pages    int
	cursors  map[string]bool
	firstIDs map[int64]bool
	distrust bool
}

func newWalk(p Position) *walk {
	return &walk{position: p, cursors: map[string]bool{}, firstIDs: map[int64]bool{}}
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
		if w.position.Floor.IsZero() {
			w.position.Floor = page.Date.Add(-backTo)
		}
	}
	if err := w.progress(page); err != nil {
		return step{}, err
	}
	s := step{end: page.Next.End(), overlap: w.position.Head != nil}
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
		if key.At.Before(w.position.Floor) {
			s.outside++
		} else {
			s.rows = append(s.rows, row)
		}
		if key.At.After(page.Date.Add(ahead)) {
			continue // written, and no measure for anything
		}
		if w.top == nil {
			w.top = &key
		}
		judged++
		oldest = key.At
		if w.position.Head != nil && key.At.After(w.position.Head.At) {
			s.overlap = false
		}
	}
	if judged == 0 {
		// Nothing on this page says where we are.
		s.overlap = false
		return s, nil
	}
	s.end = s.end || oldest.Before(w.position.Floor)
	if s.overlap && !w.position.Settled && !oldest.Before(w.position.Head.At) {
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
		w.distrust = true
	}
	return nil
}

// finished is the position after a walk that reached its end.
func (w *walk) finished() Position {
	p := w.position
	if w.top != nil {
		// Also when it is older than the old head: the order that stood there
		// was deleted or taken back, and a head above everything the shop has
		// would never be reached again (lesson P7).
		p.Head = w.top
		p.Settled = w.clock.Sub(w.top.At) > settling
	}
	return p
}
