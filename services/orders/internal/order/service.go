package order

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// Errors of the use-cases. Each has its row in the error table of package rpc.
var (
	ErrNotFound      = errors.New("no such order, or not one of the actor's own")
	ErrOvertaken     = errors.New("other streams stored orders of this batch first, again and again")
	ErrStale         = errors.New("somebody changed the order since it was read")
	ErrPhoneInvalid  = errors.New("no telephone number")
	ErrWilayaUnknown = errors.New("no wilaya has this code")
	ErrMoneyInvalid  = errors.New("not an amount in the currency of the store")
	ErrTextInvalid   = errors.New("a text holds a character that cannot be stored")
	ErrTextMissing   = errors.New("a name, a title or a note is blank")
)

// OwnedByShopError refuses to change by hand what the shop owns: the next sync would undo it.
type OwnedByShopError struct{ Field string }

// Error names the field.
func (e *OwnedByShopError) Error() string { return "the shop owns " + e.Field }

// NotAllowedError refuses a field to a role.
type NotAllowedError struct{ Field string }

// Error names the field.
func (e *NotAllowedError) Error() string { return e.Field + " is for managers and admins" }

// Request is what makes a repeated write one write: the same key by the same actor within a day answers what the first one
// made. An empty key is no promise.
type Request struct {
	Actor  Actor
	Method string // the RPC, which is also the action in the audit trail
	Key    string
	Hash   []byte // of the request's body: the key with another body is an error
}

// Records keeps orders.
type Records interface {
	// Order reads one order with its items; ErrNotFound when there is none, while one deleted here is read like any other.
	Order(ctx context.Context, id int64) (*Order, error)
	// Create stores an order made by hand, its history row (see [Entry.Tells]) and its first note (none when empty) in one transaction, and gives
	// it an id and, when it has none, a reference. A repeated request answers the order that the first one made.
	Create(ctx context.Context, o *Order, e Entry, note string, r Request) (*Order, error)
	// Change locks one order, asks `do` what becomes of it, and writes the order, the history row, and the audit row when a
	// manager or an admin did it, in one transaction. `do` changes the order in place; with a nil entry nothing is written.
	// It may run more than once. ErrNotFound when there is no such order. Answers the order as it is then.
	Change(ctx context.Context, id int64, method string, do func(o *Order) (*Entry, error)) (*Order, error)
}

// Journal keeps what is added to orders and never changed. Lists are newest first, after the id of the row before.
type Journal interface {
	// AddNote adds a note and touches the order, if `allow` lets it; ErrNotFound when there is no such order. A repeated
	// request answers the note that the first one made.
	AddNote(ctx context.Context, n Note, allow func(o *Order) error, r Request) (Note, error)
	Notes(ctx context.Context, orderID, after int64, limit int) ([]Note, error)
	History(ctx context.Context, orderID, after int64, limit int) ([]Entry, error)
}

// Intake takes in what shops say.
type Intake interface {
	// Known reads, without a lock, what is stored under the upstream ids of a store, and whether a courier carries the store.
	Known(ctx context.Context, storeID string, upstreamIDs []int64) (known map[int64]Known, courierKnows bool, err error)
	// Ingest locks the stored orders of the rows, asks `judge` about each (nil: not stored), and writes what it decided, all
	// in one transaction, beginning with the newest map that is known of the store, without meanings where the batch carries
	// none older. `judge` may be asked more than once about a row: its last decision holds. Decisions come in the order of the
	// rows, which must name each upstream id once.
	Ingest(ctx context.Context, b Batch, judge func(stored *Order, r *Row, newest StateMap) Decision) ([]Decision, error)
	// Describe counts a store's orders, not beyond limit, and reads the newest of them by the shop's id.
	Describe(ctx context.Context, storeID string, limit, newest int) (count int, known []Known, err error)
}

