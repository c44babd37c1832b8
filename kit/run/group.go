package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// DefaultGrace is how long a stop may take in all. Kubernetes kills after 30 s; the
// 5 s between are for the sandbox and the last log lines.
const DefaultGrace = 25 * time.Second

// lastCall is what a member still gets once the grace period is over: closing a
// socket takes less, and what hangs must not keep the others open.
const lastCall = 500 * time.Millisecond

// Group holds what a process is made of, in the order of its start. The zero value
// is ready for use. Its members stop in the reverse order, one after the other: a
// server that was started last drains while the database opened first still works.
//
// Invariants: every member is stopped exactly once; a member handed over after the
// stop began is closed at once instead of leaking; Stop may be called any number of
// times, from anywhere, also on a group in which nothing was ever started.
type Group struct {
	// Grace bounds the whole stop; zero means DefaultGrace. Set it before use.
	Grace time.Duration

	mu       sync.Mutex
	members  []member
	stopping chan struct{} // closed when the stop begins
	stopped  chan struct{} // closed when it is over
	begun    bool
	cause    error // the first failure of a task
	result   error // what Stop answers
}

// member is one thing to stop; stop must return by the deadline of its context, and
// is abandoned when it does not.
type member struct {
	name string
	stop func(ctx context.Context) error
}

func (g *Group) init() { // under mu
	if g.stopping == nil {
		g.stopping, g.stopped = make(chan struct{}), make(chan struct{})
	}
}

// Go runs f until its context ends, which is when this member's turn to stop has
// come. The first f that returns an error stops the whole group; returning nil early
// just means that this task is done.
func (g *Group) Go(name string, f func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var err error
	stop := func(stopCtx context.Context) error {
		cancel()
		select {
		case <-done:
			return err
		case <-stopCtx.Done():
			return stopCtx.Err()
		}
	}
	g.mu.Lock()
	g.init()
	if g.begun {
		g.mu.Unlock()
		cancel()
		return
	}
	g.members = append(g.members, member{name, stop})
	g.mu.Unlock()
	go func() {
		defer cancel()
		failure := f(ctx)
		if ctx.Err() != nil && errors.Is(failure, context.Canceled) {
			failure = nil // it was told to stop, and says so
		}
		if failure == nil || !g.fail(fmt.Errorf("%s: %w", name, failure)) {
			err = failure // else it is told as the cause, and not a second time
		}
		close(done)
	}()
}

// OnStop registers a closer. When the stop has begun already it runs at once, so
// that start-up code may hand over whatever it opened without asking.
func (g *Group) OnStop(name string, f func(ctx context.Context) error) {
	g.mu.Lock()
	g.init()
	if !g.begun {
		g.members = append(g.members, member{name, f})
		g.mu.Unlock()
		return
	}
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), lastCall)
	defer cancel()
	_ = bounded(ctx, f)
}

// Stopping is closed as soon as the stop begins: for those who answer "not ready"
// while the rest drains.
func (g *Group) Stopping() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.init()
	return g.stopping
}

// fail begins the stop with a cause; it reports whether this was the first failure.
func (g *Group) fail(err error) bool {
	g.mu.Lock()
	first := g.cause == nil && !g.begun
	if first {
		g.cause = err
	}
	g.mu.Unlock()
	if first {
		go func() { _ = g.Stop() }() // not here: the stop waits for this very task
	}
	return first
}

// Wait blocks until the group has stopped and answers like Stop.
func (g *Group) Wait() error {
	g.mu.Lock()
	g.init()
	stopped := g.stopped
	g.mu.Unlock()
	<-stopped
	return g.result
}

// Stop stops every member in reverse order within the grace period and answers the
// failure that caused the stop, joined with what went wrong while stopping. Later
// and concurrent calls wait for the first and answer the same.
func (g *Group) Stop() error {
	g.mu.Lock()
	g.init()
	if g.begun {
		g.mu.Unlock()
		return g.Wait()
	}
	g.begun = true
	close(g.stopping)
	members, grace, cause := g.members, g.Grace, g.cause
	g.members = nil
	g.mu.Unlock()

	if grace <= 0 {
		grace = DefaultGrace
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	errs := []error{cause}
	for _, m := range slices.Backward(members) {
		if err := m.stopWithin(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	g.result = errors.Join(errs...)
	close(g.stopped)
	return g.result
}

func (m member) stopWithin(ctx context.Context) error {
	if ctx.Err() != nil { // out of time: still ask, but do not wait long
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.Background(), lastCall)
		defer cancel()
	}
	err := bounded(ctx, m.stop)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return fmt.Errorf("%s did not stop in time", m.name)
	default:
		return fmt.Errorf("stop %s: %w", m.name, err)
	}
}

// bounded waits for f no longer than ctx: a closer that ignores its context costs a
// goroutine, not the shutdown.
func bounded(ctx context.Context, f func(ctx context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		select { // both at once: the answer wins
		case err := <-done:
			return err
		default:
			return ctx.Err()
		}
	}
}
