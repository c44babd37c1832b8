package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

func draft() order.Draft {
	price := int64(250_000)
	return order.Draft{
		StoreID: storeA, FullName: "Karim Exemple", Phone: "0770 00 00 09", WilayaCode: 31, Commune: "Es Senia", Tags: []string{"phone"},
		Items: []order.Item{{SKU: "SKU-2", Title: "Sac", Quantity: 2, UnitPrice: &price}}, ShippingFee: 60_000, Note: "calls after five",
	}
}

func request(key, body string) order.Request {
	return order.Request{Actor: manager, Method: "CreateOrder", Key: key, Hash: []byte(body)}
}

func TestAManualOrderIsReadyWhenMadeAndRemembersItsRequest(t *testing.T) {
	s, pool := newService(t)
	ctx := context.Background()
	o, err := s.Create(ctx, draft(), request("once", "body"))
	if err != nil {
		t.Fatal(err)
	}
	if o.Status != order.Pending || !o.Assignable() || o.Due != 560_000 || o.CustomerID == 0 || o.Wilaya != "Oran" || o.Reference != fmt.Sprintf("MAN%d", o.ID) {
		t.Errorf("got %+v", o)
	}
	began, err := s.History(ctx, manager, o.ID, 0, 10)
	var told struct{ Reference string }
	if err != nil || len(began) != 1 || json.Unmarshal(began[0].After, &told) != nil || told.Reference != o.Reference {
		t.Errorf("the history begins with %+v, %v; want the reference %s", began, err, o.Reference)
	}
	again, err := s.Create(ctx, draft(), request("once", "body"))
	if err != nil || again.ID != o.ID {
		t.Errorf("repeated: %v, %v; want order %d", again, err, o.ID)
	}
	if _, err := s.Create(ctx, draft(), request("once", "another body")); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("the id with another body: %v", err)
	}
	notes, err := s.Notes(ctx, manager, o.ID, 0, 10)
	if err != nil || len(notes) != 1 || notes[0].Body != "calls after five" || notes[0].AuthorID != manager.ID {
		t.Errorf("notes %+v, %v", notes, err)
	}
	var orders int
	if err := pool.QueryRow(ctx, `SELECT count(*) FROM orders.sales_order`).Scan(&orders); err != nil || orders != 1 {
		t.Errorf("%d orders, %v", orders, err)
	}
}

func TestAManualOrderNeedsANumberAPlaceAndAPrice(t *testing.T) {
	s, _ := newService(t)
	for _, c := range []struct {
		want  error
		spoil func(*order.Draft)
	}{
		{order.ErrPhoneInvalid, func(d *order.Draft) { d.Phone = "055" }},
		{order.ErrWilayaUnknown, func(d *order.Draft) { d.WilayaCode = 70 }},
		{order.ErrMoneyInvalid, func(d *order.Draft) { d.Items[0].UnitPrice = nil }},
		{order.ErrMoneyInvalid, func(d *order.Draft) { d.ShippingFee = -1 }},
		{order.ErrMoneyInvalid, func(d *order.Draft) { d.ShippingFee = 1 << 62 }},
		{order.ErrMoneyInvalid, func(d *order.Draft) { huge := int64(1 << 62); d.Items[0].UnitPrice = &huge }},
		{order.ErrTextMissing, func(d *order.Draft) { d.FullName = " \t" }},
		{order.ErrTextMissing, func(d *order.Draft) { d.Items[0].Title = "  " }},
	} {
		d := draft()
		c.spoil(&d)
		if _, err := s.Create(context.Background(), d, request("", "")); !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
	}
}

