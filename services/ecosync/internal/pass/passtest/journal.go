// Package passtest holds what tests of the engine share: an in-memory journal,
// and the suite that holds it and the real one to the same contract. Nothing
// outside tests imports it.
package passtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// Journal is a pass.Journal in memory.
type Journal struct {
	mu     sync.Mutex
	stores map[string]*entry
	nextID int64
	// AfterCheckpoint, when set, is called after each checkpoint: the hook of
	// the crash proofs.
	AfterCheckpoint func()
}

type entry struct {
	settings store.Store
	states   statemap.Map
	position pass.Position
	term     int64
	held     time.Time
	paused   bool
	frozen   int64 // the term whose process stands still

	Passes     []pass.Pass
	Quarantine []pass.Quarantined
	Unknown    map[string]int64
	Prefixes   []string
}

// NewJournal makes an empty one.
func NewJournal() *Journal { return &Journal{stores: map[string]*entry{}} }

// Add registers a store with the default map.
func (j *Journal) Add(storeID string) {
	states, err := statemap.New(1, statemap.Default())
	if err != nil {
		panic(err)
	}
	settings := store.Store{ID: storeID, Identifier: strings.ToUpper(storeID), BaseURL: storeID, TimeZone: "Africa/Algiers", Active: true}
	j.stores[storeID] = &entry{settings: settings, states: states, position: pass.Position{Mode: pass.ByChange}, Unknown: map[string]int64{}}
}

// Store shows what is kept of a store, for assertions after a pass.
func (j *Journal) Store(storeID string) (position pass.Position, passes []pass.Pass, quarantine []pass.Quarantined, unknown map[string]int64, paused bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.stores[storeID]
	return e.position, e.Passes, e.Quarantine, e.Unknown, e.paused
}

// Change edits a store's settings, as a person would.
func (j *Journal) Change(storeID string, edit func(*store.Store)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	edit(&j.stores[storeID].settings)
}

// Prefixes are the reference prefixes that passes learned, in the order they came.
func (j *Journal) Prefixes(storeID string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.stores[storeID].Prefixes)
}

// Begin implements pass.Journal.
func (j *Journal) Begin(_ context.Context, storeID string, lease time.Duration) (pass.Ticket, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.stores[storeID]
	if e == nil {
		return pass.Ticket{}, pass.ErrGone
	}
	if e.paused {
		return pass.Ticket{}, pass.ErrPaused
	}
	now := time.Now()
	if e.held.After(now) {
		return pass.Ticket{}, pass.ErrAlreadyRunning
	}
	for i := range e.Passes {
		if e.Passes[i].Result == pass.Running {
			e.Passes[i].Result = pass.Abandoned
		}
	}
	e.term++
	e.held = now.Add(lease)
	j.nextID++
	e.Passes = append(e.Passes, pass.Pass{ID: j.nextID, StoreID: storeID, StartedAt: now})
	return pass.Ticket{PassID: j.nextID, StoreID: storeID, Term: e.term, StartedAt: now, Position: e.position, States: e.states, Store: e.settings}, nil
}

func (j *Journal) mine(t pass.Ticket) (*entry, error) {
	e := j.stores[t.StoreID]
	if e == nil || e.term != t.Term {
		return nil, pass.ErrTermLost
	}
	return e, nil
}

// Renew implements pass.Journal.
func (j *Journal) Renew(_ context.Context, t pass.Ticket, lease time.Duration) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.stores[t.StoreID]; e != nil && e.frozen == t.Term {
		return errFrozen
	}
	e, err := j.mine(t)
	if err != nil {
		return err
	}
	if e.paused {
		return pass.ErrPaused
	}
	e.held = time.Now().Add(lease)
	return nil
}

// Checkpoint implements pass.Journal.
func (j *Journal) Checkpoint(_ context.Context, t pass.Ticket, c pass.Checkpoint) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, err := j.mine(t)
	if err != nil {
		return err
	}
	e.Passes[len(e.Passes)-1].Counts = c.Counts
	e.position = c.Position
	e.Quarantine = append(e.Quarantine, c.Quarantine...)
	for state, rows := range c.Unknown {
		e.Unknown[state] += rows
	}
	e.Prefixes = append(e.Prefixes, c.Prefixes...)
	e.settings.ReferencePrefixes = append(slices.Clone(e.settings.ReferencePrefixes), c.Prefixes...)
	if j.AfterCheckpoint != nil {
		j.mu.Unlock()
		defer j.mu.Lock()
		j.AfterCheckpoint()
	}
	return nil
}

// Finish implements pass.Journal.
func (j *Journal) Finish(_ context.Context, t pass.Ticket, end pass.Ending) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, err := j.mine(t)
	if err != nil {
		return err
	}
	p := &e.Passes[len(e.Passes)-1]
	p.EndedAt, p.Result, p.Failure, p.Message, p.ResumeAt, p.Counts = time.Now(), end.Result, end.Failure, end.Message, end.ResumeAt, end.Counts
	e.position = end.Position
	e.paused = e.paused || end.Pause
	e.held = time.Time{}
	return nil
}

