package postgres

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

func TestARescanLearnsWhatIsHeldAndHowFarDownToRead(t *testing.T) {
	s, pool := newService(t)
	ctx := context.Background()
	ingest1(t, s, storeA, order.Pass, row(10, "", "Livré", order.ShopDelivered), row(20, "", "En dispatch", order.FollowUp),
		row(30, "", "Livré", order.ShopDelivered), row(40, "", "Annulé", order.ShopCancelled), row(50, "", "x", order.NoMeaning))
	ingest1(t, s, storeB, order.Pass, row(5, "", "x", order.NoMeaning), row(35, "", "x", order.NoMeaning)) // lesson P5
	if _, err := s.Create(ctx, draft(), request("", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, `UPDATE orders.sales_order SET deleted_at = now() WHERE upstream_id = 30`); err != nil {
		t.Fatal(err)
	}
	if n, err := s.MarkDeleted(ctx, storeA, []int64{40}, tuesday); err != nil || n != 1 {
		t.Fatalf("marked %d, %v", n, err)
	}
	for name, c := range map[string]struct {
		span order.Span
		want []int64
	}{
		"everything":         {order.Span{Limit: 1000}, []int64{50, 20, 10}},
		"both ends included": {order.Span{From: 10, To: 20, Limit: 1000}, []int64{20, 10}},
		"at most":            {order.Span{Limit: 2}, []int64{50, 20}},
		"between two ids":    {order.Span{From: 21, To: 49, Limit: 1000}, nil},
	} {
		got, err := s.Held(ctx, storeA, c.span)
		if diff := cmp.Diff(c.want, got.UpstreamIDs, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
		if got.OldestOpen != 20 {
			t.Errorf("%s: the oldest open order is %d, want 20", name, got.OldestOpen)
		}
	}
	none, err := s.Held(ctx, "0190f1d2-0000-7000-8000-00000000000c", order.Span{Limit: 1})
	if err != nil || len(none.UpstreamIDs) != 0 || none.OldestOpen != 0 {
		t.Errorf("a store without orders: %+v, %v", none, err)
	}
}

// Lesson P29: an absence is what the shop answered when asked for the order, and it never removes anything.
func TestAnOrderGoneFromItsShopIsMarkedOnceAndNeverRemoved(t *testing.T) {
	s, pool := newService(t)
	ctx := context.Background()
	seen := ingest1(t, s, storeA, order.Pass, row(1, "", "En dispatch", order.FollowUp), row(2, "", "x", order.NoMeaning), row(3, "", "x", order.NoMeaning))
	elsewhere := ingest1(t, s, storeB, order.Pass, row(1, "", "x", order.NoMeaning))[0]
	later := row(2, "", "y", order.NoMeaning)
	later.ObservedAt, later.UpdatedAt = tuesday, tuesday
	ingest1(t, s, storeA, order.Pass, later)
	if _, err := pool.Exec(ctx, `UPDATE orders.sales_order SET deleted_at = now() WHERE id = $1`, seen[2].OrderID); err != nil {
		t.Fatal(err)
	}
	before, err := s.Order(ctx, manager, seen[0].OrderID)
	if err != nil {
		t.Fatal(err)
	}
	for turn, want := range []int{1, 0} {
		// 1 was seen before; 2 at that very moment, 3 was deleted here, 4 is not stored.
		if n, err := s.MarkDeleted(ctx, storeA, []int64{4, 3, 2, 1, 1}, tuesday); err != nil || n != want {
			t.Errorf("call %d: %d marked, %v; want %d", turn+1, n, err, want)
		}
	}
	after, err := s.Order(ctx, manager, before.ID)
	if err != nil || after.UpstreamDeletedAt == nil || !after.UpstreamDeletedAt.Equal(tuesday) {
		t.Fatalf("got %+v, %v", after, err)
	}
	want := *before
	want.UpstreamDeletedAt, want.ShopVersion, want.UpdatedAt = after.UpstreamDeletedAt, before.ShopVersion+1, after.UpdatedAt
	if diff := cmp.Diff(&want, after); diff != "" {
		t.Errorf("more than the mark has changed: %s", diff)
	}
	entries, err := s.History(ctx, manager, before.ID, 0, 10)
	if err != nil || len(entries) != 2 || entries[0].Kind != order.KindShopFields || entries[0].Source != order.SourceShop || entries[0].Trigger != order.Rescan ||
		string(entries[0].After) != `{"upstreamDeletedAt": "2026-03-03T09:00:00Z"}` {
		t.Errorf("history %+v, %v", entries, err)
	}
	for _, id := range []int64{seen[1].OrderID, elsewhere.OrderID} {
		if o, err := s.Order(ctx, manager, id); err != nil || o.UpstreamDeletedAt != nil {
			t.Errorf("order %d is marked: %v", id, err)
		}
	}
}

func TestALaterRowTakesTheMarkBackAndALateOneDoesNot(t *testing.T) {
	s, _ := newService(t)
	ctx := context.Background()
	id := ingest1(t, s, storeA, order.Pass, row(1, "", "En dispatch", order.FollowUp))[0].OrderID
	if n, err := s.MarkDeleted(ctx, storeA, []int64{1}, tuesday); err != nil || n != 1 {
		t.Fatalf("marked %d, %v", n, err)
	}
	changed := func(observed time.Time) *order.Row {
		r := row(1, "", "En livraison", order.FollowUp)
		r.UpdatedAt, r.ObservedAt = tuesday.Add(-time.Hour), observed
		return r
	}
	var got []order.Outcome
	var marks []bool
	for _, r := range []*order.Row{
		row(1, "", "En dispatch", order.FollowUp), // the same page, asked for before the shop denied the order
		changed(tuesday.Add(-time.Second)),        // news, but from before
		changed(tuesday.Add(time.Second)),         // the same news, seen afterwards
	} {
		got = append(got, ingest1(t, s, storeA, order.Pass, r)[0].Outcome)
		o, err := s.Order(ctx, manager, id)
		if err != nil {
			t.Fatal(err)
		}
		marks = append(marks, o.UpstreamDeletedAt != nil)
	}
	if want := []order.Outcome{order.Unchanged, order.Stale, order.Updated}; !slices.Equal(got, want) || !slices.Equal(marks, []bool{true, true, false}) {
		t.Errorf("got %v with marks %v", got, marks)
	}
}
