package pass

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
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
	share  quota.Share
	tell   func(Pass)

	// position is what is known, behind the last page that was written.
	position Position

	mu   sync.Mutex // guards pass: pages are fetched while others are written
	pass Pass

	mismatches int

	renewing sync.Mutex
	renewed  time.Time // when the term was last known to be ours; see lives
}

// waitError ends a pass that would have to wait too long.
type waitError struct {
	until time.Time
	cause error
}

func (e *waitError) Error() string { return e.cause.Error() }
func (e *waitError) Unwrap() error { return e.cause }

// errQuota is what a wait before a request is for.
var errQuota = errors.New("the quota of the shop's token is spent")

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

// run walks the top first, then what earlier walks left, newest first.
func (r *run) run(ctx context.Context) error {
	if prepare := r.engine.config.Prepare; prepare != nil {
		if err := prepare(ctx, r.store.ID); err != nil {
			return err
		}
	}
	zone, err := r.store.Location()
	if err != nil {
		return err
	}
	token, err := r.engine.tokens.Open(ctx, r.store.ID, r.store.Credential.Version)
	if err != nil {
		return err
	}
	r.access = shop.Access{BaseURL: r.store.BaseURL, Token: token, Zone: zone}
	if r.position.Mode == ByChange {
		err = r.byChange(ctx)
	}
	if r.position.Mode == IDOnly { // since before, or since a moment ago
		return r.byID(ctx)
	}
	return err
}

func (r *run) byChange(ctx context.Context) error {
	err := r.stretch(ctx, fromTop(r.position))
	if err != nil {
		return r.judge(err)
	}
	if err = r.judge(r.gaps(ctx)); err != nil && !ofGap(err) || r.position.Mode == IDOnly {
		return err
	}
	return cmp.Or(r.rescan(ctx), err)
}

// judge marks a store whose rows do not follow each other inside a page: no walk
// by change can be trusted there.
func (r *run) judge(err error) error {
	var order *OrderError
	if errors.As(err, &order) && order.Inside || errors.Is(err, errWeak) {
		r.position.Mode = IDOnly
	}
	return err
}

// errWeak ends a walk by change whose cursor has no second column.
var errWeak = errors.New("the cursor has no second column")

// gaps works off what earlier walks left. One that cannot be read is counted and
// holds up neither the others nor, in the next pass, the top (lesson P9).
func (r *run) gaps(ctx context.Context) (first error) {
	for i := 0; i < len(r.position.Gaps); {
		before := r.position.Gaps[i].Cursor
		err := r.stretch(ctx, fromGap(r.position, i))
		if err == nil {
			continue // it is closed, and the next one stands in its place
		}
		if !ofGap(err) {
			return err
		}
		if r.position.Gaps[i].Cursor == before {
			r.position = r.position.failed(i, failureOf(err), r.engine.now())
		}
		if first == nil {
			first = err
		}
		i++
	}
	return first
}

// ofGap tells a failure of these pages from one of the store, the caller or
// ourselves, which ends the pass.
func ofGap(err error) bool {
	var order *OrderError
	var fault *shop.Fault
	var wait *waitError
	switch {
	case errors.As(err, &order):
		return !order.Inside
	case errors.As(err, &wait), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &fault):
		return !fault.NeedsPerson() && fault.Class != shop.Blocked
	}
	return false
}

// stretch walks from the top, or from a gap, until the stop rule holds. Behind
// each page the position says what is known if this were its end.
func (r *run) stretch(ctx context.Context, w *walk) error {
	ctx, cancel := context.WithCancel(ctx)
	next := r.fetch(ctx, w.begin())
	defer func() { cancel(); <-next.done }() // no request outlives its pass
	for {
		page, err := next.wait()
		if err != nil {
			return err
		}
		judged, err := w.read(page, r.engine.config.InitialSync)
		if err != nil {
			return err
		}
		if w.weak {
			return errWeak
		}
		r.note(func(p *Pass) { p.Counts.Pages++; p.Counts.Outside += judged.outside })
		fetching := judged.surely()
		if fetching {
			next = r.fetch(ctx, page.Next.Token)
		}
		behind := w.finished()
		if !judged.end {
			behind = w.stopped(page.Next.Token)
		}
		news, err := r.write(ctx, Live, page, judged.rows, behind)
		if err != nil {
			return err
		}
		if !judged.goOn(news) {
			r.position = w.finished()
			return nil
		}
		if !fetching {
			next = r.fetch(ctx, page.Next.Token)
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

// request reads one page.
func (r *run) request(ctx context.Context, cursor string) (page shop.Page, err error) {
	err = r.ask(ctx, func(ctx context.Context) error {
		page, err = r.engine.upstream.Orders(ctx, r.access, cursor)
		return err
	})
	return page, err
}

// ask sends one request. It is the one place that repeats and waits (lesson
// P11): the quota is asked first, passing faults are tried three times, a limit
// is waited for as long as it lasts, and a wait is told as progress.
func (r *run) ask(ctx context.Context, send func(context.Context) error) error {
	backOff := firstPause
	for failures, limits := 0, 0; ; {
		if err := r.reserve(ctx); err != nil {
			return err
		}
		r.note(func(p *Pass) { p.Counts.Requests++ })
		err := send(ctx)
		var fault *shop.Fault
		if err == nil || !errors.As(err, &fault) {
			return err
		}
		switch {
		case fault.Class == shop.RateLimited:
			wait := fault.RetryAfter
			if wait == shop.RetryAfterUnknown {
				wait = quota.Unsaid
			}
			until := r.engine.now().Add(wait)
			if err := r.engine.quota.Block(ctx, r.store.ID, until); err != nil {
				return err
			}
			if limits++; limits > maxWaits {
				return &waitError{until: until, cause: err}
			}
			if err := r.await(ctx, until, err); err != nil {
				return err
			}
		case fault.Transient():
			if failures++; failures == tries {
				return err
			}
			// A 503 may say when to come back, and knows better than we do.
			wait := max(jitter(backOff), fault.RetryAfter)
			if err := r.await(ctx, r.engine.now().Add(wait), err); err != nil {
				return err
			}
			backOff *= 2
		default:
			return err
		}
	}
}

// reserve takes a request from the quota. Waiting for it holds no connection.
func (r *run) reserve(ctx context.Context) error {
	for {
		until, err := r.engine.quota.Reserve(ctx, r.store.ID, r.share)
		if err != nil || until.IsZero() {
			return err
		}
		if err := r.await(ctx, until, errQuota); err != nil {
			return err
		}
	}
}

// await waits until then as progress, or ends the pass when that is too long.
func (r *run) await(ctx context.Context, until time.Time, why error) error {
	wait := until.Sub(r.engine.now())
	if wait > longestWait {
		return &waitError{until: until, cause: why}
	}
	if wait >= time.Second { // what is shorter is pace, and no news
		r.note(func(p *Pass) {
			p.WaitingUntil = until
			p.Message = fmt.Sprintf("WAITING until %s: %s", until.UTC().Format(time.RFC3339), advice(why))
		})
		defer r.note(func(p *Pass) { p.WaitingUntil, p.Message = time.Time{}, "" })
	}
	return pause(ctx, wait)
}

func advice(err error) string {
	if errors.Is(err, errQuota) {
		return errQuota.Error()
	}
	return shop.Advice(err)
}
