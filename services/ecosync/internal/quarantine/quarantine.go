// Package quarantine is what an administrator may do with rows of a shop that
// could not become orders.
//
// It owns how such a row is shown and how it is tried again: read anew from the
// shop, under its quota, and handed to orders like any row of a pass. Which rows
// get there is the business of the engine (internal/pass). It does no I/O of its
// own. Start reading at Service.Retry.
package quarantine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// Row is a row in quarantine.
type Row struct {
	ID      int64
	StoreID string
	// UpstreamID is 0 when it cannot be read.
	UpstreamID  int64
	Reference   string
	Reason      string
	Field       string
	Detail      string
	Times       int64
	FirstSeenAt time.Time
	LastSeenAt  time.Time
	// ResolvedAt is zero while it is open.
	ResolvedAt time.Time
	// Raw is what is shown of the row as received.
	Raw string
}

// MostShown of a raw row, in bytes.
const MostShown = 64 << 10

// Shown cuts a raw row to what a text field can carry: it came from outside and
// may end in the middle of a letter, or be no text at all.
func Shown(raw []byte) string {
	return strings.ToValidUTF8(string(raw[:min(len(raw), MostShown)]), "?")
}

// ErrNotFound says that there is no such row in this store.
var ErrNotFound = errors.New("no such quarantined row")

// byHand is what orders calls the source of a single read.
const byHand pass.Source = "WEBHOOK"

// Rows keeps the quarantine.
type Rows interface {
	// Quarantined reads one. Error: ErrNotFound.
	Quarantined(ctx context.Context, storeID string, id int64) (Row, error)
	// Resolve marks it as an order after all, with the state that no entry of
	// the map covers; empty when one does.
	Resolve(ctx context.Context, storeID string, id int64, unknown string) (Row, error)
	// MetAgain says that and why it could not become one this time.
	MetAgain(ctx context.Context, storeID string, id int64, met pass.Quarantined) (Row, error)
}

// Stores reads what a request to a shop needs.
type Stores interface {
	// Store answers one. Error: store.ErrNotFound.
	Store(ctx context.Context, id string) (store.Store, error)
	// StateMap answers the present one.
	StateMap(ctx context.Context, id string) (statemap.Map, error)
}

// Shops reads one order, under the shop's quota. Errors are *shop.Fault.
type Shops interface {
	Order(ctx context.Context, a shop.Access, id int64) (shop.Row, error)
}

// Service is the use-cases.
type Service struct {
	rows   Rows
	stores Stores
	tokens pass.Tokens
	shops  Shops
	orders Orders
	now    func() time.Time
}

// Orders writes what a shop said.
type Orders interface {
	Ingest(ctx context.Context, b pass.Batch) ([]pass.Outcome, error)
}

// NewService wires the use-cases.
func NewService(rows Rows, stores Stores, tokens pass.Tokens, shops Shops, orders Orders, now func() time.Time) *Service {
	return &Service{rows: rows, stores: stores, tokens: tokens, shops: shops, orders: orders, now: now}
}

// Retry reads the order of a row anew and tries to store it; the row says what
// came of it. A row without a readable id cannot be asked for and stays as it
// is, and so does one that is resolved. Errors: store.ErrNotFound, ErrNotFound,
// *store.ConnectionError, pass.ErrOrdersUnavailable; the row stays open.
func (s *Service) Retry(ctx context.Context, storeID string, id int64) (Row, error) {
	found, err := s.stores.Store(ctx, storeID)
	if err != nil {
		return Row{}, err
	}
	row, err := s.rows.Quarantined(ctx, storeID, id)
	if err != nil || row.UpstreamID == 0 || !row.ResolvedAt.IsZero() {
		return row, err
	}
	states, err := s.stores.StateMap(ctx, storeID)
	if err != nil {
		return Row{}, err
	}
	zone, err := found.Location()
	if err != nil {
		return Row{}, err
	}
	token, err := s.tokens.Open(ctx, storeID, found.Credential.Version)
	if err != nil {
		return Row{}, err
	}
	sent := s.now()
	read, err := s.shops.Order(ctx, shop.Access{BaseURL: found.BaseURL, Token: token, Zone: zone}, row.UpstreamID)
	switch {
	case err != nil && ctx.Err() == nil && shop.ClassOf(err) != "":
		return Row{}, &store.ConnectionError{Failure: shop.FailureOf(err), Advice: advice(err)}
	case err != nil:
		return Row{}, err
	case read.Problem != nil:
		return s.rows.MetAgain(ctx, storeID, id, pass.Quarantined{Problem: *read.Problem, Raw: read.Raw})
	}
	return s.store(ctx, row, read, states, sent)
}

func (s *Service) store(ctx context.Context, row Row, read shop.Row, states statemap.Map, sent time.Time) (Row, error) {
	if read.Order.ID != row.UpstreamID {
		// Not what was asked for: storing it would resolve a row that it is not.
		fault := shop.NewFault(shop.WrongShape, 0, nil)
		return Row{}, &store.ConnectionError{Failure: shop.FailureOf(fault), Advice: shop.Advice(fault)}
	}
	meaning, known := states.Meaning(read.Order.State)
	outcomes, err := s.orders.Ingest(ctx, pass.Batch{
		StoreID: row.StoreID, Source: byHand, MapVersion: states.Version,
		Rows: []pass.Observation{{Order: read.Order, Meaning: meaning, ObservedAt: sent, Raw: read.Raw}},
	})
	if err != nil {
		return Row{}, err
	}
	if len(outcomes) != 1 {
		return Row{}, fmt.Errorf("orders answered %d results for one row", len(outcomes))
	}
	if o := outcomes[0]; o.Verdict == pass.Rejected {
		return s.rows.MetAgain(ctx, row.StoreID, row.ID, pass.Quarantined{Raw: read.Raw, Problem: shop.Problem{
			Reason: shop.Rejected, Field: o.Reason, Detail: o.Detail, ID: read.Order.ID, Reference: read.Order.Reference,
		}})
	}
	unknown := ""
	if !known {
		unknown = read.Order.State
	}
	return s.rows.Resolve(ctx, row.StoreID, row.ID, unknown)
}

// advice knows one thing more than the shop's general advice: that an order was
// asked for which may be gone.
func advice(err error) string {
	if shop.ClassOf(err) == shop.NotFound {
		return "the shop has no such order any more: there is nothing to store"
	}
	return shop.Advice(err)
}
