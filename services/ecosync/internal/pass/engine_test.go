package pass_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass/passtest"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// world is an engine with everything around it in memory, on a false clock.
type world struct {
	*testing.T
	shops   map[string]*scripted // by base URL
	orders  *passtest.Orders
	journal *passtest.Journal
	quota   *passtest.Quota
	engine  *pass.Engine
	stores  []store.Store
	events  []pass.Progress
	config  pass.Config
}

func inWorld(t *testing.T, stores int, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			T: t, shops: map[string]*scripted{}, orders: &passtest.Orders{}, journal: passtest.NewJournal(), quota: &passtest.Quota{Free: true},
			config: pass.Config{BatchSize: 25, InitialSync: 30 * 24 * time.Hour},
		}
		for i := range stores {
			id := fmt.Sprintf("store-%d", i)
			w.shops[id] = newShop()
			w.journal.Add(id)
			w.stores = append(w.stores, store.Store{ID: id, Identifier: strings.ToUpper(id), BaseURL: id, TimeZone: "Africa/Algiers", Active: true})
		}
		w.engine = pass.NewEngine(w, w.orders, w, w.journal, w.quota, slog.New(slog.DiscardHandler), time.Now, w.config)
		f(w)
	})
}

func (w *world) Orders(ctx context.Context, a shop.Access, cursor string) (shop.Page, error) {
	return w.shops[a.BaseURL].Orders(ctx, a, cursor)
}

func (w *world) OrdersByID(ctx context.Context, a shop.Access, cursor string) (shop.Page, error) {
	return w.shops[a.BaseURL].OrdersByID(ctx, a, cursor)
}

func (w *world) Order(ctx context.Context, a shop.Access, id int64) (shop.Row, error) {
	return w.shops[a.BaseURL].Order(ctx, a, id)
}

func (w *world) Open(context.Context, string, int64) (shop.Token, error) { return "token", nil }

// sync makes one pass over the only store.
func (w *world) sync() pass.Pass {
	return w.engine.Run(w.Context(), w.stores[0], func(p pass.Progress) { w.events = append(w.events, p) })
}

func (w *world) succeed() pass.Pass {
	w.Helper()
	p := w.sync()
	if p.Result != pass.Succeeded {
		w.Fatalf("the pass ended %s, %s: %s", p.Result, p.Failure, p.Message)
	}
	return p
}

func (w *world) shop() *scripted { return w.shops["store-0"] }

func TestASecondSyncWithNothingChangedMakesOneRequestAndWritesNothing(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 1050, time.Now())
		if p := w.succeed(); p.Counts.Created != 1050 || p.Counts.Pages != 11 || w.shop().asked() != 11 {
			t.Errorf("first: %+v", p.Counts)
		}
		if i := slices.IndexFunc(w.orders.Sizes, func(n int) bool { return n > 25 }); i >= 0 {
			t.Errorf("a batch of %d", w.orders.Sizes[i])
		}
		time.Sleep(time.Hour)
		before := w.orders.Writes
		p := w.succeed()
		if w.shop().asked() != 1 || w.orders.Writes != before || p.Counts.Unchanged != 100 {
			t.Errorf("second: %d writes, %+v", w.orders.Writes-before, p.Counts)
		}
	})
}

func TestBatchesAreCutBySizeToo(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 60, time.Now())
		w.shop().script = func(_ int, cursor string) (*shop.Page, error) {
			p := w.shop().page(cursor)
			for i := range p.Rows {
				p.Rows[i].Raw = append(p.Rows[i].Raw, make([]byte, 200<<10)...)
			}
			return &p, nil
		}
		if p := w.succeed(); p.Counts.Created != 60 || slices.Max(w.orders.Sizes) != 7 {
			t.Errorf("%+v, batches of %v: a call would be too large for orders", p.Counts, w.orders.Sizes)
		}
	})
}