// Orders is a pass.Orders in memory: it judges as the orders service does, as
// far as the engine can tell the difference.
type Orders struct {
	mu   sync.Mutex
	rows map[key]row
	// Calls counts the calls, Writes the rows created or updated.
	Calls  int
	Writes int
	// Sizes are the batch sizes in order.
	Sizes []int
	// Sources counts the rows by their source.
	Sources map[pass.Source]int
	// Gone are the ids marked deleted upstream.
	Gone []int64
	// Fail, when set, may answer in place of a call.
	Fail func(b pass.Batch) error
}

type key struct {
	store string
	id    int64
}

type row struct {
	raw       string
	reference string
	meaning   statemap.Meaning
}

// Ingest implements pass.Orders.
func (o *Orders) Ingest(_ context.Context, b pass.Batch) ([]pass.Outcome, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Calls++
	if o.Sources == nil {
		o.Sources = map[pass.Source]int{}
	}
	o.Sources[b.Source] += len(b.Rows)
	o.Sizes = append(o.Sizes, len(b.Rows))
	if o.Fail != nil {
		if err := o.Fail(b); err != nil {
			return nil, err
		}
	}
	if o.rows == nil {
		o.rows = map[key]row{}
	}
	outcomes := make([]pass.Outcome, len(b.Rows))
	for i, seen := range b.Rows {
		k := key{b.StoreID, seen.Order.ID}
		fresh := row{string(seen.Raw), seen.Order.Reference, seen.Meaning}
		stored, known := o.rows[k]
		out := pass.Outcome{UpstreamID: seen.Order.ID}
		switch {
		case known && stored.reference != fresh.reference:
			out.Verdict, out.Reason, out.Detail = pass.Rejected, pass.IdentityMismatch, "another reference"
		case !known:
			out.Verdict, out.BecameReady = pass.Created, seen.Meaning == statemap.FollowUp
		case stored != fresh:
			out.Verdict = pass.Updated
		default:
			out.Verdict = pass.Unchanged
		}
		if out.Verdict == pass.Created || out.Verdict == pass.Updated {
			o.rows[k] = fresh
			o.Writes++
		}
		outcomes[i] = out
	}
	return outcomes, nil
}

// Len counts the orders of a store.
func (o *Orders) Len(storeID string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for k := range o.rows {
		if k.store == storeID {
			n++
		}
	}
	return n
}

// Resume lets a paused store run again.
func (j *Journal) Resume(storeID string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stores[storeID].paused = false
}

// Steal takes the store's term, as another replica would after the lease.
func (j *Journal) Steal(storeID string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stores[storeID].term++
}

// Expire lets the lease of a store run out.
func (j *Journal) Expire(storeID string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stores[storeID].held = time.Time{}
}

// Pause stops a store, as a person would.
func (j *Journal) Pause(storeID string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stores[storeID].paused = true
}

// errFrozen stands for a sign of life that is not given.
var errFrozen = errors.New("the process stands still")

// Freeze keeps the holder of the term from giving signs of life, as a process
// that stands still does not; false wakes it.
func (j *Journal) Freeze(storeID string, frozen bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stores[storeID].frozen = 0
	if frozen {
		j.stores[storeID].frozen = j.stores[storeID].term
	}
}

// Held implements pass.Orders: an order of meaning NONE or FOLLOW_UP is open.
func (o *Orders) Held(_ context.Context, storeID string, from, to int64, limit int) (ids []int64, oldestOpen int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k, r := range o.rows {
		if k.store != storeID || slices.Contains(o.Gone, k.id) {
			continue
		}
		if k.id >= from && (k.id <= to || to == 0) {
			ids = append(ids, k.id)
		}
		if open := r.meaning == statemap.None || r.meaning == statemap.FollowUp; open && (oldestOpen == 0 || k.id < oldestOpen) {
			oldestOpen = k.id
		}
	}
	slices.SortFunc(ids, func(a, b int64) int { return int(b - a) })
	return ids[:min(len(ids), limit)], oldestOpen, nil
}

// MarkDeleted implements pass.Orders.
func (o *Orders) MarkDeleted(_ context.Context, _ string, ids []int64, _ time.Time) (marked int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		if !slices.Contains(o.Gone, id) {
			o.Gone = append(o.Gone, id)
			marked++
		}
	}
	return marked, nil
}

// Rows are the orders of a store as they are stored, by id.
func (o *Orders) Rows(storeID string) map[int64]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	rows := map[int64]string{}
	for k, r := range o.rows {
		if k.store == storeID && !slices.Contains(o.Gone, k.id) {
			rows[k.id] = r.raw
		}
	}
	return rows
}
