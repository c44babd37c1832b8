package pass_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// scripted is a shop in memory: a sorted listing behind cursors, and a script
// of faults. Its clock is the test's.
type scripted struct {
	mu     sync.Mutex
	orders map[int64]shop.Order
	// script answers in place of the listing while it returns something.
	script func(request int, cursor string) (*shop.Page, error)
	// scriptByID may fail a page of the listing by id, single every single read.
	scriptByID func(cursor string) error
	single     error
	// singles are the ids asked for singly.
	singles []int64
	// requests are the cursors asked for.
	requests []string
	perPage  int
	skew     time.Duration
}

func newShop() *scripted { return &scripted{orders: map[int64]shop.Order{}, perPage: 100} }

// put adds or changes an order.
func (s *scripted) put(id int64, state string, updated time.Time) {
	s.orders[id] = shop.Order{ID: id, Reference: fmt.Sprintf("DEMOA%d", id), State: state, UpdatedAt: updated, PlacedAt: updated}
}

// fill adds n orders with ids from first, one a minute, the last one minute ago.
func (s *scripted) fill(first int64, n int, now time.Time) {
	for i := range n {
		s.put(first+int64(i), "En dispatch", now.Add(-time.Duration(n-i)*time.Minute).Truncate(time.Second))
	}
}

func (s *scripted) listing() []shop.Order {
	var all []shop.Order
	for _, o := range s.orders {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b shop.Order) int { return b.Key().Compare(a.Key()) })
	return all
}

// Orders implements pass.Upstream.
func (s *scripted) Orders(_ context.Context, a shop.Access, cursor string) (shop.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, cursor)
	if s.script != nil {
		page, err := s.script(len(s.requests), cursor)
		if page != nil || err != nil {
			if page == nil {
				page = &shop.Page{}
			}
			return *page, err
		}
	}
	return s.page(cursor), nil
}

func (s *scripted) page(cursor string) shop.Page {
	all := s.listing()
	from := 0
	if cursor != "" {
		var at, id int64
		fmt.Sscanf(cursor, "%d/%d", &at, &id)
		below := shop.Key{At: time.Unix(at, 0), ID: id}
		// As the real paginator: everything strictly below the key.
		from = len(all)
		for i, o := range all {
			if o.Key().Compare(below) < 0 {
				from = i
				break
			}
		}
	}
	to := min(from+s.perPage, len(all))
	now := time.Now()
	page := shop.Page{Date: now.Add(s.skew).Truncate(time.Second), SentAt: now}
	for _, o := range all[from:to] {
		page.Rows = append(page.Rows, shop.Row{Order: &o, Raw: []byte(fmt.Sprintf("%d %s %d", o.ID, o.State, o.UpdatedAt.Unix()))})
	}
	if to < len(all) {
		last := all[to-1]
		page.Next = shop.Cursor{
			Token:   strconv.FormatInt(last.UpdatedAt.Unix(), 10) + "/" + strconv.FormatInt(last.ID, 10),
			Decoded: true, At: last.UpdatedAt, ID: last.ID, TieBreak: true,
		}
	}
	return page
}

func (s *scripted) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.requests)
	s.requests = nil
	return n
}

// OrdersByID implements pass.Upstream.
func (s *scripted) OrdersByID(_ context.Context, _ shop.Access, cursor string) (shop.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, "id:"+cursor)
	if s.scriptByID != nil {
		if err := s.scriptByID(cursor); err != nil {
			return shop.Page{}, err
		}
	}
	all := s.listing()
	slices.SortFunc(all, func(a, b shop.Order) int { return int(b.ID - a.ID) })
	if below, err := strconv.ParseInt(cursor, 10, 64); err == nil {
		all = slices.DeleteFunc(all, func(o shop.Order) bool { return o.ID >= below })
	}
	now := time.Now()
	page := shop.Page{Date: now.Add(s.skew).Truncate(time.Second), SentAt: now}
	for _, o := range all[:min(s.perPage, len(all))] {
		page.Rows = append(page.Rows, shop.Row{Order: &o, Raw: []byte(fmt.Sprintf("%d %s %d", o.ID, o.State, o.UpdatedAt.Unix()))})
	}
	if len(all) > s.perPage {
		id := all[s.perPage-1].ID
		page.Next = shop.Cursor{Token: strconv.FormatInt(id, 10), Decoded: true, ID: id, TieBreak: true}
	}
	return page, nil
}

// Order implements pass.Upstream.
func (s *scripted) Order(_ context.Context, _ shop.Access, id int64) (shop.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.singles = append(s.singles, id)
	if s.single != nil {
		return shop.Row{}, s.single
	}
	o, ok := s.orders[id]
	if !ok {
		return shop.Row{}, shop.NewFault(shop.NotFound, 404, nil)
	}
	return shop.Row{Order: &o, Raw: []byte(fmt.Sprintf("%d %s %d", o.ID, o.State, o.UpdatedAt.Unix()))}, nil
}