// Mirror keeps what a rescan compares a shop with.
type Mirror interface {
	// Held reads the ids that a store holds within a span, newest first, and the oldest id of an order that has not ended.
	Held(ctx context.Context, storeID string, s Span) (Held, error)
	// Revise locks the orders stored under the upstream ids of a store, asks `judge` about each, and writes what it decided
	// with its history row, all in one transaction. `judge` may be asked more than once about an order: its last decision
	// holds. An id that is not stored is left out.
	Revise(ctx context.Context, storeID string, upstreamIDs []int64, judge func(stored *Order) Decision) ([]Decision, error)
}

// Atlas keeps the wilayas, in the order of their codes.
type Atlas interface {
	Wilayas(ctx context.Context) ([]Wilaya, error)
}

// Removed is how many rows of one kind a cleanup removed.
type Removed struct {
	Kind  string
	Count int64
}

// House keeps the tables in shape.
type House interface {
	// Cleanup removes what is remembered beyond its time, vacuums the busy tables, and tells every kind, also when nothing of
	// it was found. Business facts stay. It may be repeated.
	Cleanup(ctx context.Context) ([]Removed, error)
}

// Store is all of it; one implementation is in package postgres.
type Store interface {
	Records
	Catalogue
	Journal
	Intake
	Mirror
	Maps
	Atlas
	House
}

// Service is the use-cases, each of which is allowed to whoever may call it by the contract; what an agent may see and move
// is decided here.
type Service struct {
	store Store
	zone  *time.Location
	now   func() time.Time

	mu         sync.Mutex
	atlas      *Gazetteer
	readAt     time.Time
	refreshing bool
}

// NewService makes the use-cases over a store. The zone decides business days; now is the clock.
func NewService(store Store, zone *time.Location, now func() time.Time) *Service {
	return &Service{store: store, zone: zone, now: now}
}

// atlasAge is how old the wilayas in memory may be: they change a few times a year, and are asked for with every batch.
const atlasAge = time.Minute

// gazetteer is the wilayas in force, from memory when they were read a minute ago or less. Older ones are read again by one
// caller while the others go on with what there is: a slow database must not line every ingest up behind one query. A
// refresh that fails leaves the old ones in use, and the next caller tries again.
func (s *Service) gazetteer(ctx context.Context) (*Gazetteer, error) {
	s.mu.Lock()
	old := s.atlas
	if old != nil && (s.refreshing || s.now().Sub(s.readAt) < atlasAge) {
		s.mu.Unlock()
		return old, nil
	}
	s.refreshing = true
	s.mu.Unlock()
	fresh, err := s.readGazetteer(ctx)
	if err != nil && old == nil {
		return nil, err
	}
	return cmp.Or(fresh, old), nil
}

func (s *Service) readGazetteer(ctx context.Context) (fresh *Gazetteer, err error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refreshing = false
		if fresh != nil {
			s.atlas, s.readAt = fresh, s.now()
		}
	}()
	wilayas, err := s.store.Wilayas(ctx)
	if err != nil {
		return nil, err
	}
	return NewGazetteer(wilayas), nil
}

// Wilayas lists the provinces.
func (s *Service) Wilayas(ctx context.Context) ([]Wilaya, error) { return s.store.Wilayas(ctx) }

// Order reads one order that the actor sees; ErrNotFound otherwise.
func (s *Service) Order(ctx context.Context, a Actor, id int64) (*Order, error) {
	o, err := s.store.Order(ctx, id)
	if err != nil {
		return nil, err
	}
	if !a.Sees(o) {
		return nil, ErrNotFound
	}
	return o, nil
}

// Describe tells what is known of a store's orders: how many, counted up to limit, and the newest by the shop's id.
func (s *Service) Describe(ctx context.Context, storeID string, limit, newest int) (int, []Known, error) {
	return s.store.Describe(ctx, storeID, limit, newest)
}

// Cleanup removes what is remembered beyond its time.
func (s *Service) Cleanup(ctx context.Context) ([]Removed, error) { return s.store.Cleanup(ctx) }
