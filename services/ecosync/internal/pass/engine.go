package pass

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

const (
	// Lease is how long a term is held without a sign of life, and renewal how
	// often one is given: two renewals may be lost.
	Lease   = 30 * time.Second
	renewal = 10 * time.Second
	// maxStores run at once; each is one goroutine that mostly waits.
	maxStores = 64
	// batchTime bounds one call to orders with its checkpoint. It goes on when
	// the pass is cancelled: a pass ends after its current batch.
	batchTime = 30 * time.Second
)

// errLeft ends a pass whose caller is gone or has no more time.
var errLeft = errors.New("the caller left")

// Upstream reads a shop. Errors are *shop.Fault, or the context's.
type Upstream interface {
	// Orders answers a page by last change, newest first.
	Orders(ctx context.Context, a shop.Access, cursor string) (shop.Page, error)
	// OrdersByID answers a page by id, newest first.
	OrdersByID(ctx context.Context, a shop.Access, cursor string) (shop.Page, error)
	// Order answers one order; a fault of class NotFound is the shop's own word
	// that it has none.
	Order(ctx context.Context, a shop.Access, id int64) (shop.Row, error)
}

// Orders writes what a shop said.
type Orders interface {
	// Ingest answers one outcome per row, in the order of the rows. Repeating
	// it changes nothing. Error: ErrOrdersUnavailable when a repetition may
	// help.
	Ingest(ctx context.Context, b Batch) ([]Outcome, error)
	// Held answers the ids held of a store from an id to another, both included
	// and to 0 for no bound, newest first, without those deleted here or
	// upstream; and the oldest id of an order that has not ended, 0 when all
	// have. Error: ErrOrdersUnavailable.
	Held(ctx context.Context, storeID string, from, to int64, limit int) (ids []int64, oldestOpen int64, err error)
	// MarkDeleted marks orders that are gone from their shop, as observed then,
	// and answers how many were not marked yet. Error: ErrOrdersUnavailable.
	MarkDeleted(ctx context.Context, storeID string, ids []int64, observedAt time.Time) (marked int64, err error)
}

// Tokens opens sealed tokens.
type Tokens interface {
	Open(ctx context.Context, storeID string, version int64) (shop.Token, error)
}

// Journal keeps positions and the history of passes. Every write is made under
// the ticket's term and answers ErrTermLost when that is no longer the store's.
type Journal interface {
	// Begin takes the term unless a living pass holds it (ErrAlreadyRunning),
	// marks a dead one ABANDONED and records the new one. Errors: ErrGone,
	// ErrPaused.
	Begin(ctx context.Context, storeID string, lease time.Duration) (Ticket, error)
	// Renew gives a sign of life. Error also: ErrPaused.
	Renew(ctx context.Context, t Ticket, lease time.Duration) error
	// Checkpoint writes one batch's worth, all or nothing.
	Checkpoint(ctx context.Context, t Ticket, c Checkpoint) error
	// Finish closes the pass, moves the position, pauses the store when asked
	// to, and gives the term back, all or nothing.
	Finish(ctx context.Context, t Ticket, e Ending) error
}

// Progress is what happened just now in one store.
type Progress struct {
	StoreID    string
	Identifier string
	Pass       Pass
}

// Config of the engine.
type Config struct {
	// BatchSize is the orders per call and checkpoint (ECOMANAGER_BATCH_SIZE).
	BatchSize int
	// InitialSync is how far the first pass of a store goes back
	// (INITIAL_SYNC_DAYS).
	InitialSync time.Duration
	// Prepare, when set, is done at the beginning of each pass, before anything
	// is read: it brings the orders to the present state map.
	Prepare func(ctx context.Context, storeID string) error
	// Ended, when set, is told each pass that was begun, for metrics.
	Ended func(Pass)
}

// Engine makes passes. It is safe for concurrent use.
type Engine struct {
	upstream Upstream
	orders   Orders
	tokens   Tokens
	journal  Journal
	quota    Quota
	log      *slog.Logger
	now      func() time.Time
	config   Config
}

// NewEngine wires an engine. What now tells is written down, and held against nothing but itself: no shop's time is ever compared with it.
func NewEngine(u Upstream, o Orders, t Tokens, j Journal, q Quota, log *slog.Logger, now func() time.Time, c Config) *Engine {
	return &Engine{upstream: u, orders: o, tokens: t, journal: j, quota: q, log: log, now: now, config: c}
}

