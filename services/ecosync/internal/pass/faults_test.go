package pass_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

func TestABrokenOrderEndsThePassWithItsName(t *testing.T) {
	for name, tc := range map[string]struct {
		script  func(s *scripted) func(int, string) (*shop.Page, error)
		mode    pass.Mode
		message string
	}{
		"a garbage cursor serves the first page again (lesson P1)": {
			func(s *scripted) func(int, string) (*shop.Page, error) {
				return func(_ int, _ string) (*shop.Page, error) { p := s.page(""); return &p, nil }
			}, pass.ByChange, "page 2",
		},
		"an empty page that is not the last": {
			func(s *scripted) func(int, string) (*shop.Page, error) {
				return func(n int, cursor string) (*shop.Page, error) {
					p := s.page(cursor)
					if n == 2 {
						p.Rows = nil
					}
					return &p, nil
				}
			}, pass.ByChange, "page 2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				w.shop().fill(1, 500, time.Now())
				w.shop().script = tc.script(w.shop())
				p := w.sync()
				position, _, _, _, paused := w.journal.Store("store-0")
				if p.Result != pass.Failed || p.Failure != shop.OrderBroken || !strings.Contains(p.Message, tc.message) {
					t.Errorf("%s %s: %s", p.Result, p.Failure, p.Message)
				}
				if unread := position.Head == nil || len(position.Gaps) == 1; !unread || position.Mode != tc.mode || paused {
					t.Errorf("position %+v, paused %t", position, paused)
				}
				if w.shop().asked() > 3 {
					t.Error("the walk went on")
				}
			})
		})
	}
}

func TestFaultsEndAPassOrAreOvercome(t *testing.T) {
	fault := func(class shop.Class, status int, after time.Duration) *shop.Fault {
		f := shop.NewFault(class, status, nil)
		f.RetryAfter = after
		return f
	}
	const unknown = shop.RetryAfterUnknown
	for name, tc := range map[string]struct {
		fault   *shop.Fault
		times   int // how often it is met on the second request
		result  pass.Result
		failure shop.Failure
		paused  bool
		least   time.Duration // that the pass takes
		most    time.Duration
	}{
		"one 500":                      {fault(shop.ServerError, 500, unknown), 1, pass.Succeeded, "", false, time.Second, 3 * time.Second},
		"a shop that stays down":       {fault(shop.ServerError, 502, unknown), 9, pass.Failed, shop.Unavailable, false, 3 * time.Second, 7 * time.Second},
		"503 with 17 seconds":          {fault(shop.ServerError, 503, 17*time.Second), 1, pass.Succeeded, "", false, 17 * time.Second, 20 * time.Second},
		"503 for an hour":              {fault(shop.ServerError, 503, time.Hour), 1, pass.Deferred, shop.Unavailable, false, 0, time.Second},
		"truncated once":               {fault(shop.Truncated, 0, unknown), 1, pass.Succeeded, "", false, time.Second, 3 * time.Second},
		"429 with 17 seconds":          {fault(shop.RateLimited, 429, 17*time.Second), 1, pass.Succeeded, "", false, 17 * time.Second, 20 * time.Second},
		"429 without a word":           {fault(shop.RateLimited, 429, unknown), 1, pass.Succeeded, "", false, time.Minute, 63 * time.Second},
		"429 for an hour (lesson P3)":  {fault(shop.RateLimited, 429, time.Hour), 1, pass.Deferred, shop.RateLimitReached, false, 0, time.Second},
		"429 again and again":          {fault(shop.RateLimited, 429, time.Second), 99, pass.Deferred, shop.RateLimitReached, false, 5 * time.Second, time.Minute},
		"a token that is unknown":      {fault(shop.Unauthorised, 401, unknown), 1, pass.Failed, shop.TokenRefused, true, 0, time.Second},
		"a token that may not":         {fault(shop.Forbidden, 403, unknown), 1, pass.Failed, shop.TokenRefused, true, 0, time.Second},
		"a redirect":                   {fault(shop.Redirected, 302, unknown), 1, pass.Failed, shop.AnswerInvalid, false, 0, time.Second},
		"an address that is forbidden": {fault(shop.Blocked, 0, unknown), 1, pass.Failed, shop.AddressRefused, false, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				w.shop().fill(1, 250, time.Now())
				left := tc.times
				w.shop().script = func(n int, _ string) (*shop.Page, error) {
					if n > 1 && left > 0 {
						left--
						return nil, tc.fault
					}
					return nil, nil
				}
				began := time.Now()
				p := w.sync()
				took := time.Since(began)
				if p.Result != tc.result || p.Failure != tc.failure || took < tc.least || took > tc.most {
					t.Errorf("%s %q after %v: %s", p.Result, p.Failure, took, p.Message)
				}
				position, _, _, _, paused := w.journal.Store("store-0")
				if paused != tc.paused || (len(position.Gaps) == 0) != (tc.result == pass.Succeeded) {
					t.Errorf("paused %t, %+v: what was not read is a gap (lesson P9)", paused, position)
				}
				if tc.failure == shop.RateLimitReached && !p.ResumeAt.After(time.Now()) {
					t.Errorf("no time to resume at: %v", p.ResumeAt)
				}
				if waited := slices.ContainsFunc(w.events, func(e pass.Progress) bool { return strings.HasPrefix(e.Pass.Message, "WAITING until ") }); waited != (tc.least > 0) {
					t.Errorf("told of waiting: %t", waited)
				}
				w.shop().script = nil
				w.journal.Resume("store-0")
				time.Sleep(time.Until(p.ResumeAt))
				if w.succeed(); w.orders.Len("store-0") != 250 {
					t.Errorf("%d orders after the next pass", w.orders.Len("store-0"))
				}
			})
		})
	}
}

func TestOneSickStoreNeverTouchesAnother(t *testing.T) {
	inWorld(t, 4, func(w *world) {
		for _, s := range w.shops {
			s.fill(1, 150, time.Now())
		}
		w.shops["store-1"].script = func(int, string) (*shop.Page, error) { panic("boom") }
		w.shops["store-2"].script = func(int, string) (*shop.Page, error) {
			f := shop.NewFault(shop.RateLimited, 429, nil)
			f.RetryAfter = 50 * time.Second
			return nil, f
		}
		w.stores[3].Active = false
		last, ended, began := map[string]pass.Pass{}, map[string]time.Duration{}, time.Now()
		w.engine.SyncStores(w.Context(), w.stores, func(p pass.Progress) {
			last[p.StoreID], ended[p.StoreID] = p.Pass, time.Since(began)
		})
		if last["store-0"].Result != pass.Succeeded || ended["store-0"] > time.Second {
			t.Errorf("the healthy store: %+v after %v (lesson P12)", last["store-0"], ended["store-0"])
		}
		if last["store-1"].Failure != shop.Internal || last["store-2"].Failure != shop.RateLimitReached || last["store-3"].Result != pass.Skipped {
			t.Errorf("the others: %+v", last)
		}
	})
}

func TestAListingByIDIsNotTakenForOneByChange(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 300, time.Now()) // ids and times fall together: nothing breaks the order check
		w.shop().script = func(_ int, cursor string) (*shop.Page, error) {
			p := w.shop().page(cursor)
			p.Next.At = time.Time{} // as the cursor {"id":…} is read
			return &p, nil
		}
		p := w.succeed()
		position, _, _, _, _ := w.journal.Store("store-0")
		if position.Mode != pass.IDOnly || !strings.Contains(p.Message, "not dependable") {
			t.Errorf("mode %s, message %q (lessons P1, P4)", position.Mode, p.Message)
		}
	})
}