func TestAfterKChangesASyncMakesFewRequests(t *testing.T) {
	for _, k := range []int{1, 24, 99, 100, 101, 250} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				w.shop().fill(1, 1000, time.Now())
				w.succeed()
				w.shop().asked()
				time.Sleep(time.Hour)
				for i := range k {
					// Old ids: an order enters En dispatch long after its id was
					// passed (lesson P4).
					w.shop().put(int64(1+i), "Livrée", time.Now().Add(-time.Minute).Truncate(time.Second))
				}
				time.Sleep(time.Minute)
				p := w.succeed()
				if asked, most := w.shop().asked(), (k+99)/100+2; asked > most || p.Counts.Updated != int64(k) {
					t.Errorf("%d requests, at most %d; %+v", asked, most, p.Counts)
				}
			})
		})
	}
}

func TestHundredsOfChangesInTheHeadsSecondAreAllFound(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 1000, time.Now().Add(-time.Hour))
		second := time.Now().Truncate(time.Second)
		for id := int64(700); id < 900; id++ {
			w.shop().put(id, "En livraison", second)
		}
		w.succeed()
		// The same second goes on below the head, behind a full page of rows
		// that are known by now.
		for id := int64(400); id < 550; id++ {
			w.shop().put(id, "En livraison", second)
		}
		time.Sleep(time.Hour)
		if p := w.succeed(); p.Counts.Updated != 150 {
			t.Errorf("%+v", p.Counts)
		}
		w.shop().asked()
		// By now the second is over: it is not read down again.
		if w.succeed(); w.shop().asked() != 1 {
			t.Error("a quiet pass made more than one request")
		}
	})
}

func TestTheFirstSyncGoesBackThirtyDaysAndOlderRowsStayForABackfill(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		now := time.Now().Truncate(time.Second)
		for i := range 400 {
			w.shop().put(int64(1000-i), "En dispatch", now.Add(-time.Duration(i)*6*time.Hour))
		}
		p := w.succeed() // 30 days are 121 rows
		if p.Counts.Created != 121 || p.Counts.Outside != 79 || w.shop().asked() != 2 {
			t.Errorf("first: %+v", p.Counts)
		}
		time.Sleep(time.Hour)
		// More news than fit a page push the walk down to the floor, and not
		// below it (lesson P40).
		for i := range 150 {
			w.shop().put(int64(2000+i), "En dispatch", time.Now().Add(-time.Minute).Truncate(time.Second))
		}
		if p := w.succeed(); p.Counts.Created != 150 || w.orders.Len("store-0") != 271 {
			t.Errorf("later: %+v", p.Counts)
		}
	})
}

func TestARowDated2035DoesNotHideTheNextTenYears(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 300, time.Now())
		w.shop().put(999, "En dispatch", time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC))
		if p := w.succeed(); p.Counts.Created != 301 {
			t.Errorf("first: %+v", p.Counts)
		}
		time.Sleep(time.Hour)
		w.shop().asked()
		w.shop().put(5, "Annulé", time.Now().Truncate(time.Second))
		time.Sleep(time.Minute)
		if p := w.succeed(); p.Counts.Updated != 1 {
			t.Errorf("later: %+v", p.Counts)
		}
		w.shop().asked()
		if w.succeed(); w.shop().asked() != 1 {
			t.Error("the row dated 2035 costs a request in every pass")
		}
	})
}

func TestAHeadAboveAllTheShopHasComesDown(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 300, time.Now())
		w.succeed()
		for id := int64(250); id <= 300; id++ {
			delete(w.shop().orders, id) // quirk Q9, lesson P7
		}
		time.Sleep(time.Hour)
		w.succeed()
		w.shop().put(10, "Retour", time.Now().Truncate(time.Second))
		time.Sleep(time.Minute)
		if p := w.succeed(); p.Counts.Updated != 1 {
			t.Errorf("%+v", p.Counts)
		}
	})
}

func TestKilledAfterAnyCheckpointAndRepeatedNothingIsMissingOrDoubled(t *testing.T) {
	for kill := 1; kill <= 10; kill++ {
		inWorld(t, 1, func(w *world) {
			w.shop().fill(1, 230, time.Now())
			ctx, cancel := context.WithCancel(w.Context())
			n := 0
			w.journal.AfterCheckpoint = func() {
				if n++; n == kill {
					cancel()
				}
			}
			p := w.engine.Run(ctx, w.stores[0], func(pass.Progress) {})
			if position, _, _, _, _ := w.journal.Store("store-0"); position.Head != nil && len(position.Gaps) == 0 && p.Result != pass.Succeeded {
				t.Fatal("the head moved and left no gap (lesson P9)")
			}
			w.journal.AfterCheckpoint = nil
			w.succeed()
			if w.orders.Len("store-0") != 230 || w.orders.Writes != 230 {
				t.Errorf("killed after checkpoint %d: %d orders, %d writes", kill, w.orders.Len("store-0"), w.orders.Writes)
			}
		})
	}
}