func TestAnAgentWorksOwnOrdersAndCannotSeeAnothers(t *testing.T) {
	s, pool := newService(t)
	ctx := context.Background()
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	assign(t, pool, id, agent1)
	own, other := order.Person(agent1, order.AgentSuivi), order.Person(agent2, order.AgentSuivi)
	tags := []string{"mine"}
	for name, do := range map[string]func() error{
		"read":    func() error { _, err := s.Order(ctx, other, id); return err },
		"move":    func() error { _, err := s.ChangeStatus(ctx, other, id, order.InProgress, "", ""); return err },
		"tag":     func() error { _, err := s.Update(ctx, other, id, order.Patch{Tags: &tags}); return err },
		"note":    func() error { _, err := s.AddNote(ctx, id, "hello", order.Request{Actor: other}); return err },
		"notes":   func() error { _, err := s.Notes(ctx, other, id, 0, 1); return err },
		"history": func() error { _, err := s.History(ctx, other, id, 0, 1); return err },
	} {
		if err := do(); !errors.Is(err, order.ErrNotFound) {
			t.Errorf("a colleague's %s: %v", name, err)
		}
	}
	if o, err := s.ChangeStatus(ctx, own, id, order.InProgress, "", ""); err != nil || o.Status != order.InProgress {
		t.Errorf("own order: %v", err)
	}
	if _, err := s.ChangeStatus(ctx, own, id, order.Cancelled, "", ""); !errors.Is(err, order.ErrReasonRequired) {
		t.Errorf("a cancellation without a reason: %v", err)
	}
	var refused *order.TransitionError
	if _, err := s.ChangeStatus(ctx, own, id, order.Delivered, "I saw it", ""); !errors.As(err, &refused) {
		t.Errorf("an agent delivers: %v", err)
	}
	var denied *order.NotAllowedError
	priority := 9
	if _, err := s.Update(ctx, own, id, order.Patch{Priority: &priority}); !errors.As(err, &denied) {
		t.Errorf("an agent's priority: %v", err)
	}
	if o, err := s.Update(ctx, own, id, order.Patch{Tags: &tags}); err != nil || !cmp.Equal(o.Tags, tags) {
		t.Errorf("own tags: %v", err)
	}
}

