package store

import (
	"context"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
)

// Repository keeps stores. Every write is one transaction together with its
// audit event and raises Store.Version.
type Repository interface {
	// Insert saves a new store with version 1 of the state map. A repeated
	// request id answers the store that the first call made. Errors:
	// ErrIdentifierTaken, ErrTokenInUse.
	Insert(ctx context.Context, s Store, token Sealed, states []statemap.Entry, r Request) (Store, error)
	// Store reads one. Error: ErrNotFound.
	Store(ctx context.Context, id string) (Store, error)
	// Stores lists by identifier, those after the given one.
	Stores(ctx context.Context, f Filter) ([]Store, error)
	// Replace writes the settings where the stored version is that of the
	// replacement's store. Errors: ErrNotFound, ErrStale, ErrTokenInUse, ErrBusy.
	Replace(ctx context.Context, c Replacement, r Request) (Store, error)
	// Created answers the store that a request id made, and ErrNotFound for an id
	// that is new. It claims nothing: Insert still decides. Error also: the one for
	// an id that came with another content.
	Created(ctx context.Context, r Request) (Store, error)
	// Term is the number of the last pass that began over the store. Error:
	// ErrNotFound.
	Term(ctx context.Context, id string) (int64, error)
	// SetPaused pauses, or resumes with an empty reason. To repeat it writes
	// nothing. Error: ErrNotFound.
	SetPaused(ctx context.Context, id, reason string, r Request) (Store, error)
	// Delete removes the store with its passes and quarantine; the audit stays.
	// Errors: ErrNotFound, ErrBusy while a pass over it is running, and when one
	// has begun since the term was read: it may have made orders.
	Delete(ctx context.Context, id string, term int64, r Request) error
	// StateMap reads the present map. Error: ErrNotFound.
	StateMap(ctx context.Context, id string) (statemap.Map, error)
	// SaveStateMap makes the entries the next version of the map where the
	// stored version is read. Errors: ErrNotFound, ErrMapStale.
	SaveStateMap(ctx context.Context, id string, read int64, entries []statemap.Entry, r Request) (statemap.Map, error)
	// UnknownStates lists the states that no entry covers, most frequent first.
	UnknownStates(ctx context.Context, id string) ([]UnknownState, error)
}

// Replacement is a store as it shall be.
type Replacement struct {
	Store Store
	// Token is nil when it stays.
	Token *Sealed
	// Moved: address, token or zone change. A running pass reads and writes with
	// the present ones, so this waits for its end (ErrBusy).
	Moved bool
	// Anew: no order ties the store to a shop, and it may be another one from now
	// on: what passes learned of the old (position, mode, prefixes) is forgotten.
	Anew bool
}

// Request is who asks and why, for the audit; the person comes from the
// context.
type Request struct {
	// Action names the RPC.
	Action string
	Reason string
	// ID makes a repeated creation answer the first one's store; may be empty.
	ID string
	// Hash is of the request's content: the same ID with another content is
	// refused.
	Hash []byte
}

// Filter of a list.
type Filter struct {
	// States empty means all, and so does no ID.
	States []State
	IDs    []string
	// After is the identifier of the last row of the page before.
	After string
	Limit int
}

// UnknownState is a state met that no entry of the map covers.
type UnknownState struct {
	State       string
	Rows        int64
	FirstSeenAt time.Time
	LastSeenAt  time.Time
}

// Vault seals tokens and opens them.
type Vault interface {
	// Seal binds a token to one store and one version.
	Seal(ctx context.Context, storeID string, version int64, token shop.Token) (Sealed, error)
	// Open gives the token that the stored row names.
	Open(ctx context.Context, storeID string, version int64) (shop.Token, error)
}

// Shops asks a shop. Errors are *shop.Fault.
type Shops interface {
	// Probe reads the first rows of the listing.
	Probe(ctx context.Context, a shop.Access) (shop.Page, error)
	// Order reads one order; class NotFound when the shop says in JSON that
	// there is none.
	Order(ctx context.Context, a shop.Access, id int64) (shop.Row, error)
}

// Orders is what must be known of a store's orders before it is changed.
type Orders interface {
	// Describe counts and names some of them. Error: ErrOrdersUnavailable.
	Describe(ctx context.Context, storeID string) (Known, error)
	// UpstreamStates lists the states that a store's orders hold. Error:
	// ErrOrdersUnavailable.
	UpstreamStates(ctx context.Context, storeID string) (HeldStates, error)
	// Remap judges the orders that hold the states anew, or with validateOnly
	// counts them. Repeating it, also after a half, changes nothing more. Error:
	// ErrOrdersUnavailable.
	Remap(ctx context.Context, storeID string, version int64, meanings []StateMeaning, validateOnly bool) (Remapped, error)
}

// HeldStates are the states of a store's orders, in the shop's words.
type HeldStates struct {
	States []string
	// Applied is the version of the map that they were judged by last; 0 when by
	// none.
	Applied int64
}

// StateMeaning is what a map makes of one state.
type StateMeaning struct {
	State   string
	Meaning statemap.Meaning
}

// Remapped counts what a new map does to the orders.
type Remapped struct {
	MeaningChanged int64
	BecameReady    int64
}

// Known is what the orders service holds of a store.
type Known struct {
	// Count stops at 10,001.
	Count int64
	// References by the shop's id, of the newest orders.
	References map[int64]string
}
