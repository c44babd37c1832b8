package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// everyPage walks a list to its end as a client does.
func everyPage(t *testing.T, s *order.Service, a order.Actor, r order.ListRequest) []int64 {
	t.Helper()
	var ids []int64
	for {
		got, err := s.List(context.Background(), a, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range got.Orders {
			ids = append(ids, o.ID)
		}
		if got.NextPageToken == "" {
			return ids
		}
		r.PageToken = got.NextPageToken
	}
}

// many stores orders whose moments of placement repeat, so that pages end between equal keys, and gives some of them agents.
func many(t *testing.T, s *order.Service, pool *pgxpool.Pool, n int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	states := []order.Meaning{order.FollowUp, order.NoMeaning, order.ShopCancelled, order.ShopDelivered}
	for first := 1; first <= n; first += 100 {
		var rows []*order.Row
		for i := first; i < first+100 && i <= n; i++ {
			r := row(int64(i), fmt.Sprintf("05%08d", i), "x", states[random.IntN(len(states))])
			r.PlacedAt = monday.Add(-time.Duration(random.IntN(40)) * time.Hour)
			r.Wilaya = []string{"Alger", "Oran", "Béjaïa"}[random.IntN(3)]
			rows = append(rows, r)
		}
		ingest1(t, s, []string{storeA, storeB}[first/100%2], order.Pass, rows...)
	}
	if _, err := pool.Exec(context.Background(), `
		UPDATE orders.sales_order SET agent_id = CASE id % 5 WHEN 0 THEN $1::uuid ELSE $2::uuid END, status = 'ASSIGNED', next_action = 'CALL', next_action_at = now() - id * interval '1 minute'
		WHERE status = 'PENDING' AND id % 3 > 0`, agent1, agent2); err != nil {
		t.Fatal(err)
	}
}

// expected is the list that a filter and a sort should give, read the naive way: every order, filtered and sorted in Go.
func expected(t *testing.T, pool *pgxpool.Pool, keep func(*order.Order) bool, less func(a, b *order.Order) int) []int64 {
	t.Helper()
	rows, err := pool.Query(context.Background(), `SELECT id FROM orders.sales_order`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		all = append(all, id)
	}
	orders, err := load(context.Background(), pool, all)
	if err != nil {
		t.Fatal(err)
	}
	orders = slices.DeleteFunc(orders, func(o *order.Order) bool { return !keep(o) })
	slices.SortFunc(orders, less)
	ids := make([]int64, len(orders))
	for n, o := range orders {
		ids[n] = o.ID
	}
	return ids
}

func newestFirst(a, b *order.Order) int {
	if c := b.PlacedAt.Compare(a.PlacedAt); c != 0 {
		return c
	}
	return int(b.ID - a.ID)
}

func TestAListWalkedPageByPageIsTheWholeListOnce(t *testing.T) {
	s, pool := newService(t)
	many(t, s, pool, 500)
	agent := order.Person(agent1, order.AgentSuivi)
	for name, tc := range map[string]struct {
		actor   order.Actor
		request order.ListRequest
		keep    func(*order.Order) bool
		less    func(a, b *order.Order) int
	}{
		"everything": {manager, order.ListRequest{}, func(*order.Order) bool { return true }, newestFirst},
		"oldest first": {
			manager,
			order.ListRequest{Sort: order.OldestFirst},
			func(*order.Order) bool { return true },
			func(a, b *order.Order) int { return newestFirst(b, a) },
		},
		"two statuses and two stores": {
			manager,
			order.ListRequest{Filter: order.Filter{Statuses: []order.Status{order.Pending, order.Delivered}, StoreIDs: []string{storeA, storeB}}},
			func(o *order.Order) bool { return o.Status == order.Pending || o.Status == order.Delivered }, newestFirst,
		},
		"without an agent in Oran": {
			manager,
			order.ListRequest{Filter: order.Filter{Unassigned: true, Wilayas: []int{31}}},
			func(o *order.Order) bool { return o.AgentID == "" && o.WilayaCode == 31 }, newestFirst,
		},
		"two agents": {
			manager,
			order.ListRequest{Filter: order.Filter{AgentIDs: []string{agent1, agent2}}},
			func(o *order.Order) bool { return o.AgentID != "" }, newestFirst,
		},
		"one business day": {
			manager,
			order.ListRequest{PlacedFrom: "2026-03-01", PlacedTo: "2026-03-01"},
			func(o *order.Order) bool { return o.PlacedAt.In(algiers(t)).Format(time.DateOnly) == "2026-03-01" }, newestFirst,
		},
		"an agent asking for everything": {agent, order.ListRequest{}, func(o *order.Order) bool { return o.AgentID == agent1 }, newestFirst},
		"an agent asking for a colleague": {
			agent,
			order.ListRequest{Filter: order.Filter{AgentIDs: []string{agent2}}},
			func(*order.Order) bool { return false }, newestFirst,
		},
		"an agent's next": {
			agent,
			order.ListRequest{Sort: order.NextFirst},
			func(o *order.Order) bool { return o.AgentID == agent1 && o.NextActionAt != nil && !o.Status.Terminal() },
			func(a, b *order.Order) int { return a.NextActionAt.Compare(*b.NextActionAt) },
		},
		"due": {
			manager,
			order.ListRequest{Filter: order.Filter{DueBefore: time.Now().Add(-time.Hour)}},
			func(o *order.Order) bool {
				return o.NextActionAt != nil && o.NextActionAt.Before(time.Now().Add(-time.Hour)) && !o.Status.Terminal()
			}, newestFirst,
		},
		"late": {manager, order.ListRequest{Filter: order.Filter{Late: true}}, func(o *order.Order) bool { return o.Late(time.Now()) }, newestFirst},
	} {
		t.Run(name, func(t *testing.T) {
			want := expected(t, pool, tc.keep, tc.less)
			tc.request.PageSize = 7
			got := everyPage(t, s, tc.actor, tc.request)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			tc.request.WithTotal = true
			page, err := s.List(context.Background(), tc.actor, tc.request)
			if err != nil {
				t.Fatal(err)
			}
			if page.Total == nil || *page.Total != len(want) {
				t.Errorf("total %v, but the list has %d (lesson P49)", page.Total, len(want))
			}
		})
	}
}

func TestOrdersThatArriveMeanwhileNeverShiftAPage(t *testing.T) {
	s, pool := newService(t)
	many(t, s, pool, 60)
	want := expected(t, pool, func(*order.Order) bool { return true }, newestFirst)
	first, err := s.List(context.Background(), manager, order.ListRequest{PageSize: 20})
	if err != nil {
		t.Fatal(err)
	}
	newer := row(9_999, "0550999999", "x", order.FollowUp)
	newer.PlacedAt = tuesday
	ingest1(t, s, storeA, order.Pass, newer)
	rest := everyPage(t, s, manager, order.ListRequest{PageSize: 20, PageToken: first.NextPageToken})
	var got []int64
	for _, o := range first.Orders {
		got = append(got, o.ID)
	}
	if diff := cmp.Diff(want, append(got, rest...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSearchFindsOnePersonInAnySpelling(t *testing.T) {
	s, _ := newService(t)
	one := row(1, "0550 12 34 56", "x", order.FollowUp)
	one.FullName = "أحمد بن صالح"
	two := row(2, "+213 661 000 111", "x", order.FollowUp)
	two.FullName = "Bensaïd Aïcha"
	ingest1(t, s, storeA, order.Pass, one, two)
	for q, want := range map[string]string{
		"0550123456": "DEMOA1", "+213550123456": "DEMOA1", "00213 550 12 34 56": "DEMOA1", "٠٥٥٠١٢٣٤٥٦": "DEMOA1", "05501234": "DEMOA1", "550123456": "DEMOA1",
		"احمد": "DEMOA1", "أحمد صالح": "DEMOA1", "صَالِح": "DEMOA1",
		"bensaid": "DEMOA2", "AICHA BEN": "DEMOA2", "Be\u0301nsaid": "DEMOA2",
		"demoa2": "DEMOA2", "0661000111": "DEMOA2",
	} {
		got, err := s.List(context.Background(), manager, order.ListRequest{Q: q, WithTotal: true})
		if err != nil {
			t.Errorf("%q: %v", q, err)
			continue
		}
		if len(got.Orders) != 1 || got.Orders[0].Reference != want || *got.Total != 1 {
			t.Errorf("%q finds %d orders, want %s alone", q, len(got.Orders), want)
		}
	}
	for _, q := range []string{"0770123456", "zohra", "DEMOB1", "2511000000000042"} {
		if got, err := s.List(context.Background(), manager, order.ListRequest{Q: q}); err != nil || len(got.Orders) != 0 {
			t.Errorf("%q finds %d orders, %v; want none", q, len(got.Orders), err)
		}
	}
}

func TestASearchThatMeetsTooManySaysSo(t *testing.T) {
	s, pool := newService(t)
	if _, err := pool.Exec(context.Background(), fillSQL, 4_000); err != nil {
		t.Fatal(err)
	}
	got, err := s.List(context.Background(), manager, order.ListRequest{Q: "client"})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Refine || len(got.Orders) != order.DefaultPageSize {
		t.Errorf("%d orders, refine %v; want a page and the advice to refine", len(got.Orders), got.Refine)
	}
}

func TestAListThatWouldReadTooMuchIsRefusedAndNotCut(t *testing.T) {
	s, pool := newService(t)
	ingest1(t, s, storeA, order.Pass, row(1, "0550123456", "x", order.FollowUp))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	blocker, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blocker.Rollback(ctx) }()
	if _, err := blocker.Exec(ctx, `LOCK TABLE orders.sales_order IN ACCESS EXCLUSIVE MODE`); err != nil { // as slow as a query can be
		t.Fatal(err)
	}
	if got, err := s.List(ctx, manager, order.ListRequest{}); !errors.Is(err, order.ErrQueryTooBroad) {
		t.Errorf("%d orders, %v; want ErrQueryTooBroad (lesson P52)", len(got.Orders), err)
	}
}