func TestTwoPassesOverOneStoreAtOnceAreNotMade(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 250, time.Now())
		var second pass.Pass
		w.journal.AfterCheckpoint = nil
		w.orders.Fail = func(pass.Batch) error {
			w.orders.Fail = nil
			second = w.engine.Run(w.Context(), w.stores[0], func(pass.Progress) {})
			return nil
		}
		if w.succeed(); second.Result != pass.AlreadyRunning {
			t.Errorf("the second was %s", second.Result)
		}
	})
}

func TestAPassWhoseTermWasTakenWritesNothingMore(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 250, time.Now())
		calls := 0
		w.orders.Fail = func(pass.Batch) error {
			if calls++; calls == 3 {
				time.Sleep(2 * pass.Lease)
				w.journal.Steal("store-0")
			}
			return nil
		}
		if p := w.sync(); p.Result != pass.Abandoned || calls != 3 {
			t.Errorf("%s after %d calls", p.Result, calls)
		}
	})
}

func TestRowsThatCannotBecomeOrdersAreKeptBeforeTheCheckpoint(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 30, time.Now())
		w.shop().script = func(_ int, cursor string) (*shop.Page, error) {
			p := w.shop().page(cursor)
			p.Rows[3] = shop.Row{Problem: &shop.Problem{Reason: shop.BadMoney, Field: "total", ID: 27}, Raw: []byte("{}")}
			return &p, nil
		}
		p := w.succeed()
		_, _, quarantine, _, _ := w.journal.Store("store-0")
		if p.Counts.Created != 29 || p.Counts.Quarantined != 1 || len(quarantine) != 1 || quarantine[0].Problem.ID != 27 {
			t.Errorf("%+v, %+v", p.Counts, quarantine)
		}
	})
}

func TestThreeForeignReferencesPauseTheStore(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 200, time.Now())
		w.succeed()
		for id := int64(1); id <= 3; id++ {
			o := w.shop().orders[id]
			o.Reference, o.UpdatedAt = fmt.Sprintf("OTHER%d", id), time.Now().Truncate(time.Second)
			w.shop().orders[id] = o
		}
		time.Sleep(time.Minute)
		p := w.sync()
		_, _, quarantine, _, paused := w.journal.Store("store-0")
		if p.Failure != shop.OtherShop || !paused || len(quarantine) != 3 {
			t.Errorf("%s %s, paused %t, %d in quarantine (lessons P5 to P7)", p.Result, p.Failure, paused, len(quarantine))
		}
	})
}

func TestAShopThatChangesItsPrefixIsSyncedOn(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 200, time.Now())
		w.journal.Change("store-0", func(s *store.Store) { s.ReferencePrefixes = []string{"NATU"} })
		// The prefix is the shop's to choose (quirk Q8): only known ids with other
		// references prove another shop (DESIGN 4).
		if p := w.succeed(); p.Counts.Created != 200 {
			t.Errorf("%+v", p.Counts)
		}
	})
}

func TestThePrefixOfARejectedRowIsNotTheStores(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 50, time.Now())
		w.succeed()
		time.Sleep(time.Minute)
		for id := int64(1); id <= 2; id++ {
			o := w.shop().orders[id]
			o.Reference, o.UpdatedAt = fmt.Sprintf("OTHER%d", id), time.Now().Truncate(time.Second)
			w.shop().orders[id] = o
		}
		w.succeed()
		if got := w.journal.Prefixes("store-0"); !slices.Equal(got, []string{"DEMOA"}) {
			t.Errorf("learned %v (lessons P5 to P7)", got)
		}
	})
}

func TestAPassUsesTheSettingsAsTheyAreWhenItBegins(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		// The shop moved while the pass waited for its turn: w.stores is what was
		// read before.
		w.shops["moved"] = newShop()
		w.shops["moved"].fill(1, 7, time.Now())
		w.journal.Change("store-0", func(s *store.Store) { s.BaseURL = "moved" })
		if p := w.succeed(); p.Counts.Created != 7 || w.shop().asked() != 0 {
			t.Errorf("%+v: the old address was asked", p.Counts)
		}
	})
}

