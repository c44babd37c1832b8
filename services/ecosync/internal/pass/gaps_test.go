package pass_test

import (
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

func TestAPageThatStaysBrokenHoldsUpNoNewOrder(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 500, time.Now())
		broken := ""
		w.shop().script = func(n int, cursor string) (*shop.Page, error) {
			if n == 3 {
				broken = cursor
			}
			if broken != "" && cursor == broken {
				return nil, shop.NewFault(shop.ServerError, 500, nil)
			}
			return nil, nil
		}
		if p := w.sync(); p.Result != pass.Failed || p.Counts.Created != 200 || p.Counts.Gaps != 1 {
			t.Errorf("first: %s, %+v", p.Result, p.Counts)
		}
		for round := range int64(4) {
			time.Sleep(time.Hour)
			w.shop().put(1000+round, "En dispatch", time.Now().Add(-time.Minute).Truncate(time.Second))
			p := w.sync()
			position, _, _, _, _ := w.journal.Store("store-0")
			if p.Result != pass.Failed || p.Failure != shop.Unavailable || p.Counts.Created != 1 {
				t.Errorf("round %d: %s %s, %+v (lesson P9)", round, p.Result, p.Failure, p.Counts)
			}
			if g := position.Gaps[0]; len(position.Gaps) != 1 || g.Stuck() != (round >= 2) {
				t.Errorf("round %d: %+v", round, position.Gaps)
			}
		}
		w.shop().script = nil
		if p := w.succeed(); p.Counts.Created != 300 || p.Counts.Gaps != 0 || w.orders.Len("store-0") != 504 {
			t.Errorf("at last: %+v, %d orders", p.Counts, w.orders.Len("store-0"))
		}
	})
}

func TestAResumedWalkGoesOnWhereItEndedAndReadsNothingTwice(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 1000, time.Now())
		w.shop().script = func(n int, _ string) (*shop.Page, error) {
			if n == 7 {
				return nil, shop.NewFault(shop.Redirected, 302, nil)
			}
			return nil, nil
		}
		w.sync()
		w.shop().script = nil
		w.shop().asked()
		// The top, then pages 7 to 10.
		if w.succeed(); w.shop().asked() != 5 || w.orders.Len("store-0") != 1000 {
			t.Errorf("%d orders", w.orders.Len("store-0"))
		}
	})
}

func TestABreachWhereAGapGoesOnIsNamed(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 500, time.Now())
		w.shop().script = func(n int, _ string) (*shop.Page, error) {
			if n == 3 {
				return nil, shop.NewFault(shop.Redirected, 302, nil)
			}
			return nil, nil
		}
		w.sync()
		// The shop has forgotten the cursor and serves the first page for it
		// (lesson P1): its first row is newer than the checkpoint's last key.
		w.shop().script = func(int, string) (*shop.Page, error) { p := w.shop().page(""); return &p, nil }
		p := w.sync()
		position, _, _, _, _ := w.journal.Store("store-0")
		if p.Failure != shop.OrderBroken || position.Mode != pass.ByChange || len(position.Gaps) != 1 || position.Gaps[0].Failures != 1 {
			t.Errorf("%s: %s, %+v", p.Failure, p.Message, position)
		}
	})
}

func TestASpentHourEndsThePassDeferred(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 300, time.Now())
		w.quota.Free = false
		w.quota.Spend("store-0", 2, 798) // two are left of the hour's 800
		p := w.sync()
		if p.Result != pass.Deferred || !p.ResumeAt.Equal(time.Now().Add(time.Hour)) || p.Counts.Created != 200 {
			t.Errorf("%s until %v, %+v (lesson P3)", p.Result, p.ResumeAt, p.Counts)
		}
		time.Sleep(time.Until(p.ResumeAt))
		if w.succeed(); w.orders.Len("store-0") != 300 {
			t.Errorf("%d orders", w.orders.Len("store-0"))
		}
	})
}

func TestAShortWaitForTheQuotaIsSpentInThePassAndTold(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 300, time.Now())
		w.quota.Free = false
		w.quota.Spend("store-0", 1, 40) // the minute is spent
		w.succeed()
		told := false
		for _, e := range w.events {
			told = told || e.Pass.WaitingUntil.After(e.Pass.StartedAt)
		}
		if last := w.events[len(w.events)-1].Pass; !told || !last.WaitingUntil.IsZero() {
			t.Errorf("told %t, at the end %v", told, last.WaitingUntil)
		}
	})
}

func TestAProcessFrozenForTwoMinutesWritesNothingStale(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 500, time.Now())
		frozen, calls := false, 0
		w.orders.Fail = func(pass.Batch) error { calls++; return nil }
		w.journal.AfterCheckpoint = func() {
			if frozen || calls < 5 {
				return
			}
			frozen = true
			// The whole process stands still, pulse and all; another takes over
			// and finishes meanwhile.
			w.journal.Freeze("store-0", true)
			time.Sleep(2 * time.Minute)
			if p := w.engine.Run(w.Context(), w.stores[0], func(pass.Progress) {}); p.Result != pass.Succeeded {
				t.Errorf("the other ended %s", p.Result)
			}
			w.journal.Freeze("store-0", false)
			calls = 0
		}
		p := w.sync()
		position, _, _, _, _ := w.journal.Store("store-0")
		if p.Result != pass.Abandoned || calls != 0 || len(position.Gaps) != 0 || w.orders.Len("store-0") != 500 {
			t.Errorf("%s, %d calls after waking, %+v, %d orders", p.Result, calls, position.Gaps, w.orders.Len("store-0"))
		}
	})
}
