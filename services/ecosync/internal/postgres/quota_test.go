package postgres_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/postgres"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
)

// Lesson P12: callers that ask at once, over two replicas, never overrun a window.
func TestManyAtOnceNeverOverrunAWindow(t *testing.T) {
	db, pool := open(t)
	other, err := pgxpool.NewWithConfig(t.Context(), pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s := insert(t, db, "NATU")
	var now atomic.Int64
	now.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	clock := func() time.Time { return time.Unix(0, now.Load()).UTC() }
	replicas := []*postgres.Quota{db.Quota(clock), postgres.New(other).Quota(clock)}
	// asked counts who got through, while 16 callers ask 5 times each.
	asked := func(share quota.Share) (got int64) {
		var passed atomic.Int64
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				for range 5 {
					wait, err := replicas[i%2].Reserve(t.Context(), s.ID, share)
					if err != nil {
						t.Error(err)
					}
					if wait.IsZero() {
						passed.Add(1)
					}
				}
			})
		}
		all.Wait()
		return passed.Load()
	}
	if n := asked(quota.Background); n != 2 {
		t.Errorf("%d background requests in one second, want half of four", n)
	}
	if n := asked(quota.Live); n != 2 {
		t.Errorf("%d live requests in the rest of the second, want two", n)
	}
	var minute int64 = 4
	for range 15 {
		now.Add(int64(time.Second))
		minute += asked(quota.Live)
	}
	if minute != 40 {
		t.Errorf("%d requests in one minute, want 40", minute)
	}
	wait, err := replicas[1].Reserve(t.Context(), s.ID, quota.Live)
	if want := time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC); err != nil || !wait.Equal(want) {
		t.Errorf("wait until %s, %v; want the minute's end %s", wait, err, want)
	}
}

func TestTheStatementCountsAsTheArithmeticSays(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	counted := db.Quota(func() time.Time { return now })
	var model quota.State
	steps := []time.Duration{0, 0, 0, 0, 300 * time.Millisecond, time.Second, 20 * time.Second, time.Minute, 17 * time.Minute}
	chance := rand.New(rand.NewPCG(3, 12))
	for i := range 600 {
		now = now.Add(steps[chance.IntN(len(steps))])
		share := quota.Share(chance.IntN(2))
		if chance.IntN(60) == 0 {
			until := now.Add(time.Duration(chance.IntN(90)) * time.Second)
			if err := counted.Block(t.Context(), s.ID, until); err != nil {
				t.Fatal(err)
			}
			if until.After(model.BlockedUntil) {
				model.BlockedUntil = until
			}
		}
		after, want := model.Take(now, share)
		model = after
		got, err := counted.Reserve(t.Context(), s.ID, share)
		if err != nil || !got.Equal(want) {
			t.Fatalf("step %d: wait %s, %v; want %s", i, got, err, want)
		}
	}
}

func TestThePostgresClockCountsWhenNoneIsGiven(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	counted := db.Quota(nil)
	begin := time.Now()
	var passed int
	for range 12 {
		wait, err := counted.Reserve(t.Context(), s.ID, quota.Live)
		if err != nil {
			t.Fatal(err)
		}
		if wait.IsZero() {
			passed++
		} else if wait.After(time.Now().Add(2 * time.Second)) {
			t.Errorf("a second's wait ends at %s", wait)
		}
	}
	if most := 4 * (1 + int(time.Since(begin)/time.Second)); passed < 4 || passed > most {
		t.Errorf("%d requests, want 4 to %d", passed, most)
	}
}

func TestATokenIsCountedWhoeverAsksForIt(t *testing.T) {
	db, pool := open(t)
	s := insert(t, db, "NATU") // its fingerprint is its identifier
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	counted := db.Quota(func() time.Time { return now })
	for range 4 {
		if wait, err := counted.ReserveToken(t.Context(), []byte("NATU"), quota.Live); err != nil || !wait.IsZero() {
			t.Fatal(wait, err)
		}
	}
	if wait, err := counted.Reserve(t.Context(), s.ID, quota.Live); err != nil || !wait.Equal(now.Add(time.Second)) {
		t.Errorf("the store's pass does not see what a test spent: %s, %v", wait, err)
	}
	// A 429 before anything was counted, and a shorter one after a longer one.
	for _, wait := range []time.Duration{time.Hour, time.Minute} {
		if err := counted.BlockToken(t.Context(), []byte("fresh"), now.Add(wait)); err != nil {
			t.Fatal(err)
		}
	}
	if wait, err := counted.ReserveToken(t.Context(), []byte("fresh"), quota.Live); err != nil || !wait.Equal(now.Add(time.Hour)) {
		t.Errorf("wait until %s, %v", wait, err)
	}
	if _, err := counted.Reserve(t.Context(), uuid.NewString(), quota.Live); !errors.Is(err, pass.ErrGone) {
		t.Errorf("a store that is gone: %v", err)
	}
	state, at, err := counted.Spent(t.Context(), s.ID)
	if err != nil || !at.Equal(now) || state.Left(at) != 0 || state.Windows[3].Spent != 4 {
		t.Errorf("%+v at %s, %v", state, at, err)
	}
	_, err = pool.Exec(t.Context(), `UPDATE ecosync.quota SET began = '{2020-01-01,2020-01-01,2020-01-01,2020-01-01}', blocked_until = NULL`)
	if err != nil {
		t.Fatal(err)
	}
	if state, at, err = counted.Spent(t.Context(), s.ID); err != nil || state.Left(at) != 8_000 {
		t.Errorf("an idle token has %d left, %v", state.Left(at), err)
	}
}