// SyncStores makes one pass over each store, all at once, and returns when the
// last has ended. report is called from one goroutine at a time, at least once
// per store, last with a Result. A store's failure, slowness or panic never
// touches another (lesson P12).
func (e *Engine) SyncStores(ctx context.Context, stores []store.Store, report func(Progress)) {
	var reporting sync.Mutex
	serial := func(p Progress) {
		reporting.Lock()
		defer reporting.Unlock()
		report(p)
	}
	slots := make(chan struct{}, maxStores)
	var group sync.WaitGroup
	for _, s := range stores {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			e.Run(ctx, s, serial)
		})
	}
	group.Wait()
}

// Run makes one incremental pass over a store and answers its record. It has no
// error: whatever happens to a store is its result.
func (e *Engine) Run(ctx context.Context, s store.Store, report func(Progress)) Pass {
	tell := func(p Pass) { report(Progress{StoreID: s.ID, Identifier: s.Identifier, Pass: p}) }
	notBegun := func(result Result, failure shop.Failure, message string) Pass {
		now := e.now()
		p := Pass{StoreID: s.ID, Kind: LiveKind, StartedAt: now, EndedAt: now, Result: result, Failure: failure, Message: message}
		tell(p)
		return p
	}
	if state := s.State(); state != store.Active {
		return notBegun(Skipped, shop.NoFailure, "the store is "+string(state))
	}
	if ctx.Err() != nil {
		return notBegun(Cancelled, shop.NoFailure, "cancelled before it began")
	}
	began := e.now()
	ticket, err := e.begin(ctx, s.ID)
	switch {
	case errors.Is(err, ErrAlreadyRunning):
		return notBegun(AlreadyRunning, shop.NoFailure, err.Error())
	case errors.Is(err, ErrGone), errors.Is(err, ErrPaused):
		return notBegun(Skipped, shop.NoFailure, err.Error())
	case err != nil:
		e.log.ErrorContext(ctx, "a pass could not begin", "store", s.Identifier, "error", err)
		return notBegun(Failed, shop.Internal, "the pass could not begin")
	}
	r := &run{
		engine: e, store: ticket.Store, ticket: ticket, position: ticket.Position, tell: tell, renewed: began,
		pass: Pass{ID: ticket.PassID, StoreID: s.ID, Kind: LiveKind, StartedAt: ticket.StartedAt},
	}
	r.note(func(*Pass) {})
	record := r.finish(ctx, r.alive(ctx))
	if e.config.Ended != nil {
		e.config.Ended(record)
	}
	return record
}

// begin and close contain a panic of the journal as well.
func (e *Engine) begin(ctx context.Context, storeID string) (t Ticket, err error) {
	defer caught(&err)
	return e.journal.Begin(ctx, storeID, Lease)
}

func (r *run) close(ctx context.Context, e Ending) (err error) {
	defer caught(&err)
	return r.engine.journal.Finish(ctx, r.ticket, e)
}

// alive runs the walk with a pulse: the term is renewed while the walk lasts,
// and the walk is cancelled when the term is lost.
func (r *run) alive(ctx context.Context) (err error) {
	defer caught(&err)
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for pause(ctx, renewal) == nil {
			// A renewal that fails otherwise is tried again: the term outlives two.
			err := r.renew(ctx)
			if errors.Is(err, ErrTermLost) || errors.Is(err, ErrPaused) {
				cancel(err)
			}
		}
	}()
	defer func() { cancel(nil); <-stopped }()
	err = r.run(ctx)
	switch cause := context.Cause(ctx); {
	case err == nil || cause == nil:
		return err
	case errors.Is(cause, context.DeadlineExceeded):
		// The caller's time is over, which says nothing about the shop or orders.
		return fmt.Errorf("%w: %w", errLeft, cause)
	default:
		return cause
	}
}

// renew gives a sign of life and remembers when it was asked for.
func (r *run) renew(ctx context.Context) (err error) {
	defer caught(&err)
	r.renewing.Lock()
	defer r.renewing.Unlock()
	asked := r.engine.now()
	err = r.engine.journal.Renew(ctx, r.ticket, Lease)
	if err == nil {
		r.renewed = asked
	}
	return err
}

// lives is asked before each call to orders: a process that was frozen for
// longer than its lease may wake up in the middle of a batch, and must learn
// that its term is lost before it writes, not after. The clock is monotonic and
// our own: it is held against nothing but itself.
func (r *run) lives(ctx context.Context) error {
	r.renewing.Lock()
	fresh := r.engine.now().Sub(r.renewed) < Lease*2/3
	r.renewing.Unlock()
	if fresh {
		return nil
	}
	return r.renew(ctx)
}

// caught turns a panic into an error of this pass: the other stores go on, and
// the trouble of one is told and not spread (lesson P12).
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// pause waits, or ends early with the context.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// jitter spreads a pause between half and all of it, so that stores which
// failed together do not come back together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