func TestAStaleSaveIsRefusedAndARepeatedOneIsNot(t *testing.T) {
	s, pool := newService(t)
	ctx := context.Background()
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	assign(t, pool, id, agent1)
	read, err := s.Order(ctx, manager, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeStatus(ctx, manager, id, order.InProgress, "", read.ETag()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeStatus(ctx, manager, id, order.InProgress, "", read.ETag()); err != nil {
		t.Errorf("the same move again: %v", err)
	}
	if _, err := s.ChangeStatus(ctx, manager, id, order.Confirmed, "", read.ETag()); !errors.Is(err, order.ErrStale) {
		t.Errorf("another move from an old state: %v", err)
	}
	tags := []string{"late"}
	if _, err := s.Update(ctx, manager, id, order.Patch{Tags: &tags, ETag: read.ETag()}); !errors.Is(err, order.ErrStale) {
		t.Errorf("a save from an old state: %v", err)
	}
}

func TestOfTwoSavesFromOneStateOneWins(t *testing.T) {
	s, _ := newService(t)
	ctx := context.Background()
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for n := range errs {
		wg.Go(func() {
			_, errs[n] = s.Update(ctx, manager, id, order.Patch{Tags: &[]string{fmt.Sprint("tag", n)}, ETag: "v1"})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, order.ErrStale) {
			t.Error(err)
		}
	}
	if o, err := s.Order(ctx, manager, id); err != nil || won != 1 || o.ETag() != "v2" {
		t.Errorf("%d saves won, etag %s, %v", won, o.ETag(), err)
	}
}

func TestATextThatCannotBeStoredIsTheCallersFault(t *testing.T) {
	s, _ := newService(t)
	ctx := context.Background()
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	d := draft()
	d.Commune = "\x00"
	_, create := s.Create(ctx, d, request("", ""))
	_, update := s.Update(ctx, manager, id, order.Patch{Tags: &[]string{"\x00"}})
	_, note := s.AddNote(ctx, id, "a\x00b", order.Request{Actor: manager})
	_, list := s.List(ctx, manager, order.ListRequest{Filter: order.Filter{Tags: []string{"\x00"}}})
	for name, err := range map[string]error{"create": create, "update": update, "note": note, "list": list} {
		if !errors.Is(err, order.ErrTextInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatTheShopOwnsIsChangedThere(t *testing.T) {
	s, _ := newService(t)
	ctx := context.Background()
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	name, code := "Another Name", 16
	var owned *order.OwnedByShopError
	if _, err := s.Update(ctx, manager, id, order.Patch{FullName: &name}); !errors.As(err, &owned) || owned.Field != "customerName" {
		t.Errorf("got %v", err)
	}
	made, err := s.Create(ctx, draft(), request("", ""))
	if err != nil {
		t.Fatal(err)
	}
	phone := "0550 99 99 99"
	after, err := s.Update(ctx, manager, made.ID, order.Patch{FullName: &name, WilayaCode: &code, Phone: &phone})
	if err != nil {
		t.Fatal(err)
	}
	if after.FullName != name || after.SearchName != "another name" || after.Wilaya != "Alger" || after.CustomerID == made.CustomerID || after.Version != made.Version+1 {
		t.Errorf("got %+v", after.Buyer)
	}
}

func TestChangesOfManagersAreAuditedInTheTransactionOfTheChange(t *testing.T) {
	s, pool := newService(t)
	ctx := context.Background()
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	assign(t, pool, id, agent1)
	if _, err := s.ChangeStatus(ctx, order.Person(agent1, order.AgentSuivi), id, order.InProgress, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeStatus(ctx, manager, id, order.Delivered, "the customer has it", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeStatus(ctx, manager, id, order.Confirmed, "", ""); err == nil {
		t.Fatal("a refused move was made")
	}
	events, _, err := audit.NewLog(Schema).List(ctx, pool, audit.Filter{Resource: fmt.Sprintf("order/%d", id)})
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v; want the manager's one", len(events), err)
	}
	var after map[string]string
	if err := json.Unmarshal(events[0].After, &after); err != nil {
		t.Fatal(err)
	}
	if events[0].Action != "ChangeStatus" || events[0].Reason != "the customer has it" || after["status"] != "DELIVERED" || events[0].Role != "MANAGER" {
		t.Errorf("got %+v", events[0])
	}
	history, err := s.History(ctx, manager, id, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range history {
		kinds = append(kinds, fmt.Sprint(e.Source, " ", e.Kind, " ", e.StatusAfter))
	}
	if diff := cmp.Diff([]string{"PERSON STATUS DELIVERED", "PERSON STATUS IN_PROGRESS", "SHOP CREATED PENDING"}, kinds); diff != "" {
		t.Error(diff)
	}
	for _, sql := range []string{`DELETE FROM orders.order_history`, `UPDATE orders.order_history SET reason = ''`, `TRUNCATE orders.order_history`} {
		if _, err := pool.Exec(ctx, sql); err == nil {
			t.Errorf("history lets happen: %s", sql)
		}
	}
}

func TestNotesArePagedAndNeverLostToEachOther(t *testing.T) {
	s, _ := newService(t)
	ctx := context.Background()
	id := ingest1(t, s, storeA, order.Pass, row(1, "0550000001", "En dispatch", order.FollowUp))[0].OrderID
	var wg sync.WaitGroup
	for n := range 20 { // lesson P62: notes were one document, read, changed and written back
		wg.Go(func() {
			if _, err := s.AddNote(ctx, id, fmt.Sprint("note ", n), order.Request{Actor: manager, Method: "AddNote", Key: fmt.Sprint(n / 2), Hash: []byte{byte(n / 2)}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	first, err := s.Notes(ctx, manager, id, 0, 6)
	if err != nil || len(first) != 6 {
		t.Fatalf("%d notes, %v", len(first), err)
	}
	rest, err := s.Notes(ctx, manager, id, first[5].ID, 100)
	if err != nil || len(rest) != 4 || rest[0].ID >= first[5].ID {
		t.Errorf("%d more notes, %v; want the other 4 of 10", len(rest), err)
	}
}

func TestCleanupForgetsOldRequestsAndKeepsFacts(t *testing.T) {
	s, pool := newService(t)
	ctx := context.Background()
	o, err := s.Create(ctx, draft(), request("old", "body"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(ctx, draft(), request("new", "body")); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, `UPDATE orders.idempotency_key SET created_at = now() - interval '25 hours' WHERE key = 'old'`); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{1, 0} {
		removed, err := s.Cleanup(ctx)
		if err != nil || !cmp.Equal(removed, []order.Removed{{Kind: "idempotency_key", Count: want}}) {
			t.Errorf("got %v, %v; want %d", removed, err, want)
		}
	}
	if history, err := s.History(ctx, manager, o.ID, 0, 1); err != nil || len(history) != 1 {
		t.Errorf("%d history rows, %v", len(history), err)
	}
}

// The table holds the 58 wilayas of 2019 and the 69 of November 2025, and every name and alias of it finds its own.
func TestEveryNameOfEveryWilayaFindsIt(t *testing.T) {
	s, _ := newService(t)
	wilayas, err := s.Wilayas(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(wilayas) != 69 {
		t.Errorf("%d wilayas", len(wilayas))
	}
	g := order.NewGazetteer(wilayas)
	for n, w := range wilayas {
		if w.Code != n+1 {
			t.Errorf("%d. is %d", n+1, w.Code)
		}
		for _, name := range append([]string{w.NameFr, w.NameAr, fmt.Sprint(w.Code), fmt.Sprintf("%02d - %s", w.Code, w.NameFr)}, w.Aliases...) {
			if got := g.Code(name); got != w.Code {
				t.Errorf("%q finds %d, want %d", name, got, w.Code)
			}
		}
	}
}

// The views and the domain say the same about late, stale and load.
func TestViewsAgreeWithTheDomain(t *testing.T) {
	s, pool := newService(t)
	ctx := context.Background()
	const days = `
		UPDATE orders.sales_order SET deliver_by = now() + $2::interval, touched_at = now() + $3::interval, next_action = $4, next_action_at = CASE WHEN $4::text IS NULL THEN NULL ELSE now() + $5::interval END
		WHERE id = $1`
	action := "CALL_BACK"
	var want struct{ late, stale, load []int64 }
	for n, c := range []struct {
		status             order.Status
		due, touched, next string
		action             *string
		late, stale, load  bool
	}{
		{order.Assigned, "1 day", "-1 day", "0", nil, false, false, true},
		{order.Confirmed, "1 day", "-1 day", "0", nil, false, false, false},
		{order.Confirmed, "-1 minute", "-1 day", "0", nil, true, false, true},
		{order.Shipped, "1 day", "-1 day", "-1 minute", &action, false, false, true},
		{order.Shipped, "1 day", "-1 day", "1 hour", &action, false, false, false},
		{order.InProgress, "-1 day", "-22 days", "0", nil, true, true, false},
		{order.Delivered, "-1 day", "-22 days", "0", nil, false, false, false},
	} {
		id := ingest1(t, s, storeA, order.Pass, row(int64(n+1), "0550000001", "En dispatch", order.FollowUp))[0].OrderID
		assign(t, pool, id, agent1)
		if _, err := pool.Exec(ctx, `UPDATE orders.sales_order SET status = $2 WHERE id = $1`, id, string(c.status)); err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(ctx, days, id, c.due, c.touched, c.action, c.next); err != nil {
			t.Fatal(err)
		}
		o, err := s.Order(ctx, manager, id)
		if err != nil {
			t.Fatal(err)
		}
		if now := o.UpdatedAt; o.Late(now) != c.late || o.Stale(now) != c.stale {
			t.Errorf("%d. %s: late %v, stale %v", n, c.status, o.Late(now), o.Stale(now))
		}
		for _, list := range []struct {
			in  bool
			ids *[]int64
		}{{c.late, &want.late}, {c.stale, &want.stale}, {c.load, &want.load}} {
			if list.in {
				*list.ids = append(*list.ids, id)
			}
		}
	}
	for view, ids := range map[string][]int64{"late": want.late, "stale": want.stale, "agent_load": want.load} {
		rows, err := pool.Query(ctx, `SELECT order_id FROM orders.`+view+` ORDER BY order_id`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("orders.%s: %s", view, diff)
		}
	}
}
