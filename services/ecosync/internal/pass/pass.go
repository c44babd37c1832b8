// Package pass is the engine that turns a shop's listing into orders.
//
// It owns the incremental pass: the walk down the listing, the order check, the
// stop rule, batches and checkpoints, the policy of retries and waits, and the
// running of many stores beside each other. There is one engine and every
// trigger calls it (lesson P17). It does no I/O of its own and never compares a
// shop's time with our clock. Start reading at Position and walk (the pure
// arithmetic), then Engine.Run.
package pass

import (
	"errors"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// Result is how a pass ended; the values are those of the contract.
type Result string

const (
	Running        Result = ""
	Succeeded      Result = "SUCCEEDED"
	Failed         Result = "FAILED"
	Cancelled      Result = "CANCELLED"
	Skipped        Result = "SKIPPED"
	AlreadyRunning Result = "ALREADY_RUNNING"
	Abandoned      Result = "ABANDONED"
	// Deferred: the quota is spent for longer than a pass waits (lesson P3).
	Deferred Result = "DEFERRED"
)

// Kind is what a pass walks over; the values are those of the contract.
type Kind string

const (
	// LiveKind: what changed, then gaps, then the rescan when it is due.
	LiveKind Kind = "LIVE"
	// BackfillKind: history that live passes leave alone.
	BackfillKind Kind = "BACKFILL"
)

// Pass is the record of one pass over one store.
type Pass struct {
	// ID is 0 when nothing was begun: SKIPPED and ALREADY_RUNNING.
	ID        int64
	StoreID   string
	Kind      Kind
	StartedAt time.Time
	// EndedAt is zero while it runs.
	EndedAt time.Time
	Result  Result
	Failure shop.Failure
	// Message is for people and carries no secret and no name.
	Message string
	// WaitingUntil is set while the pass waits for the shop.
	WaitingUntil time.Time
	// ResumeAt is when a wait that was too long for the pass is over; zero
	// otherwise.
	ResumeAt time.Time
	Counts   Counts
}

// Counts is what a pass did.
type Counts struct {
	Requests    int64
	Pages       int64
	Rows        int64
	Created     int64
	Updated     int64
	Unchanged   int64
	Stale       int64
	Deleted     int64
	Quarantined int64
	BecameReady int64
	// Outside counts rows below the floor: read because they shared a page, and
	// left to a backfill.
	Outside int64
	// UnknownStates counts written rows whose state no entry of the map covers.
	UnknownStates int64
	// Gaps is how many are left.
	Gaps int64
	// UpstreamDeleted counts orders found to be deleted in the shop.
	UpstreamDeleted int64
}

// Mode is how a store's listing can be trusted.
type Mode string

const (
	// ByChange: sorted by last change, as asked for.
	ByChange Mode = "BY_CHANGE"
	// IDOnly: the shop does not sort by last change, or its cursor has no
	// second column; only a walk by id would be complete.
	IDOnly Mode = "ID_ONLY"
)

// Ticket is the right to make one pass: it names the term under which every
// write of the pass is made.
type Ticket struct {
	PassID    int64
	StoreID   string
	Term      int64
	StartedAt time.Time
	Position  Position
	States    statemap.Map
	// Store are the settings as they were when the term was taken. A pass may have
	// waited for its turn, and a changed address or token must not be answered by
	// the old one; while the term is held nobody changes them.
	Store store.Store
}

// Source says what caused rows to be read; the values are those of the
// contract of orders.
type Source string

const (
	// Live is the incremental pass.
	Live Source = "PASS"
	// Rescan is the walk by id.
	Rescan Source = "RESCAN"
	// Backfill is history: what it creates is not made ready (lesson P40).
	Backfill Source = "BACKFILL"
)

// Batch is what goes to the orders service in one call.
type Batch struct {
	StoreID    string
	Source     Source
	MapVersion int64
	Rows       []Observation
}

// Observation is an order as it was seen.
type Observation struct {
	Order   *shop.Order
	Meaning statemap.Meaning
	// ObservedAt is when the request left that showed the row.
	ObservedAt time.Time
	Raw        []byte
}

// Verdict is what orders did with a row; the values are those of its contract.
type Verdict string

const (
	Created   Verdict = "CREATED"
	Updated   Verdict = "UPDATED"
	Unchanged Verdict = "UNCHANGED"
	Stale     Verdict = "STALE"
	Deleted   Verdict = "DELETED"
	Rejected  Verdict = "REJECTED"
)

// Known tells the verdicts of the contract from anything else.
func (v Verdict) Known() bool {
	switch v {
	case Created, Updated, Unchanged, Stale, Deleted, Rejected:
		return true
	}
	return false
}

// Outcome is the verdict on one row.
type Outcome struct {
	UpstreamID int64
	Verdict    Verdict
	// Reason and Detail are set for REJECTED.
	Reason      string
	Detail      string
	BecameReady bool
}

// IdentityMismatch is the reason of orders for a known id with another
// reference: the sign of another shop (lessons P5 to P7).
const IdentityMismatch = "IDENTITY_MISMATCH"

// Checkpoint is what is written after each batch, in page order, in one
// transaction.
type Checkpoint struct {
	Counts Counts
	// Position is what is known behind this batch: with the last batch of a page
	// it moves on.
	Position Position
	// Quarantine is stored with the checkpoint and never after it: a row that
	// is neither in orders nor in quarantine would be lost.
	Quarantine []Quarantined
	// Settled are ids that were written: their open quarantine rows are closed.
	Settled []int64
	// Unknown counts states that no entry covers, by their display text.
	Unknown map[string]int64
	// Prefixes are reference prefixes met for the first time.
	Prefixes []string
}

// Quarantined is a row that could not become an order, with its JSON.
type Quarantined struct {
	Problem shop.Problem
	Raw     []byte
}

// Ending closes a pass.
type Ending struct {
	Result   Result
	Failure  shop.Failure
	Message  string
	ResumeAt time.Time
	Counts   Counts
	// Position is what is known now, however the pass ended.
	Position Position
	// Pause stops the store until a person acts.
	Pause bool
	// TokenVersion is the token the pass used: a token that a person has
	// replaced meanwhile is not punished for the old one.
	TokenVersion int64
}

// The errors that ports answer.
var (
	// ErrAlreadyRunning: another pass over the store holds the term.
	ErrAlreadyRunning = errors.New("another pass over the store is running")
	// ErrTermLost: the term was taken over; nothing more may be written.
	ErrTermLost = errors.New("the pass was taken over by another")
	// ErrPaused: a person paused or switched off the store meanwhile.
	ErrPaused = errors.New("the store was paused")
	// ErrOrdersUnavailable: the orders service could not be reached.
	ErrOrdersUnavailable = errors.New("the orders service is unavailable")
	// ErrGone: the store no longer exists.
	ErrGone = errors.New("the store was deleted")
)
