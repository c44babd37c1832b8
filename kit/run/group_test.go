package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { testMain(m) }

// journal notes what happened in which order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) task(name string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		j.note(name)
		return ctx.Err()
	}
}

func (j *journal) closer(name string) func(context.Context) error {
	return func(context.Context) error {
		j.note(name)
		return nil
	}
}

func TestMembersStopOneAfterTheOtherInReverseOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	var g Group
	var j journal
	g.OnStop("database", j.closer("database"))
	g.Go("sweeper", j.task("sweeper"))
	g.OnStop("peer", j.closer("peer"))
	g.Go("server", j.task("server"))
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"server", "peer", "sweeper", "database"}, j.lines); diff != "" {
		t.Error(diff)
	}
}

func TestAGroupThatNeverStartedStops(t *testing.T) {
	defer goleak.VerifyNone(t)
	var g Group
	if err := errors.Join(g.Stop(), g.Stop(), g.Wait()); err != nil {
		t.Error(err)
	}
}

func TestTheFirstFailureStopsTheGroupAndIsToldOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	var g Group
	var j journal
	g.OnStop("database", j.closer("database"))
	g.Go("server", func(context.Context) error { return errors.New("the port is taken") })
	err := g.Wait()
	if diff := cmp.Diff("server: the port is taken", fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"database"}, j.lines); diff != "" {
		t.Error(diff)
	}
}

func TestATaskThatIsDoneStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		g.Go("migrations", func(context.Context) error { return nil })
		synctest.Wait()
		select {
		case <-g.Stopping():
			t.Error("the group is stopping")
		default:
		}
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestEveryClosersErrorIsTold(t *testing.T) {
	var g Group
	for _, name := range []string{"a", "b"} {
		g.OnStop(name, func(context.Context) error { return errors.New("broken") })
	}
	if diff := cmp.Diff("stop b: broken\nstop a: broken", fmt.Sprint(g.Stop())); diff != "" {
		t.Error(diff)
	}
}

func TestAMemberThatHangsIsNamedAndKeepsNobodyOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group{Grace: 10 * time.Second}
		var j journal
		release := make(chan struct{})
		g.OnStop("database", j.closer("database"))
		g.Go("sweeper", func(context.Context) error { <-release; return nil })
		g.OnStop("peer", func(context.Context) error { <-release; return nil })
		began := time.Now()
		err := g.Stop()
		if took := time.Since(began); took > g.Grace+2*lastCall {
			t.Errorf("the stop took %v; want no more than the grace period and a last call", took)
		}
		if diff := cmp.Diff("peer did not stop in time\nsweeper did not stop in time", fmt.Sprint(err)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"database"}, j.lines); diff != "" {
			t.Error(diff)
		}
		close(release)
	})
}

func TestWhatIsHandedOverTooLateIsClosedAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	var g Group
	var j journal
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	g.OnStop("late connection", j.closer("late connection"))
	g.Go("late task", func(context.Context) error { j.note("late task ran"); return nil })
	if diff := cmp.Diff([]string{"late connection"}, j.lines); diff != "" {
		t.Error(diff)
	}
}

func TestStopMayBeCalledByManyAndByAMember(t *testing.T) {
	defer goleak.VerifyNone(t)
	var g Group
	var j journal
	g.OnStop("database", j.closer("database"))
	g.Go("signal", func(ctx context.Context) error {
		go func() { _ = g.Stop() }()
		<-ctx.Done()
		return nil
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := g.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff([]string{"database"}, j.lines); diff != "" {
		t.Error(diff)
	}
}

// Starts, failures and stops from everywhere at once: nothing is closed twice, nothing
// that was opened stays open, nobody hangs.
func TestStress(t *testing.T) {
	defer goleak.VerifyNone(t)
	for round := range 300 {
		var g Group
		var mu sync.Mutex
		open := map[string]int{}
		acquire := func(name string, by int) {
			mu.Lock()
			defer mu.Unlock()
			open[name] += by
		}
		var all sync.WaitGroup
		for worker := range 8 {
			name := fmt.Sprintf("%d/%d", round, worker)
			all.Go(func() {
				acquire(name, 1)
				g.OnStop(name, func(context.Context) error { acquire(name, -1); return nil })
				g.Go(name, func(ctx context.Context) error {
					if worker == round%8 && round%3 == 0 {
						return errors.New("failed")
					}
					<-ctx.Done()
					return ctx.Err()
				})
			})
		}
		all.Go(func() { _ = g.Stop() })
		all.Go(func() { _ = g.Stop() })
		all.Wait()
		if err := g.Stop(); err != nil && !strings.Contains(err.Error(), "failed") {
			t.Fatal(err)
		}
		mu.Lock()
		for name, n := range open {
			if n != 0 {
				t.Fatalf("%s was closed %d times; want once", name, 1-n)
			}
		}
		mu.Unlock()
	}
}
