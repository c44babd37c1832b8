package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

const (
	storeA = "0190f1d2-0000-7000-8000-00000000000a"
	storeB = "0190f1d2-0000-7000-8000-00000000000b"
	agent1 = "0190f1d2-0000-7000-8000-000000000001"
	agent2 = "0190f1d2-0000-7000-8000-000000000002"
)

var (
	monday  = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tuesday = monday.Add(24 * time.Hour)
	manager = order.Person("0190f1d2-0000-7000-8000-0000000000f1", order.Manager)
)

func algiers(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Africa/Algiers")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// newService is the use-cases over a database of their own, at a Tuesday morning.
func newService(t testing.TB) (*order.Service, *pgxpool.Pool) {
	t.Helper()
	pool := newDatabase(t)
	return order.NewService(NewStore(pool), algiers(t), func() time.Time { return tuesday }), pool
}

// row is an order as a shop shows it.
func row(n int64, phone, state string, m order.Meaning) *order.Row {
	price := int64(160_000)
	return &order.Row{
		UpstreamID: n, Reference: fmt.Sprintf("DEMOA%d", n), ObservedAt: monday.Add(time.Minute), UpdatedAt: monday, PlacedAt: monday.Add(-time.Hour),
		UpstreamState: state, Meaning: m, FullName: "Amina Exemple", Phone: phone, Wilaya: "Béjaïa", Commune: "Akbou",
		Items:   []order.Item{{UpstreamLineID: 9, UpstreamProductID: "55", SKU: "SKU-1", Title: "Montre", Quantity: 2, UnitPrice: &price}, {Title: "Cadeau", Quantity: 1}},
		Amounts: order.Amounts{GoodsTotal: 320_000, ShippingFee: 40_000, Due: 360_000, Currency: order.DZD},
		Raw:     fmt.Appendf(nil, `{"id":%d,"state":%q,"note":"\u0000"}`, n, state),
	}
}

func ingest1(t testing.TB, s *order.Service, store string, trigger order.Trigger, rows ...*order.Row) []order.Decision {
	t.Helper()
	decisions, err := s.Ingest(context.Background(), order.Batch{StoreID: store, Trigger: trigger, StateMapVersion: 1, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	return decisions
}

func outcomes(decisions []order.Decision) []order.Outcome {
	var list []order.Outcome
	for _, d := range decisions {
		list = append(list, d.Outcome)
	}
	return list
}

// assign puts an order on a desk, as the claim of a later issue will.
func assign(t testing.TB, pool *pgxpool.Pool, id int64, agent string) {
	t.Helper()
	const sql = `UPDATE orders.sales_order SET agent_id = $2, status = 'ASSIGNED', assigned_at = now() WHERE id = $1`
	if _, err := pool.Exec(context.Background(), sql, id, agent); err != nil {
		t.Fatal(err)
	}
}

func TestAnIngestedOrderIsReadBackAsItWasShown(t *testing.T) {
	s, _ := newService(t)
	r := row(700123, "0550 00 00 01", "En livraison", order.FollowUp)
	d := ingest1(t, s, storeA, order.Pass, r)[0]
	if d.Outcome != order.Created || !d.BecameReady {
		t.Fatalf("got %s, became ready %v", d.Outcome, d.BecameReady)
	}
	got, err := s.Order(context.Background(), manager, d.OrderID)
	if err != nil {
		t.Fatal(err)
	}
	want := *d.Order
	want.ID, want.Version, want.ShopVersion, want.Tags = d.OrderID, 1, 1, []string{}
	want.CustomerID, want.IngestedAt, want.UpdatedAt = got.CustomerID, got.IngestedAt, got.UpdatedAt
	if got.CustomerID == 0 || got.WilayaCode != 6 || got.PhoneE164 != "+213550000001" {
		t.Errorf("customer %d, wilaya %d, phone %s", got.CustomerID, got.WilayaCode, got.PhoneE164)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
	entries, err := s.History(context.Background(), manager, d.OrderID, 0, 10)
	if err != nil || len(entries) != 1 || entries[0].Kind != order.KindCreated || entries[0].Trigger != order.Pass {
		t.Errorf("history %+v, %v", entries, err)
	}
}

// Lessons P5 and P18: the same numbers in two tenants are two orders, and three spellings of a telephone one customer.
func TestTheSameNumbersInTwoStoresAreTwoOrdersOfOneCustomer(t *testing.T) {
	s, pool := newService(t)
	a := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp), row(2, "+213 550 00 00 01", "Livré", order.ShopDelivered))
	b := ingest1(t, s, storeB, order.Pass, row(1, "00213550000001", "Annulé", order.ShopCancelled), row(3, "pas de numéro", "En dispatch", order.FollowUp))
	ids := map[int64]bool{}
	for _, d := range append(a, b...) {
		if d.Outcome != order.Created {
			t.Errorf("row %d: %s %s", d.Row.UpstreamID, d.Outcome, d.Message)
		}
		ids[d.OrderID] = true
	}
	var customers, without int
	if err := pool.QueryRow(context.Background(), `SELECT count(DISTINCT customer_id), count(*) FILTER (WHERE customer_id IS NULL AND phone_problem = 'MISSING') FROM orders.sales_order`).
		Scan(&customers, &without); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 4 || customers != 1 || without != 1 {
		t.Errorf("%d orders, %d customers, %d without a number", len(ids), customers, without)
	}
}

func TestEveryRowIsAnsweredAloneInItsPlace(t *testing.T) {
	s, _ := newService(t)
	ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp), row(2, "0550000002", "En dispatch", order.FollowUp))
	bad := row(5, "0550000005", "En dispatch", order.FollowUp)
	bad.Items[0].Quantity = 0
	foreign := row(2, "0550000002", "En dispatch", order.FollowUp)
	foreign.Reference = "OTHER2"
	old := row(1, "0550000009", "En confirmation", order.NoMeaning)
	old.UpdatedAt, old.ObservedAt = monday.Add(-time.Hour), monday.Add(2*time.Minute)
	first, again := row(4, "0550000004", "En confirmation", order.NoMeaning), row(4, "0550000004", "En dispatch", order.FollowUp)
	again.ObservedAt = again.ObservedAt.Add(time.Second)
	got := ingest1(t, s, storeA, order.Pass, bad, foreign, old, first, row(3, "0550000003", "En dispatch", order.FollowUp), again)
	want := []order.Outcome{order.Rejected, order.Rejected, order.Stale, order.Stale, order.Created, order.Created}
	if diff := cmp.Diff(want, outcomes(got)); diff != "" {
		t.Error(diff)
	}
	if got[0].Reason != order.ItemInvalid || got[1].Reason != order.IdentityMismatch || got[3].OrderID != got[5].OrderID || got[3].OrderID == 0 {
		t.Errorf("reasons %q %q, ids %d %d", got[0].Reason, got[1].Reason, got[3].OrderID, got[5].OrderID)
	}
}

