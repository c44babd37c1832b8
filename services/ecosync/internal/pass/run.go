package pass

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

const (
	// tries is how often one page, or one batch, is attempted; between two lie
	// firstPause and its doubles.
	tries      = 3
	firstPause = 2 * time.Second
	// longestWait is what a pass waits for a shop that asks to; a longer wait
	// ends it, so that nobody sleeps for half an hour inside a call (lesson P3).
	longestWait = time.Minute
	// maxWaits bounds the waits for one page: a shop that limits again and
	// again gets its pass back at the next trigger.
	maxWaits = 5
	// maxMismatches of identity and the store is another shop.
	maxMismatches = 3
)

// run is one pass while it runs.
type run struct {
	engine *Engine
	store  store.Store
	ticket Ticket
	access shop.Access
	walk   *walk
	tell   func(Pass)

	mu   sync.Mutex // guards pass: pages are fetched while others are written
	pass Pass

	mismatches int
}

// waitError ends a pass that would have to wait too long.
type waitError struct {
	until time.Time
	cause error
}

func (e *waitError) Error() string { return e.cause.Error() }
func (e *waitError) Unwrap() error { return e.cause }

// errOtherShop ends a pass over a listing that is not this store's.
var errOtherShop = errors.New("the shop answers orders of another shop")

// note changes the record and tells the caller.
func (r *run) note(change func(*Pass)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.pass)
	r.tell(r.pass)
}

func (r *run) counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pass.Counts
}

// run walks the listing from the top until the stop rule holds.
func (r *run) run(ctx context.Context) error {
	zone, err := r.store.Location()
	if err != nil {
		return err
	}
	token, err := r.engine.tokens.Open(ctx, r.store.ID, r.store.Credential.Version)
	if err != nil {
		return err
	}
	r.access = shop.Access{BaseURL: r.store.BaseURL, Token: token, Zone: zone}
	ctx, cancel := context.WithCancel(ctx)
	next := r.fetch(ctx, "")
	defer func() { cancel(); <-next.done }() // no request outlives its pass
	for cursor := ""; ; {
		page, err := next.wait()
		if err != nil {
			return err
		}
		judged, err := r.walk.read(page, r.engine.config.InitialSync)
		if err != nil {
			return err
		}
		r.note(func(p *Pass) { p.Counts.Pages++; p.Counts.Outside += judged.outside })
		fetching := judged.surely()
		if fetching {
			next = r.fetch(ctx, page.Next.Token)
		}
		news, err := r.write(ctx, page, cursor, judged.rows)
		if err != nil {
			return err
		}
		if !judged.goOn(news) {
			return nil
		}
		cursor = page.Next.Token
		if !fetching {
			next = r.fetch(ctx, cursor)
		}
	}
}

// future is a page on its way.
type future struct {
	done chan struct{}
	page shop.Page
	err  error
}

func (f *future) wait() (shop.Page, error) {
	<-f.done
	return f.page, f.err
}

// fetch sends the request for a page without waiting for it.
func (r *run) fetch(ctx context.Context, cursor string) *future {
	f := &future{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		defer caught(&f.err)
		f.page, f.err = r.request(ctx, cursor)
	}()
	return f
}

// request reads one page. It is the one place that repeats and waits (lesson
// P11): passing faults are tried three times, a limit is waited for as long as
// the shop says, and both are told as progress.
func (r *run) request(ctx context.Context, cursor string) (shop.Page, error) {
	backOff := firstPause
	for failures, waits := 0, 0; ; {
		r.note(func(p *Pass) { p.Counts.Requests++ })
		page, err := r.engine.upstream.Orders(ctx, r.access, cursor)
		if err == nil {
			return page, nil
		}
		var fault *shop.Fault
		if !errors.As(err, &fault) {
			return shop.Page{}, err
		}
		var wait time.Duration
		switch {
		case fault.Class == shop.RateLimited:
			wait = fault.RetryAfter
			if wait == shop.RetryAfterUnknown {
				wait = longestWait
			}
			waits++
			if wait > longestWait || waits > maxWaits {
				return shop.Page{}, &waitError{until: r.engine.now().Add(wait), cause: err}
			}
			// The shop's second may be shorter than ours.
			wait += time.Second
		case fault.Transient():
			failures++
			if failures == tries {
				return shop.Page{}, err
			}
			// A 503 may say when to come back, and knows better than we do.
			wait = max(jitter(backOff), fault.RetryAfter)
			if wait > longestWait {
				return shop.Page{}, &waitError{until: r.engine.now().Add(wait), cause: err}
			}
			backOff *= 2
		default:
			return shop.Page{}, err
		}
		until := r.engine.now().Add(wait).UTC()
		r.note(func(p *Pass) {
			p.Message = fmt.Sprintf("WAITING until %s: %s", until.Format(time.RFC3339), shop.Advice(err))
		})
		if err := pause(ctx, wait); err != nil {
			return shop.Page{}, err
		}
		r.note(func(p *Pass) { p.Message = "" })
	}
}
