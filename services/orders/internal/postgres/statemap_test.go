package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

func states(t testing.TB, s *order.Service, store string) (map[string]int, int32) {
	t.Helper()
	held, applied, err := s.States(context.Background(), store, order.MaxTotal)
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	for _, h := range held {
		counted[h.State] += h.Orders
	}
	if len(counted) != len(held) {
		t.Errorf("a state is answered twice: %v", held)
	}
	return counted, applied
}

func remap(t testing.TB, s *order.Service, version int32, meanings map[string]order.Meaning) order.Remapped {
	t.Helper()
	got, err := s.Remap(context.Background(), storeA, order.StateMap{Version: version, Meanings: meanings})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// by ingests rows that were judged by a version of the map.
func by(t testing.TB, s *order.Service, version int32, trigger order.Trigger, rows ...*order.Row) []order.Decision {
	t.Helper()
	decisions, err := s.Ingest(context.Background(), order.Batch{StoreID: storeA, Trigger: trigger, StateMapVersion: version, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	return decisions
}

// Lesson P15: a state that nobody has mapped is stored as the shop wrote it and can be given a meaning later.
func TestTheStatesOfAStoreAreCountedInTheShopsWords(t *testing.T) {
	s, pool := newService(t)
	by(t, s, 1, order.Pass, row(1, "", "Livré", order.ShopDelivered), row(2, "", "livre", order.NoMeaning), row(3, "", "En dispatch", order.FollowUp), row(4, "", "", order.NoMeaning))
	by(t, s, 2, order.Pass, row(5, "", "Livré", order.NoMeaning), row(6, "", "Annulé", order.ShopCancelled))
	ingest1(t, s, storeB, order.Pass, row(1, "", "Ailleurs", order.NoMeaning))
	if _, err := s.Create(context.Background(), draft(), request("", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(context.Background(), `UPDATE orders.sales_order SET deleted_at = now() WHERE upstream_id = 6`); err != nil {
		t.Fatal(err)
	}
	got, applied := states(t, s, storeA)
	if diff := cmp.Diff(map[string]int{"Livré": 2, "livre": 1, "En dispatch": 1, "": 1}, got); diff != "" || applied != 0 {
		t.Errorf("applied %d, %s", applied, diff)
	}
	if held, _, err := s.States(context.Background(), storeA, 1); err != nil || len(held) != 4 || held[len(held)-1].Orders != 1 {
		t.Errorf("counting did not stop: %v, %v", held, err)
	}
	if none, applied := states(t, s, "0190f1d2-0000-7000-8000-00000000000c"); len(none) != 0 || applied != 0 {
		t.Errorf("a store without orders: %v at %d", none, applied)
	}
}

func TestAPreviewCountsWhatTheRemapThenDoes(t *testing.T) {
	s, pool := newService(t)
	ctx := context.Background()
	by(t, s, 1, order.Pass, row(1, "", "Parti", order.NoMeaning), row(2, "", "Parti", order.NoMeaning), row(3, "", "Perdu", order.NoMeaning),
		row(4, "", "Autre", order.NoMeaning), row(6, "", "En dispatch", order.FollowUp), row(7, "", "Parti", order.NoMeaning))
	by(t, s, 1, order.Backfill, row(5, "", "Parti", order.NoMeaning), row(8, "", "En dispatch", order.FollowUp))
	ingest1(t, s, storeB, order.Pass, row(1, "", "Parti", order.NoMeaning))
	if _, err := pool.Exec(ctx, `UPDATE orders.sales_order SET deleted_at = now() WHERE upstream_id = 7`); err != nil {
		t.Fatal(err)
	}
	m := order.StateMap{Version: 2, Meanings: map[string]order.Meaning{"Parti": order.FollowUp, "Perdu": order.ShopReturned, "En dispatch": order.FollowUp, "Inconnu": order.FollowUp}}
	before := versions(t, pool)
	want := order.Remapped{MeaningChanged: 4, BecameReady: 3}
	if got, err := s.PreviewRemap(ctx, storeA, m); err != nil || got != want {
		t.Errorf("preview: %+v, %v", got, err)
	}
	if _, applied := states(t, s, storeA); applied != 0 || !slices.Equal(before, versions(t, pool)) {
		t.Error("the preview wrote something")
	}
	if got, err := s.Remap(ctx, storeA, m); err != nil || got != want {
		t.Errorf("remap: %+v, %v", got, err)
	}
	shape := dump(t, pool)
	wantShape := []string{
		"a 1 Parti FOLLOW_UP v2 PENDING ready CREATED/PASS SHOP_FIELDS/STATE_MAP",
		"a 2 Parti FOLLOW_UP v2 PENDING ready CREATED/PASS SHOP_FIELDS/STATE_MAP",
		"a 3 Perdu RETURNED v2 RETURNED CREATED/PASS STATUS/STATE_MAP",
		"a 4 Autre NONE v1 PENDING CREATED/PASS",
		"a 5 Parti FOLLOW_UP v2 PENDING ready CREATED/BACKFILL SHOP_FIELDS/STATE_MAP", // a later change of meaning, whichever trigger
		"a 6 En dispatch FOLLOW_UP v1 PENDING ready CREATED/PASS",
		"a 7 Parti NONE v1 PENDING CREATED/PASS",                // deleted here
		"a 8 En dispatch FOLLOW_UP v1 PENDING CREATED/BACKFILL", // waits for a person still (lesson P40)
		"b 1 Parti NONE v1 PENDING CREATED/PASS",
	}
	if diff := cmp.Diff(wantShape, shape); diff != "" {
		t.Error(diff)
	}
	after := versions(t, pool)
	for _, version := range []int32{2, 1} { // repeated, and an older one
		if got := remap(t, s, version, map[string]order.Meaning{"Parti": order.FollowUp}); got != (order.Remapped{}) {
			t.Errorf("version %d again: %+v", version, got)
		}
	}
	older := order.StateMap{Version: 1, Meanings: map[string]order.Meaning{"Autre": order.FollowUp, "Parti": order.NoMeaning}}
	if got, err := s.Remap(ctx, storeA, older); err != nil || got != (order.Remapped{}) {
		t.Errorf("an older version: %+v, %v", got, err)
	}
	if got, err := s.PreviewRemap(ctx, storeA, older); err != nil || got != (order.Remapped{}) {
		t.Errorf("preview of an older version: %+v, %v", got, err)
	}
	if _, applied := states(t, s, storeA); applied != 2 || !slices.Equal(after, versions(t, pool)) {
		t.Errorf("applied %d, or a row version moved", applied)
	}
}

// dump is every order with its history, without times and ids: what two ways to one end must agree on.
func dump(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(context.Background(), `
		SELECT right(o.store_id::text, 1) || ' ' || o.upstream_id || ' ' || o.upstream_state || ' ' || o.meaning || ' v' || o.state_map_version || ' ' || o.status
			|| CASE WHEN o.ready_at IS NULL THEN '' ELSE ' ready' END || coalesce(' ' || o.disagreement, '')
			|| (SELECT string_agg(' ' || h.kind || '/' || h.trigger, '' ORDER BY h.id) FROM orders.order_history h WHERE h.order_id = o.id)
		FROM orders.sales_order o WHERE o.upstream_id IS NOT NULL ORDER BY o.store_id, o.upstream_id`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// manyStates stores n orders over three states and five meanings-to-be.
func manyStates(t testing.TB, s *order.Service, n int64) {
	t.Helper()
	for from := int64(1); from <= n; from += 100 {
		var rows []*order.Row
		for id := from; id < from+100 && id <= n; id++ {
			rows = append(rows, row(id, "", []string{"Parti", "Perdu", "Rien"}[id%3], order.NoMeaning))
		}
		by(t, s, 1, order.Pass, rows...)
	}
}

var secondMap = order.StateMap{Version: 2, Meanings: map[string]order.Meaning{"Parti": order.FollowUp, "Perdu": order.ShopCancelled, "Rien": order.NoMeaning}}

// breaking is a store that dies: the nth step of a remap is not done, or done and its answer lost.
type breaking struct {
	*Store

	left int
	lost bool
}

var errCrash = errors.New("the process was killed")

func (b *breaking) step(do func() error) error {
	b.left--
	if b.left > 0 {
		return do()
	}
	if b.lost {
		_ = do()
	}
	return errCrash
}

func (b *breaking) BeginRemap(ctx context.Context, id string, m order.StateMap) (begun bool, err error) {
	return begun, b.step(func() error { begun, err = b.Store.BeginRemap(ctx, id, m); return err })
}

func (b *breaking) Remap(ctx context.Context, sl order.Slice, after int64, limit int, judge func(*order.Order) order.Decision) (d []order.Decision, err error) {
	return d, b.step(func() error { d, err = b.Store.Remap(ctx, sl, after, limit, judge); return err })
}

func (b *breaking) FinishRemap(ctx context.Context, id string, version int32) error {
	return b.step(func() error { return b.Store.FinishRemap(ctx, id, version) })
}

// Lessons P2 and P9: a crash is repaired by running again. 1,800 orders of two changed states are two batches each, an empty one
// behind them, the beginning and the end.
func TestARemapKilledAtAnyStepAndRepeatedIsARemapDoneOnce(t *testing.T) {
	clean, cleanPool := newService(t)
	manyStates(t, clean, 1_800)
	if got := remap(t, clean, secondMap.Version, secondMap.Meanings); got != (order.Remapped{MeaningChanged: 1_200, BecameReady: 600}) {
		t.Errorf("at one go: %+v", got)
	}
	want := dump(t, cleanPool)
	s, pool := newService(t)
	manyStates(t, s, 1_800)
	const steps = 8
	for step := 1; step <= steps; step++ {
		for _, lost := range []bool{false, true} {
			dying := order.NewService(&breaking{Store: NewStore(pool), left: step, lost: lost}, algiers(t), func() time.Time { return tuesday })
			if _, err := dying.Remap(context.Background(), storeA, secondMap); !errors.Is(err, errCrash) {
				continue // what died before left fewer steps
			}
			if _, applied := states(t, s, storeA); applied != 0 && !(lost && slices.Equal(want, dump(t, pool))) {
				t.Errorf("step %d, answer lost %v: applied %d before the last order was judged", step, lost, applied)
			}
		}
	}
	remap(t, s, secondMap.Version, secondMap.Meanings)
	if diff := cmp.Diff(want, dump(t, pool)); diff != "" {
		t.Error(diff)
	}
	if _, applied := states(t, s, storeA); applied != 2 {
		t.Errorf("applied %d", applied)
	}
}

func TestRowsJudgedByAMapThatIsNotAppliedAreStoredAndDoNotApplyIt(t *testing.T) {
	s, _ := newService(t)
	by(t, s, 1, order.Pass, row(1, "", "Parti", order.NoMeaning), row(2, "", "Parti", order.NoMeaning))
	r := row(1, "", "Parti", order.ShopCancelled)
	r.ObservedAt = tuesday
	if d := by(t, s, 3, order.Pass, r)[0]; d.Outcome != order.Updated || d.Order.Status != order.Cancelled {
		t.Errorf("got %s", d.Outcome)
	}
	if _, applied := states(t, s, storeA); applied != 0 {
		t.Errorf("applied %d", applied)
	}
	// The version between them judges the other order, and not the one that a newer version has judged.
	if got := remap(t, s, 2, map[string]order.Meaning{"Parti": order.FollowUp}); got != (order.Remapped{MeaningChanged: 1, BecameReady: 1}) {
		t.Errorf("got %+v", got)
	}
}

func TestAPassThatStillCarriesTheOldMapCannotBringItBack(t *testing.T) {
	s, pool := newService(t)
	by(t, s, 1, order.Pass, row(1, "", "Rien", order.NoMeaning), row(2, "", "Parti", order.NoMeaning))
	remap(t, s, 2, secondMap.Meanings)
	moved := row(1, "", "Parti", order.NoMeaning)
	moved.UpdatedAt, moved.ObservedAt = tuesday, tuesday
	if d := by(t, s, 1, order.Pass, moved)[0]; !d.BecameReady {
		t.Errorf("a state that the new map names: %s %s", d.Outcome, d.Order.Meaning)
	}
	if d := by(t, s, 1, order.Pass, row(3, "", "Perdu", order.NoMeaning))[0]; d.Order.Status != order.Cancelled {
		t.Errorf("a new order: %s", d.Order.Status)
	}
	if d := by(t, s, 1, order.Pass, row(2, "", "Parti", order.NoMeaning))[0]; d.Outcome != order.Unchanged {
		t.Errorf("the row as it was: %s", d.Outcome)
	}
	want := []string{"a 1 Parti FOLLOW_UP v2 PENDING ready CREATED/PASS SHOP_FIELDS/PASS", "a 2 Parti FOLLOW_UP v2 PENDING ready CREATED/PASS SHOP_FIELDS/STATE_MAP", "a 3 Perdu CANCELLED v2 CANCELLED CREATED/PASS"}
	if diff := cmp.Diff(want, dump(t, pool)); diff != "" {
		t.Error(diff)
	}
}

func TestANewerMapThatIsBegunEndsTheOlderRemap(t *testing.T) {
	s, pool := newService(t)
	manyStates(t, s, 1_800)
	third := order.StateMap{Version: 3, Meanings: map[string]order.Meaning{"Parti": order.NoMeaning, "Perdu": order.FollowUp, "Rien": order.NoMeaning}}
	meddling := &meddler{Store: NewStore(pool), meddle: func() {
		if _, err := s.Remap(context.Background(), storeA, third); err != nil {
			t.Error(err)
		}
	}}
	slow := order.NewService(meddling, algiers(t), func() time.Time { return tuesday })
	if got, err := slow.Remap(context.Background(), storeA, secondMap); err != nil || got.MeaningChanged != 500 {
		t.Errorf("the older one: %+v, %v", got, err)
	}
	if _, applied := states(t, s, storeA); applied != 3 {
		t.Errorf("applied %d", applied)
	}
	for _, line := range dump(t, pool) {
		var n int64
		var state, meaning string
		if _, err := fmt.Sscanf(line, "a %d %s %s", &n, &state, &meaning); err != nil || order.Meaning(meaning) != third.Meanings[state] {
			t.Fatalf("%s, %v", line, err)
		}
	}
}

// meddler lets something happen between the first batch of a remap and the second.
type meddler struct {
	*Store

	once   sync.Once
	meddle func()
}

func (m *meddler) Remap(ctx context.Context, sl order.Slice, after int64, limit int, judge func(*order.Order) order.Decision) ([]order.Decision, error) {
	if after > 0 {
		m.once.Do(m.meddle)
	}
	return m.Store.Remap(ctx, sl, after, limit, judge)
}

// Four passes that still carry the first map pour in orders that change between three states, while the map is changed again and
// again from two sides. Whatever comes first, at the end each order means what the last map makes of the state it is in.
func TestWhileRowsPourInARemapLosesNoMeaningAndShowsNoDeadlock(t *testing.T) {
	s, pool := newService(t)
	const total, last = 300, 8
	names := []string{"Parti", "Perdu", "Rien"}
	mapOf := func(version int32) order.StateMap {
		turn := int(version)
		meanings := []order.Meaning{order.NoMeaning, order.FollowUp, order.ShopCancelled}
		return order.StateMap{Version: version, Meanings: map[string]order.Meaning{
			names[0]: meanings[turn%3], names[1]: meanings[(turn+1)%3], names[2]: meanings[(turn+2)%3],
		}}
	}
	pour := func(stream, turn int64) error {
		rows := make([]*order.Row, 0, 100)
		for n := range int64(100) {
			id := 1 + (n*37+turn*100+stream*50)%total
			state := names[(id+turn+stream)%3]
			r := row(id, fmt.Sprintf("0550%06d", (id*61)%100), state, mapOf(1).Meanings[state])
			r.UpdatedAt = monday.Add(time.Duration(turn) * time.Second)
			r.ObservedAt = r.UpdatedAt.Add(time.Duration(stream) * time.Millisecond)
			rows = append(rows, r)
		}
		_, err := s.Ingest(context.Background(), order.Batch{StoreID: storeA, Trigger: order.Pass, StateMapVersion: 1, Rows: rows})
		return err
	}
	for turn := range int64(3) {
		if err := pour(0, turn); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	var pouring, mapping sync.WaitGroup
	for stream := range int64(4) {
		pouring.Go(func() {
			for turn := int64(3); ; turn++ {
				select {
				case <-done:
					return
				default:
				}
				if err := pour(stream, turn); err != nil {
					t.Errorf("stream %d: %v", stream, err)
					return
				}
			}
		})
	}
	for range 2 {
		mapping.Go(func() {
			for version := int32(2); version <= last; version++ {
				if _, err := s.Remap(context.Background(), storeA, mapOf(version)); err != nil {
					t.Errorf("version %d: %v", version, err)
				}
			}
		})
	}
	mapping.Wait()
	close(done)
	pouring.Wait()
	if _, applied := states(t, s, storeA); applied != last {
		t.Errorf("applied %d", applied)
	}
	rows, err := pool.Query(context.Background(), `SELECT upstream_state AS state, meaning, count(*) AS orders FROM orders.sales_order GROUP BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	held, err := pgx.CollectRows(rows, pgx.RowToStructByName[order.HeldState])
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if want := mapOf(last).Meanings[h.State]; h.Meaning != want {
			t.Errorf("%d orders in %q mean %s, want %s", h.Orders, h.State, h.Meaning, want)
		}
	}
	var deadlocks int
	if err := pool.QueryRow(context.Background(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&deadlocks); err != nil || deadlocks > 0 {
		t.Errorf("PostgreSQL broke %d deadlocks, %v", deadlocks, err)
	}
}

// An ingest that began before a map was changed may be about to write a meaning of the old one: the change waits for it, and
// then judges what it wrote.
func TestARemapWaitsForTheIngestThatDoesNotKnowOfItYet(t *testing.T) {
	s, pool := newService(t)
	by(t, s, 1, order.Pass, row(1, "", "Rien", order.NoMeaning))
	var remapping sync.WaitGroup
	slow := order.NewService(&pausing{Store: NewStore(pool), during: func() {
		remapping.Go(func() {
			if _, err := s.Remap(context.Background(), storeA, secondMap); err != nil {
				t.Error(err)
			}
		})
		const waiting = `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`
		for deadline, waits := time.Now().Add(10*time.Second), false; !waits; {
			if err := pool.QueryRow(context.Background(), waiting).Scan(&waits); err != nil || time.Now().After(deadline) {
				t.Errorf("the remap did not wait for the ingest: %v", err)
				return
			}
		}
	}}, algiers(t), func() time.Time { return tuesday })
	moved := row(1, "", "Parti", order.NoMeaning)
	moved.UpdatedAt, moved.ObservedAt = tuesday, tuesday
	by(t, slow, 1, order.Pass, moved)
	remapping.Wait()
	want := []string{"a 1 Parti FOLLOW_UP v2 PENDING ready CREATED/PASS SHOP_FIELDS/PASS SHOP_FIELDS/STATE_MAP"}
	if diff := cmp.Diff(want, dump(t, pool)); diff != "" {
		t.Error(diff)
	}
}

// pausing lets something happen within the transaction of an ingest, before its first row is judged.
type pausing struct {
	*Store

	once   sync.Once
	during func()
}

func (p *pausing) Ingest(ctx context.Context, b order.Batch, judge func(*order.Order, *order.Row, order.StateMap) order.Decision) ([]order.Decision, error) {
	return p.Store.Ingest(ctx, b, func(stored *order.Order, r *order.Row, newest order.StateMap) order.Decision {
		p.once.Do(p.during)
		return judge(stored, r, newest)
	})
}