// Lesson P14: changes of the shop reach us, each field by its owner.
func TestAChangedRowReplacesWhatTheShopOwnsAndNothingElse(t *testing.T) {
	s, pool := newService(t)
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	assign(t, pool, id, agent1)
	before, err := s.Update(context.Background(), manager, id, order.Patch{Tags: &[]string{"vip"}})
	if err != nil {
		t.Fatal(err)
	}
	r := row(1, "0661000001", "En livraison", order.FollowUp)
	r.UpdatedAt, r.ObservedAt = tuesday, tuesday
	r.Items = r.Items[:1]
	r.Amounts.Due = 350_000
	if d := ingest1(t, s, storeA, order.Webhook, r)[0]; d.Outcome != order.Updated || d.OrderID != id {
		t.Fatalf("got %s", d.Outcome)
	}
	after, err := s.Order(context.Background(), manager, id)
	if err != nil {
		t.Fatal(err)
	}
	if after.PhoneE164 != "+213661000001" || after.CustomerID == before.CustomerID || after.Due != 350_000 || len(after.Items) != 1 {
		t.Errorf("the shop's fields: %+v %d", after.Buyer, after.Due)
	}
	if after.AgentID != agent1 || after.Status != order.Assigned || !slices.Equal(after.Tags, []string{"vip"}) || after.ETag() != before.ETag() {
		t.Errorf("people's fields: %+v %s after %s", after.Work, after.ETag(), before.ETag())
	}
	var raw string
	if err := pool.QueryRow(context.Background(), `SELECT convert_from(payload, 'UTF8') FROM orders.order_raw WHERE order_id = $1`, id).Scan(&raw); err != nil || raw != string(r.Raw) {
		t.Errorf("raw %q, %v", raw, err)
	}
}

