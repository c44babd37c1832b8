package pass

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	defer func() { cancel(); next.wait() }() // no request outlives its pass
	for cursor := ""; ; {
		page, err := next.wait()
		if err != nil {
			return err
		}
		judged, err := r.walk.read(page, r.engine.config.InitialSync)
		if err != nil {
			return err
		}
		if err := r.recognise(page); err != nil {
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

// recognise looks at the first page's references before anything is written: a
// page that shows none of the prefixes this store is known by comes from
// another shop (lesson P6).
func (r *run) recognise(page shop.Page) error {
	known := r.store.ReferencePrefixes
	shown := shop.Prefixes(page.Rows)
	if r.counts().Pages > 0 || len(known) == 0 || len(shown) == 0 {
		return nil
	}
	for _, p := range shown {
		if slices.Contains(known, p) {
			return nil
		}
	}
	return errOtherShop
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
			wait = jitter(backOff)
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

// write hands the rows over in batches, each with its checkpoint, in page
// order. news counts what orders created and updated.
func (r *run) write(ctx context.Context, page shop.Page, cursor string, rows []shop.Row) (news int64, err error) {
	for batch := range slices.Chunk(rows, r.engine.config.BatchSize) {
		if ctx.Err() != nil {
			return news, context.Cause(ctx)
		}
		// A batch that was begun is brought to its checkpoint: cancelling ends
		// a pass between two batches.
		whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTime)
		fresh, err := r.writeBatch(whole, page, cursor, batch)
		cancel()
		news += fresh
		if err != nil {
			return news, err
		}
	}
	return news, nil
}

func (r *run) writeBatch(ctx context.Context, page shop.Page, cursor string, rows []shop.Row) (news int64, err error) {
	batch := Batch{StoreID: r.store.ID, Source: Live, MapVersion: r.ticket.States.Version}
	point := Checkpoint{Cursor: cursor, Unknown: map[string]int64{}}
	unknown := make([]bool, 0, len(rows))
	for _, row := range rows {
		if row.Problem != nil {
			point.Quarantine = append(point.Quarantine, Quarantined{Problem: *row.Problem, Raw: row.Raw})
			continue
		}
		meaning, known := r.ticket.States.Meaning(row.Order.State)
		unknown = append(unknown, !known)
		batch.Rows = append(batch.Rows, Observation{
			Order: row.Order, Meaning: meaning, ObservedAt: page.SentAt, Raw: row.Raw,
		})
		if !row.Order.UpdatedAt.IsZero() {
			point.Last = row.Order.Key()
		}
	}
	outcomes, err := r.ingest(ctx, batch)
	if err != nil {
		return 0, err
	}
	counts := r.counts()
	counts.Rows += int64(len(rows))
	for i, outcome := range outcomes {
		seen := batch.Rows[i]
		if outcome.Verdict == Rejected {
			point.Quarantine = append(point.Quarantine, rejected(seen, outcome))
			if outcome.Reason == IdentityMismatch {
				r.mismatches++
			}
			continue
		}
		point.Settled = append(point.Settled, outcome.UpstreamID)
		if outcome.BecameReady {
			counts.BecameReady++
		}
		if written := counts.add(outcome.Verdict); written {
			news++
			if unknown[i] {
				point.Unknown[seen.Order.State]++
				counts.UnknownStates++
			}
		}
	}
	counts.Quarantined += int64(len(point.Quarantine))
	for _, p := range shop.Prefixes(rows) {
		if !slices.Contains(r.store.ReferencePrefixes, p) {
			point.Prefixes = append(point.Prefixes, p)
		}
	}
	// Requests are counted by the fetcher beside us, so they are read last.
	counts.Requests, counts.Pages = r.counts().Requests, r.counts().Pages
	point.Counts = counts
	if err := r.engine.journal.Checkpoint(ctx, r.ticket, point); err != nil {
		return news, err
	}
	r.store.ReferencePrefixes = append(slices.Clone(r.store.ReferencePrefixes), point.Prefixes...)
	r.note(func(p *Pass) {
		counts.Requests = p.Counts.Requests
		p.Counts = counts
	})
	if r.mismatches >= maxMismatches {
		return news, errOtherShop
	}
	return news, nil
}

// ingest repeats a call that orders could not answer: it changes nothing the
// second time.
func (r *run) ingest(ctx context.Context, batch Batch) ([]Outcome, error) {
	if len(batch.Rows) == 0 {
		return nil, nil
	}
	backOff := firstPause
	for failures := 1; ; failures++ {
		outcomes, err := r.engine.orders.Ingest(ctx, batch)
		if err == nil && len(outcomes) != len(batch.Rows) {
			return nil, fmt.Errorf("orders answered %d results for %d rows", len(outcomes), len(batch.Rows))
		}
		if !errors.Is(err, ErrOrdersUnavailable) || failures == tries {
			return outcomes, err
		}
		if err := pause(ctx, jitter(backOff)); err != nil {
			return nil, err
		}
		backOff *= 2
	}
}

func rejected(seen Observation, outcome Outcome) Quarantined {
	return Quarantined{Raw: seen.Raw, Problem: shop.Problem{
		Reason: shop.Rejected, Field: outcome.Reason, Detail: outcome.Detail,
		ID: seen.Order.ID, Reference: seen.Order.Reference,
	}}
}

// add counts a verdict and tells whether it wrote something.
func (c *Counts) add(v Verdict) (written bool) {
	switch v {
	case Created:
		c.Created++
		return true
	case Updated:
		c.Updated++
		return true
	case Unchanged:
		c.Unchanged++
	case Stale:
		c.Stale++
	case Deleted:
		c.Deleted++
	}
	return false
}

// finish turns the end of the walk into the record and closes it.
func (r *run) finish(ctx context.Context, err error) Pass {
	ending := r.ending(err)
	ending.Counts = r.counts()
	ending.Distrust = r.walk.distrust
	if shop.Internal == ending.Failure {
		r.engine.log.ErrorContext(ctx, "a pass failed", "store", r.store.Identifier, "pass", r.pass.ID, "error", err)
	}
	// The term is given back even when the caller has left: the next pass need
	// not wait for the lease to run out.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTime)
	defer cancel()
	if err := r.engine.journal.Finish(closing, r.ticket, ending); err != nil {
		r.engine.log.ErrorContext(ctx, "a pass could not be closed", "store", r.store.Identifier, "pass", r.pass.ID, "error", err)
		if ending.Result == Succeeded {
			// The position did not move, so the pass did not succeed.
			ending.Result, ending.Failure, ending.Message = Failed, shop.Internal, "the position could not be written"
		}
	}
	r.note(func(p *Pass) {
		p.EndedAt = r.engine.now()
		p.Result, p.Failure, p.Message, p.ResumeAt = ending.Result, ending.Failure, ending.Message, ending.ResumeAt
	})
	return r.pass
}

// ending names why the walk ended.
func (r *run) ending(err error) Ending {
	e := Ending{Result: Failed, TokenVersion: r.store.Credential.Version}
	var order *OrderError
	var wait *waitError
	var fault *shop.Fault
	switch {
	case err == nil:
		position := r.walk.finished()
		e.Result, e.Position = Succeeded, &position
	case errors.Is(err, context.Canceled):
		e.Result, e.Message = Cancelled, "cancelled; the next pass begins again from the top"
	case errors.Is(err, ErrPaused):
		e.Result, e.Message = Cancelled, err.Error()
	case errors.Is(err, ErrTermLost):
		e.Result, e.Message = Abandoned, err.Error()
	case errors.As(err, &order):
		e.Failure, e.Message = shop.OrderBroken, order.Error()
		r.walk.distrust = r.walk.distrust || order.Inside
	case errors.Is(err, errOtherShop):
		e.Failure, e.Pause = shop.OtherShop, true
		e.Message = "the shop answers orders of another shop: check base URL and token"
	case errors.As(err, &wait):
		e.Failure, e.ResumeAt = shop.RateLimitReached, wait.until
		e.Message = fmt.Sprintf("the shop asks to wait until %s", wait.until.UTC().Format(time.RFC3339))
	case errors.As(err, &fault):
		e.Failure, e.Message, e.Pause = shop.FailureOf(err), shop.Advice(err), fault.NeedsPerson()
	case errors.Is(err, errNoClock):
		e.Failure, e.Message = shop.AnswerInvalid, err.Error()
	case errors.Is(err, ErrOrdersUnavailable), errors.Is(err, context.DeadlineExceeded):
		e.Failure, e.Message = shop.OrdersUnavailable, ErrOrdersUnavailable.Error()
	default:
		e.Failure, e.Message = shop.Internal, shop.Advice(err)
	}
	return e
}
