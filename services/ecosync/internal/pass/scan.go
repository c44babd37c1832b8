package pass

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

const (
	// rescanAfter is how old the last walk by id may be. It is less than a day,
	// so that a daily rescan does not wander through the hours.
	rescanAfter = 20 * time.Hour
	// rescanRows bounds the window of a walk by id.
	rescanRows = 10_000
)

// Scan is a walk by id in the middle, from the newest id down.
type Scan struct {
	// Last is the lowest id read; 0 before the first page.
	Last int64 `json:"last"`
	// Cursor reads the page below it.
	Cursor string `json:"cursor"`
	Rows   int64  `json:"rows"`
	// Bottom is the oldest id of an order that had not ended when the walk
	// began; 0 when all had.
	Bottom int64 `json:"bottom"`
}

// rescan finds what a listing by change does not show: changes that left
// updated_at alone (quirk Q10), and deletions (quirk Q9).
func (r *run) rescan(ctx context.Context) error {
	now := r.engine.now()
	if r.position.ScannedAt.IsZero() {
		r.position.ScannedAt = now // the first sync has just read everything
	}
	if r.position.Scan == nil && now.Sub(r.position.ScannedAt) <= rescanAfter {
		return nil
	}
	r.share = quota.Background
	return r.scan(ctx)
}

// byID is the whole pass over a store whose listing by change cannot be trusted.
func (r *run) byID(ctx context.Context) error {
	err := r.scan(ctx)
	if err != nil && ofGap(err) {
		// A page that stays broken must not keep the next pass from the newest
		// orders (lesson P9).
		r.position.Scan = nil
	}
	return err
}

func (r *run) scan(ctx context.Context) error {
	if r.position.Scan == nil {
		_, bottom, err := r.engine.orders.Held(ctx, r.store.ID, 0, 0, 1)
		if err != nil {
			return err
		}
		r.position.Scan = &Scan{Bottom: bottom}
	}
	for cursors := map[string]bool{}; ; {
		s := *r.position.Scan
		page, err := r.pageByID(ctx, s.Cursor)
		if err != nil {
			return err
		}
		next, err := s.read(page)
		if err == nil && cursors[page.Next.Token] && !page.Next.End() {
			err = &OrderError{Page: int(r.counts().Pages) + 1, Detail: "its cursor was given before"}
		}
		if err != nil {
			return err
		}
		cursors[page.Next.Token] = true
		r.note(func(p *Pass) { p.Counts.Pages++ })
		if r.position.Floor.IsZero() {
			r.position.Floor = page.Date.Add(-r.engine.config.InitialSync)
		}
		rows, err := r.compare(ctx, page)
		if err != nil {
			return err
		}
		behind, done := r.position, r.position
		behind.Scan = &next
		done.Scan, done.ScannedAt = nil, r.engine.now()
		if next.ended(page) {
			behind = done
		}
		news, err := r.write(ctx, Rescan, page, rows, behind)
		if err != nil {
			return err
		}
		if next.ended(page) || next.Bottom == 0 && news == 0 {
			r.position = done
			return nil
		}
	}
}

// read moves on by a page, whose ids must go down.
func (s Scan) read(page shop.Page) (Scan, error) {
	if page.Date.IsZero() {
		return s, errNoClock
	}
	for _, row := range page.Rows {
		s.Rows++
		id := idOf(row)
		if id == 0 {
			continue // unreadable; it goes to quarantine
		}
		if s.Last != 0 && id >= s.Last {
			return s, &OrderError{Page: int(s.Rows/100) + 1, Detail: "an id is not below the one above it"}
		}
		s.Last = id
	}
	s.Cursor = page.Next.Token
	return s, nil
}

// ended tells that nothing we want lies below.
func (s Scan) ended(page shop.Page) bool {
	return page.Next.End() || len(page.Rows) == 0 || s.Rows >= rescanRows || s.Bottom != 0 && s.Last <= s.Bottom
}

func idOf(row shop.Row) int64 {
	if row.Order != nil {
		return row.Order.ID
	}
	return row.Problem.ID
}

// compare holds a page against what orders holds between its first and its last
// id. It leaves out history that was never live (lesson P40), and asks once for
// each order that is missing. Only the shop's own "no such order", said in JSON,
// marks it: an error is never an absence (lesson P29).
func (r *run) compare(ctx context.Context, page shop.Page) ([]shop.Row, error) {
	if len(page.Rows) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(page.Rows))
	for i, row := range page.Rows {
		ids[i] = idOf(row)
	}
	whole := !slices.Contains(ids, 0) // else a row that cannot be read may be the missing one
	known := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return id == 0 })
	if len(known) == 0 {
		return page.Rows, nil
	}
	held, err := r.held(ctx, slices.Min(known), slices.Max(known))
	if err != nil {
		return nil, err
	}
	var rows []shop.Row
	var outside int64
	for _, row := range page.Rows {
		if o := row.Order; o != nil && !o.UpdatedAt.IsZero() && o.UpdatedAt.Before(r.position.Floor) && !slices.Contains(held, o.ID) {
			outside++
			continue
		}
		rows = append(rows, row)
	}
	r.note(func(p *Pass) { p.Counts.Outside += outside })
	if !whole {
		return rows, nil
	}
	for _, id := range held {
		if slices.Contains(ids, id) {
			continue
		}
		row, err := r.single(ctx, id)
		if err != nil {
			return nil, err
		}
		if row.Order != nil && row.Order.ID == id {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// held reads the ids that orders holds in a span.
func (r *run) held(ctx context.Context, from, to int64) (all []int64, err error) {
	const most = 1000
	for {
		ids, _, err := r.engine.orders.Held(ctx, r.store.ID, from, to, most)
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
		if len(ids) < most || ids[most-1] <= from {
			return all, nil
		}
		to = ids[most-1] - 1
	}
}

// single asks for an order that a page does not show; an order that is gone
// answers no row.
func (r *run) single(ctx context.Context, id int64) (row shop.Row, err error) {
	var sent time.Time
	err = r.ask(ctx, func(ctx context.Context) error {
		sent = r.engine.now()
		row, err = r.engine.upstream.Order(ctx, r.access, id)
		return err
	})
	var fault *shop.Fault
	if !errors.As(err, &fault) || fault.Class != shop.NotFound {
		return row, err
	}
	if err := r.lives(ctx); err != nil {
		return row, err
	}
	marked, err := r.engine.orders.MarkDeleted(ctx, r.store.ID, []int64{id}, sent)
	r.note(func(p *Pass) { p.Counts.UpstreamDeleted += marked })
	return shop.Row{}, err
}

func (r *run) pageByID(ctx context.Context, cursor string) (page shop.Page, err error) {
	err = r.ask(ctx, func(ctx context.Context) error {
		page, err = r.engine.upstream.OrdersByID(ctx, r.access, cursor)
		return err
	})
	return page, err
}
