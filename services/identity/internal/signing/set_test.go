package signing

import (
	"testing"
	"time"
)

const tokenLife = 15 * time.Minute

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// grow runs the rotation every step for a while and answers every state of the set on the way, as a replica would have met it.
func grow(t *testing.T, from time.Time, total, step time.Duration, visit func(now time.Time, s Set)) {
	t.Helper()
	var s Set
	for now := from; now.Before(from.Add(total)); now = now.Add(step) {
		if plan, due := s.Next(now, tokenLife); due {
			for i := range s {
				if s[i].Generation == plan.Generation-1 {
					s[i].RetireAt = plan.RetirePrevious
				}
			}
			s = append(s, Key{
				ID: string(rune('a' + len(s))), Generation: plan.Generation, PublishFrom: plan.PublishFrom, SignFrom: plan.SignFrom,
			})
		}
		visit(now, s)
	}
}

func TestThereIsAlwaysAKeyThatSigns(t *testing.T) {
	grow(t, start, 100*24*time.Hour, 5*time.Minute, func(now time.Time, s Set) {
		if _, found := s.Signer(now); !found {
			t.Fatalf("no signer at %s", now)
		}
	})
}

func TestAKeyIsPublishedAnHourBeforeItSigns(t *testing.T) {
	published := map[string]time.Time{}
	signs := map[string]time.Time{}
	grow(t, start, 100*24*time.Hour, 5*time.Minute, func(now time.Time, s Set) {
		for _, k := range s.Published(now) {
			if _, seen := published[k.ID]; !seen {
				published[k.ID] = now
			}
		}
		k, _ := s.Signer(now)
		if _, seen := signs[k.ID]; !seen {
			signs[k.ID] = now
		}
	})
	if len(signs) < 4 {
		t.Fatalf("%d keys signed in 100 days, want 4", len(signs))
	}
	for id, from := range signs {
		if lead := from.Sub(published[id]); id != "a" && lead < Lead {
			t.Errorf("key %s was published %s before it signed, want %s", id, lead, Lead)
		}
	}
}

func TestTheLastKeyIsPublishedUntilItsTokensEnd(t *testing.T) {
	lastSigned := map[string]time.Time{}
	grow(t, start, 100*24*time.Hour, 5*time.Minute, func(now time.Time, s Set) {
		k, _ := s.Signer(now)
		lastSigned[k.ID] = now
		published := map[string]bool{}
		for _, p := range s.Published(now) {
			published[p.ID] = true
		}
		for id, at := range lastSigned {
			if now.Sub(at) <= tokenLife && !published[id] {
				t.Fatalf("at %s the key %s is gone, and tokens it signed %s ago still live", now, id, now.Sub(at))
			}
		}
		if len(published) > 2 {
			t.Fatalf("at %s %d keys are published", now, len(published))
		}
	})
}

func TestAServiceThatWasOffForMonthsStillPublishesFirst(t *testing.T) {
	old := Set{{ID: "old", Generation: 7, PublishFrom: start, SignFrom: start}}
	now := start.Add(200 * 24 * time.Hour)
	plan, due := old.Next(now, tokenLife)
	if !due || plan.Generation != 8 || plan.SignFrom.Sub(now) != Lead {
		t.Errorf("plan = %+v, due = %v; want generation 8 to sign in %s", plan, due, Lead)
	}
	if k, found := old.Signer(now); !found || k.ID != "old" {
		t.Error("the old key must sign until then")
	}
}

func TestTheNextKeyIsMadeOnce(t *testing.T) {
	s := Set{
		{ID: "a", Generation: 1, PublishFrom: start, SignFrom: start},
		{ID: "b", Generation: 2, PublishFrom: start.Add(Period - Lead), SignFrom: start.Add(Period)},
	}
	if _, due := s.Next(start.Add(Period-time.Minute), tokenLife); due {
		t.Error("a third key is made although the second has not signed yet")
	}
}