func TestAPanicInTheJournalStaysInItsStore(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 7, time.Now())
		for _, at := range []string{"begin", "finish"} {
			e := pass.NewEngine(w, w.orders, w, panicking{w.journal, at}, w.quota, slog.New(slog.DiscardHandler), time.Now, w.config)
			if p := e.Run(w.Context(), w.stores[0], func(pass.Progress) {}); p.Result != pass.Failed || p.Failure != shop.Internal {
				t.Errorf("at %s: %s %s (lesson P12)", at, p.Result, p.Failure)
			}
		}
	})
}

// panicking is a journal with a bug in it.
type panicking struct {
	*passtest.Journal
	at string
}

func (j panicking) Begin(ctx context.Context, id string, lease time.Duration) (pass.Ticket, error) {
	if j.at == "begin" {
		panic("boom")
	}
	return j.Journal.Begin(ctx, id, lease)
}

func (j panicking) Finish(ctx context.Context, t pass.Ticket, e pass.Ending) error {
	if j.at == "finish" {
		panic("boom")
	}
	return j.Journal.Finish(ctx, t, e)
}

func TestACallerWithoutTimeLeftCancelsAndBlamesNobody(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 1000, time.Now())
		w.shop().script = func(int, string) (*shop.Page, error) {
			f := shop.NewFault(shop.RateLimited, 429, nil)
			f.RetryAfter = 50 * time.Second
			return nil, f
		}
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		if p := w.engine.Run(ctx, w.stores[0], func(pass.Progress) {}); p.Result != pass.Cancelled || p.Failure != shop.NoFailure {
			t.Errorf("%s %s: %s", p.Result, p.Failure, p.Message)
		}
	})
}

func TestAnUnknownVerdictMovesNoHead(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 10, time.Now())
		e := pass.NewEngine(w, strange{w.orders}, w, w.journal, w.quota, slog.New(slog.DiscardHandler), time.Now, w.config)
		p := e.Run(w.Context(), w.stores[0], func(pass.Progress) {})
		if position, _, _, _, _ := w.journal.Store("store-0"); p.Result != pass.Failed || position.Head != nil {
			t.Errorf("%s, head %v (lesson P2)", p.Result, position.Head)
		}
	})
}

// strange is an orders service of a newer release.
type strange struct{ *passtest.Orders }

func (strange) Ingest(_ context.Context, b pass.Batch) ([]pass.Outcome, error) {
	out := make([]pass.Outcome, len(b.Rows))
	for i, r := range b.Rows {
		out[i] = pass.Outcome{UpstreamID: r.Order.ID, Verdict: "MERGED"}
	}
	return out, nil
}

func TestUnknownStatesAreCountedOnceAndShown(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 50, time.Now())
		w.shop().put(7, "Expédié", time.Now().Truncate(time.Second))
		w.succeed()
		time.Sleep(time.Hour)
		w.succeed()
		if _, _, _, unknown, _ := w.journal.Store("store-0"); unknown["Expédié"] != 1 || len(unknown) != 1 {
			t.Errorf("%v (lesson P15)", unknown)
		}
	})
}

func TestOrdersThatAreAwayForAMomentAreWaitedFor(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 50, time.Now())
		left := 2
		w.orders.Fail = func(pass.Batch) error {
			if left--; left >= 0 {
				return fmt.Errorf("dial: %w", pass.ErrOrdersUnavailable)
			}
			return nil
		}
		w.succeed()
		w.orders.Fail = func(pass.Batch) error { return pass.ErrOrdersUnavailable }
		if p := w.sync(); p.Failure != shop.OrdersUnavailable {
			t.Errorf("%s %s", p.Result, p.Failure)
		}
		w.orders.Fail = func(pass.Batch) error { return errors.New("secret detail") }
		if p := w.sync(); p.Failure != shop.Internal || strings.Contains(p.Message, "secret") {
			t.Errorf("%s %s: %s", p.Result, p.Failure, p.Message)
		}
	})
}
