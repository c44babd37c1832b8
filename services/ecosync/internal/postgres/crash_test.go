package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass/passtest"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// mortal is a process around the engine that dies at a step: before or after the
// effect of any call that leaves it. From then on nothing gets out any more, not
// even the ending of its pass.
type mortal struct {
	pass.Journal
	*passtest.Orders
	listed map[int64]time.Time
	// broken is a page that is refused.
	broken string
	steps  atomic.Int64
	dies   int64
}

var errDead = errors.New("the process is dead")

// step makes a call with a place to die on either side of it.
func (m *mortal) step(call func() error) error {
	if n := m.steps.Add(1); m.dies != 0 && n >= m.dies {
		return errDead
	}
	err := call()
	if n := m.steps.Add(1); m.dies != 0 && n >= m.dies {
		return errDead
	}
	return err
}

func (m *mortal) Checkpoint(ctx context.Context, t pass.Ticket, c pass.Checkpoint) error {
	return m.step(func() error { return m.Journal.Checkpoint(ctx, t, c) })
}

func (m *mortal) Finish(ctx context.Context, t pass.Ticket, e pass.Ending) error {
	return m.step(func() error { return m.Journal.Finish(ctx, t, e) })
}

func (m *mortal) Ingest(ctx context.Context, b pass.Batch) (outcomes []pass.Outcome, err error) {
	err = m.step(func() error { outcomes, err = m.Orders.Ingest(ctx, b); return err })
	return outcomes, err
}

func (m *mortal) MarkDeleted(ctx context.Context, store string, ids []int64, at time.Time) (n int64, err error) {
	err = m.step(func() error { n, err = m.Orders.MarkDeleted(ctx, store, ids, at); return err })
	return n, err
}

func (*mortal) Open(context.Context, string, int64) (shop.Token, error) { return "token", nil }

// upstream is the shop as mortal sees it.
type upstream struct{ m *mortal }

func (u upstream) page(cursor string, less func(a, b shop.Key) int) (page shop.Page, err error) {
	err = u.m.step(func() error {
		if cursor != "" && cursor == u.m.broken {
			return shop.NewFault(shop.Redirected, 302, nil)
		}
		var keys []shop.Key
		for id, at := range u.m.listed {
			keys = append(keys, shop.Key{At: at, ID: id})
		}
		slices.SortFunc(keys, func(a, b shop.Key) int { return less(b, a) })
		if cursor != "" {
			var at, id int64
			_, _ = fmt.Sscanf(cursor, "%d/%d", &at, &id)
			keys = slices.DeleteFunc(keys, func(k shop.Key) bool { return less(k, shop.Key{At: time.Unix(at, 0), ID: id}) >= 0 })
		}
		page = shop.Page{Date: time.Now(), SentAt: time.Now()}
		for _, k := range keys[:min(100, len(keys))] {
			page.Rows = append(page.Rows, u.row(k))
		}
		if len(keys) > 100 {
			k := keys[99]
			page.Next = shop.Cursor{Token: fmt.Sprintf("%d/%d", k.At.Unix(), k.ID), Decoded: true, At: k.At, ID: k.ID, TieBreak: true}
		}
		return nil
	})
	return page, err
}

func (upstream) row(k shop.Key) shop.Row {
	return shop.Row{
		Raw:   fmt.Appendf(nil, "%d %d", k.ID, k.At.Unix()),
		Order: &shop.Order{ID: k.ID, Reference: fmt.Sprintf("DEMOA%d", k.ID), State: "En dispatch", UpdatedAt: k.At, PlacedAt: k.At},
	}
}

func (u upstream) Orders(_ context.Context, _ shop.Access, cursor string) (shop.Page, error) {
	return u.page(cursor, shop.Key.Compare)
}

func (u upstream) OrdersByID(_ context.Context, _ shop.Access, cursor string) (shop.Page, error) {
	return u.page(cursor, func(a, b shop.Key) int { return int(a.ID - b.ID) })
}

func (u upstream) Order(_ context.Context, _ shop.Access, id int64) (row shop.Row, err error) {
	err = u.m.step(func() error {
		at, ok := u.m.listed[id]
		if !ok {
			return shop.NewFault(shop.NotFound, 404, nil)
		}
		row = u.row(shop.Key{At: at, ID: id})
		return nil
	})
	return row, err
}

// Dies at every step of a pass that has all parts: news at the top, a gap, and a
// rescan that finds a deletion.
func TestKilledAfterAnyStepAndSyncedOnceMoreNothingIsMissingOrDoubled(t *testing.T) {
	db, pool := open(t)
	orders := &passtest.Orders{}
	steps := int64(-1)
	// The life before the first death counts the steps.
	for dies := int64(0); steps < 0 || dies <= steps; dies++ {
		s := insert(t, db, fmt.Sprintf("NATU%d", dies))
		m := &mortal{Journal: db, Orders: orders, listed: map[int64]time.Time{}}
		engine := pass.NewEngine(upstream{m}, m, m, m, &passtest.Quota{Free: true}, slog.New(slog.DiscardHandler), time.Now,
			pass.Config{BatchSize: 25, InitialSync: 30 * 24 * time.Hour})
		sync := func() pass.Pass { return engine.Run(t.Context(), s, func(pass.Progress) {}) }
		first := (dies + 1) * 10_000
		past := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
		for i := range int64(330) {
			m.listed[first+i] = past.Add(time.Duration(i/50) * time.Minute) // fifty in each second
		}
		at, id := m.listed[first+130], first+130
		m.broken = fmt.Sprintf("%d/%d", at.Unix(), id)
		sync() // leaves a gap below the second page
		for i := range int64(120) {
			m.listed[first+5+2*i] = past.Add(time.Hour)
		}
		delete(m.listed, first+250)
		if _, err := pool.Exec(t.Context(), `UPDATE ecosync.sync_position SET scanned_at = now() - interval '21 hours' WHERE store_id = $1`, s.ID); err != nil {
			t.Fatal(err)
		}
		m.broken = ""
		if steps < 0 { // how many steps a pass has that nothing ends
			m.steps.Store(0)
			if p := sync(); p.Result != pass.Succeeded || p.Counts.UpstreamDeleted != 1 || p.Counts.Created == 0 {
				t.Fatalf("the pass does not have all parts: %+v", p)
			}
			steps = m.steps.Load()
			continue
		}
		m.steps.Store(0)
		m.dies = dies
		sync()
		m.dies = 0
		if _, err := pool.Exec(t.Context(), `UPDATE ecosync.sync_position SET held_until = now() WHERE store_id = $1`, s.ID); err != nil {
			t.Fatal(err)
		}
		if p := sync(); p.Result != pass.Succeeded {
			t.Fatalf("killed at step %d, then %s: %s", dies, p.Result, p.Message)
		}
		want := map[int64]string{}
		for id, at := range m.listed {
			want[id] = string(upstream{}.row(shop.Key{At: at, ID: id}).Raw)
		}
		if diff := cmp.Diff(want, orders.Rows(s.ID)); diff != "" {
			t.Fatalf("killed at step %d (-shop +orders):\n%s", dies, diff)
		}
	}
	t.Logf("killed at each of %d steps", steps)
}