// versions are the physical versions of every row that an ingest may write.
func versions(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	const sql = `
		SELECT 'o' || id || ' ' || xmin || ' ' || ctid FROM orders.sales_order UNION ALL
		SELECT 'i' || order_id || '.' || line || ' ' || xmin || ' ' || ctid FROM orders.order_item UNION ALL
		SELECT 'r' || order_id || ' ' || xmin || ' ' || ctid FROM orders.order_raw UNION ALL
		SELECT 'c' || id || ' ' || xmin || ' ' || ctid FROM orders.customer UNION ALL
		SELECT 'h' || id || ' ' || xmin || ' ' || ctid FROM orders.order_history ORDER BY 1`
	rows, err := pool.Query(context.Background(), sql)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTenThousandOrdersIngestedTwiceMoveNoRowVersion(t *testing.T) {
	s, pool := newService(t)
	const total, page = 10_000, 100
	pass := func(observed time.Time) map[order.Outcome]int {
		counted := map[order.Outcome]int{}
		for from := int64(1); from <= total; from += page {
			var rows []*order.Row
			for n := from; n < from+page; n++ {
				meaning := []order.Meaning{order.NoMeaning, order.FollowUp, order.ShopCancelled, order.ShopDelivered, order.ShopReturned}[n%5]
				r := row(n, fmt.Sprintf("0550%06d", n%2500), "état "+string(meaning), meaning)
				r.ObservedAt = observed
				rows = append(rows, r)
			}
			for _, o := range outcomes(ingest1(t, s, storeA, order.Pass, rows...)) {
				counted[o]++
			}
		}
		return counted
	}
	if got := pass(tuesday); got[order.Created] != total {
		t.Fatalf("first: %v", got)
	}
	before := versions(t, pool)
	if got := pass(tuesday.Add(time.Hour)); got[order.Unchanged] != total {
		t.Errorf("second: %v", got)
	}
	if !slices.Equal(before, versions(t, pool)) {
		t.Error("a row version moved")
	}
}

// Two streams pour the same customers and orders in different order and with changes; whatever PostgreSQL makes of it, the
// caller sees no deadlock. LONG=1 runs it for 30 seconds.
func TestTwoStreamsOverTheSameCustomersNeverShowADeadlock(t *testing.T) {
	s, pool := newService(t)
	duration := 3 * time.Second
	if os.Getenv("LONG") == "1" {
		duration = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	var wg sync.WaitGroup
	var batches [2]int
	for stream := range 2 {
		wg.Go(func() {
			for turn := int64(0); ctx.Err() == nil; turn++ {
				rows := make([]*order.Row, 0, 100)
				for n := range int64(100) {
					id := 1 + (n*37+turn)%100 // every batch names all hundred, in another order
					r := row(id+100*(turn/5), fmt.Sprintf("0550%06d", (id*61+turn/5)%100), "En dispatch", order.FollowUp)
					r.UpdatedAt = monday.Add(time.Duration(turn) * time.Second)
					r.ObservedAt, r.Address = r.UpdatedAt.Add(time.Duration(stream)*time.Millisecond), fmt.Sprint(stream, turn)
					if stream == 1 {
						rows = slices.Insert(rows, 0, r)
					} else {
						rows = append(rows, r)
					}
				}
				if _, err := s.Ingest(context.WithoutCancel(ctx), order.Batch{StoreID: storeA, Trigger: order.Pass, StateMapVersion: 1, Rows: rows}); err != nil {
					t.Errorf("stream %d, batch %d: %v", stream, turn, err)
					return
				}
				batches[stream]++
			}
		})
	}
	wg.Wait()
	var orders, identities, customers, phones, deadlocks int
	if err := pool.QueryRow(context.Background(), `
		SELECT (SELECT count(*) FROM orders.sales_order), (SELECT count(DISTINCT upstream_id) FROM orders.sales_order),
			(SELECT count(*) FROM orders.customer), (SELECT count(DISTINCT phone_e164) FROM orders.sales_order),
			(SELECT deadlocks FROM pg_stat_database WHERE datname = current_database())`).
		Scan(&orders, &identities, &customers, &phones, &deadlocks); err != nil {
		t.Fatal(err)
	}
	if orders != identities || customers < phones || orders == 0 {
		t.Errorf("%d orders of %d identities, %d customers of %d numbers", orders, identities, customers, phones)
	}
	if deadlocks > 0 {
		t.Errorf("PostgreSQL broke %d deadlocks: the locks are not taken in one order", deadlocks)
	}
	t.Logf("%v batches of 100 rows", batches)
}

// A stream that inserts first wins; the other judges its row again against what it finds.
func TestOneOrderPouredInFromEightSidesIsOneOrder(t *testing.T) {
	s, pool := newService(t)
	var wg sync.WaitGroup
	got := make([]order.Decision, 8)
	for n := range got {
		wg.Go(func() {
			r := row(1, "0550000001", "En dispatch", order.FollowUp)
			r.UpdatedAt, r.ObservedAt = monday.Add(time.Duration(n)*time.Second), monday.Add(time.Duration(n)*time.Second)
			decisions, err := s.Ingest(context.Background(), order.Batch{StoreID: storeA, Trigger: order.Pass, StateMapVersion: 1, Rows: []*order.Row{r}})
			if err != nil {
				t.Error(err)
				return
			}
			got[n] = decisions[0]
		})
	}
	wg.Wait()
	created := 0
	for _, d := range got {
		if d.Outcome == order.Created {
			created++
		}
	}
	var orders, last int
	if err := pool.QueryRow(context.Background(), `SELECT count(*), max(extract(epoch FROM upstream_updated_at - $1))::int FROM orders.sales_order`, monday).Scan(&orders, &last); err != nil {
		t.Fatal(err)
	}
	if created != 1 || orders != 1 || last != 7 {
		t.Errorf("%d created, %d stored, the last change %d; want 1, 1, 7: %v", created, orders, last, outcomes(got))
	}
}

func TestAnOrderDeletedHereIsAnsweredAndLeftAlone(t *testing.T) {
	s, pool := newService(t)
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	if _, err := pool.Exec(context.Background(), `UPDATE orders.sales_order SET deleted_at = now() WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	r := row(1, "0550000001", "Livré", order.ShopDelivered)
	r.ObservedAt = tuesday
	if d := ingest1(t, s, storeA, order.Rescan, r)[0]; d.Outcome != order.Deleted || d.OrderID != id {
		t.Errorf("got %s for order %d", d.Outcome, d.OrderID)
	}
	if _, err := s.Order(context.Background(), manager, id); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("a deleted order is there: %v", err)
	}
}

func TestACourierOnTheStoreTakesTheLastWordFromTheShop(t *testing.T) {
	s, pool := newService(t)
	if _, err := pool.Exec(context.Background(), `INSERT INTO orders.store_courier (store_id) VALUES ($1)`, storeB); err != nil {
		t.Fatal(err)
	}
	for store, want := range map[string]order.Status{storeA: order.Delivered, storeB: order.Pending} {
		ingest1(t, s, store, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))
		r := row(1, "0550000001", "Livré", order.ShopDelivered)
		r.UpdatedAt, r.ObservedAt = tuesday, tuesday
		if d := ingest1(t, s, store, order.Pass, r)[0]; d.Order.Status != want {
			t.Errorf("store %s: %s, want %s", store, d.Order.Status, want)
		}
	}
}

func TestDescribeCountsAndNamesTheNewest(t *testing.T) {
	s, _ := newService(t)
	ingest1(t, s, storeA, order.Pass, row(3, "", "x", order.NoMeaning), row(9, "", "x", order.NoMeaning), row(5, "", "x", order.NoMeaning))
	count, newest, err := s.Describe(context.Background(), storeA, 2, 2)
	if err != nil || count != 2 || len(newest) != 2 || newest[0].Reference != "DEMOA9" || newest[1].UpstreamID != 5 {
		t.Errorf("got %d, %+v, %v", count, newest, err)
	}
}

func TestTheShopsWordStandsAfterALookFoundNoParcel(t *testing.T) {
	s, pool := newService(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO orders.store_courier (store_id) VALUES ($1)`, storeA); err != nil {
		t.Fatal(err)
	}
	ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))
	ended := row(1, "0550000001", "Livré", order.ShopDelivered)
	ended.UpdatedAt, ended.ObservedAt = monday.Add(time.Hour), monday.Add(2*time.Hour)
	id := ingest1(t, s, storeA, order.Pass, ended)[0].OrderID
	again := *ended
	again.ObservedAt = tuesday.Add(2 * time.Hour)
	if got := ingest1(t, s, storeA, order.Rescan, &again)[0].Outcome; got != order.Unchanged {
		t.Errorf("the same row before anybody looked: %s", got)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE orders.sales_order SET no_parcel_at = $2 WHERE id = $1`, id, tuesday.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []order.Outcome{order.Updated, order.Unchanged} {
		if got := ingest1(t, s, storeA, order.Rescan, &again)[0].Outcome; got != want {
			t.Errorf("the same row after the look: %s, want %s", got, want)
		}
	}
	o, err := s.Order(t.Context(), manager, id)
	if err != nil || o.Status != order.Delivered || o.Disagreement != order.Agreed {
		t.Errorf("%s %q, %v", o.Status, o.Disagreement, err)
	}
}

func TestARowThatOnlyMovesItsTimeLeavesNoHistory(t *testing.T) {
	s, _ := newService(t)
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	later, other := row(1, "0550000001", "En dispatch", order.FollowUp), row(2, "0550000002", "En dispatch", order.FollowUp)
	later.UpdatedAt, later.ObservedAt = monday.Add(time.Hour), monday.Add(2*time.Hour)
	if got := outcomes(ingest1(t, s, storeA, order.Pass, later, other)); !slices.Equal(got, []order.Outcome{order.Updated, order.Created}) {
		t.Errorf("got %v", got)
	}
	if entries, err := s.History(t.Context(), manager, id, 0, 10); err != nil || len(entries) != 1 {
		t.Errorf("%d rows of history, %v; want the first sight alone", len(entries), err)
	}
}

func TestAFlagThatASyncSetsMakesNoSaveStale(t *testing.T) {
	s, pool := newService(t)
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	assign(t, pool, id, agent1)
	if _, err := pool.Exec(t.Context(), `UPDATE orders.sales_order SET status = 'SHIPPED', shipped_at = now() WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	seen, err := s.Order(t.Context(), manager, id)
	if err != nil {
		t.Fatal(err)
	}
	ended := row(1, "0550000001", "Annulé", order.ShopCancelled)
	ended.UpdatedAt, ended.ObservedAt = monday.Add(time.Hour), monday.Add(2*time.Hour)
	ingest1(t, s, storeA, order.Pass, ended)
	o, err := s.Update(t.Context(), manager, id, order.Patch{ETag: seen.ETag(), Tags: &[]string{"vip"}})
	if err != nil || o.Disagreement != order.ShopSaysCancelled {
		t.Errorf("%v, %v", o, err)
	}
}

func TestAReopeningMayBeRepeated(t *testing.T) {
	s, pool := newService(t)
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	assign(t, pool, id, agent1)
	if _, err := s.ChangeStatus(t.Context(), manager, id, order.Cancelled, "by mistake", ""); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		o, err := s.ChangeStatus(t.Context(), manager, id, order.Pending, "the customer called", "")
		if err != nil || o.Status != order.Assigned {
			t.Errorf("time %d: %v, %v", n+1, o, err)
		}
	}
}
