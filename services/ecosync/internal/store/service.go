package store

import (
	"context"
	"slices"
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
	// Replace writes the settings where the stored version is s.Version, and the
	// token when one is given. Errors: ErrNotFound, ErrStale, ErrTokenInUse.
	Replace(ctx context.Context, s Store, token *Sealed, r Request) (Store, error)
	// SetPaused pauses, or resumes with an empty reason. To repeat it writes
	// nothing. Error: ErrNotFound.
	SetPaused(ctx context.Context, id, reason string, r Request) (Store, error)
	// Delete removes the store with its passes and quarantine; the audit stays.
	// Errors: ErrNotFound, ErrBusy while a pass over it is running.
	Delete(ctx context.Context, id string, r Request) error
	// StateMap reads the present map. Error: ErrNotFound.
	StateMap(ctx context.Context, id string) (statemap.Map, error)
	// UnknownStates lists the states that no entry covers, most frequent first.
	UnknownStates(ctx context.Context, id string) ([]UnknownState, error)
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
	// States empty means all.
	States []State
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
}

// Known is what the orders service holds of a store.
type Known struct {
	// Count stops at 10,001.
	Count int64
	// References by the shop's id, of the newest orders.
	References map[int64]string
}

// Service is the use-cases of an administrator.
type Service struct {
	repository Repository
	vault      Vault
	shops      Shops
	orders     Orders
	hosts      AllowList
	zone       string // of stores that name none: the business zone
	newID      func() string
}

// Dependencies of a Service; all are needed.
type Dependencies struct {
	Repository  Repository
	Vault       Vault
	Shops       Shops
	Orders      Orders
	Hosts       AllowList
	DefaultZone string
	NewID       func() string
}

// NewService wires the use-cases.
func NewService(d Dependencies) *Service {
	return &Service{
		repository: d.Repository, vault: d.Vault, shops: d.Shops, orders: d.Orders,
		hosts: d.Hosts, zone: d.DefaultZone, newID: d.NewID,
	}
}

// Draft is a new store as a person enters it.
type Draft struct {
	Identifier string
	Name       string
	BaseURL    string
	Token      shop.Token
	// TimeZone empty means the business zone.
	TimeZone string
}

// Create tests the connection and saves the store. A store without address or
// token cannot be saved, so it can never be run (lesson P6).
func (s *Service) Create(ctx context.Context, d Draft, r Request) (Store, error) {
	if !identifier.MatchString(d.Identifier) || d.Name == "" || d.BaseURL == "" || d.Token == "" {
		return Store{}, ErrIncomplete
	}
	base, err := NormaliseBaseURL(d.BaseURL, s.hosts)
	if err != nil {
		return Store{}, err
	}
	if d.TimeZone == "" {
		d.TimeZone = s.zone
	}
	zone, err := loadZone(d.TimeZone)
	if err != nil {
		return Store{}, err
	}
	page, err := s.probe(ctx, shop.Access{BaseURL: base.String(), Token: d.Token, Zone: zone})
	if err != nil {
		return Store{}, err
	}
	id := s.newID()
	sealed, err := s.vault.Seal(ctx, id, 1, d.Token)
	if err != nil {
		return Store{}, err
	}
	return s.repository.Insert(ctx, Store{
		ID: id, Identifier: d.Identifier, Name: d.Name,
		BaseURL: base.String(), Tenant: base.Tenant(), TimeZone: d.TimeZone,
		Credential: sealed.Credential, Active: true,
		ReferencePrefixes: shop.Prefixes(page.Rows),
	}, sealed, statemap.Default(), r)
}

// Change is what a person changes of a store; nil stays.
type Change struct {
	// Version that was read before; 0 writes over whatever is stored.
	Version  int64
	Name     *string
	BaseURL  *string
	Token    *shop.Token
	Active   *bool
	TimeZone *string
}

// Update changes settings. A new address or token is tested before it is saved,
// and for a store with orders it must answer the same shop (lessons P5 to P7).
func (s *Service) Update(ctx context.Context, id string, c Change, r Request) (Store, error) {
	stored, err := s.repository.Store(ctx, id)
	if err != nil {
		return Store{}, err
	}
	if c.Version != 0 && c.Version != stored.Version {
		return Store{}, ErrStale
	}
	changed, err := s.apply(stored, c)
	if err != nil {
		return Store{}, err
	}
	moved := changed.BaseURL != stored.BaseURL || c.Token != nil
	if moved || changed.TimeZone != stored.TimeZone {
		if err := s.check(ctx, stored, changed, c.Token, moved); err != nil {
			return Store{}, err
		}
	}
	var sealed *Sealed
	if c.Token != nil {
		fresh, err := s.vault.Seal(ctx, id, stored.Credential.Version+1, *c.Token)
		if err != nil {
			return Store{}, err
		}
		sealed, changed.Credential = &fresh, fresh.Credential
	}
	return s.repository.Replace(ctx, changed, sealed, r)
}

// apply makes the changed store, without asking anybody.
func (s *Service) apply(stored Store, c Change) (Store, error) {
	changed := stored
	if c.Name != nil {
		changed.Name = *c.Name
	}
	if c.Active != nil {
		changed.Active = *c.Active
	}
	if c.TimeZone != nil {
		changed.TimeZone = *c.TimeZone
	}
	if c.BaseURL != nil {
		base, err := NormaliseBaseURL(*c.BaseURL, s.hosts)
		if err != nil {
			return Store{}, err
		}
		changed.BaseURL, changed.Tenant = base.String(), base.Tenant()
	}
	if changed.Name == "" || c.Token != nil && *c.Token == "" {
		return Store{}, ErrIncomplete
	}
	return changed, nil
}

// check asks orders and the shop whether the changed store is still the same
// shop.
func (s *Service) check(ctx context.Context, stored, changed Store, fresh *shop.Token, moved bool) error {
	zone, err := loadZone(changed.TimeZone)
	if err != nil {
		return err
	}
	known, err := s.orders.Describe(ctx, stored.ID)
	if err != nil {
		return err
	}
	if known.Count > 0 && changed.TimeZone != stored.TimeZone {
		return ErrZoneFixed
	}
	if !moved {
		return nil
	}
	access := shop.Access{BaseURL: changed.BaseURL, Zone: zone}
	if fresh != nil {
		access.Token = *fresh
	} else if access.Token, err = s.vault.Open(ctx, stored.ID, stored.Credential.Version); err != nil {
		return err
	}
	page, err := s.probe(ctx, access)
	if err != nil {
		return err
	}
	if known.Count == 0 {
		return nil
	}
	return s.sameShop(ctx, access, page, known)
}

// sameShop wants one known id with its known reference as a proof, and takes
// one with another reference as the disproof. The page of the probe is asked
// first; when it shows none of the known ids, some are read singly. A shop that
// knows none of them is another shop.
func (s *Service) sameShop(ctx context.Context, a shop.Access, page shop.Page, known Known) error {
	proved := false
	for _, row := range page.Rows {
		if row.Order == nil {
			continue
		}
		if reference, ok := known.References[row.Order.ID]; ok {
			if reference != row.Order.Reference {
				return ErrOtherShop
			}
			proved = true
		}
	}
	const few = 3 // more would spend the shop's quota on an unlikely case
	asked := 0
	for id, reference := range known.References {
		if proved || asked == few {
			break
		}
		asked++
		row, err := s.shops.Order(ctx, a, id)
		switch {
		case shop.ClassOf(err) == shop.NotFound:
			continue // deleted in the shop, or another shop; the next one tells
		case err != nil:
			return connectionError(ctx, err)
		case row.Order == nil:
			continue
		case row.Order.Reference != reference:
			return ErrOtherShop
		}
		proved = true
	}
	if !proved {
		return ErrOtherShop
	}
	return nil
}

// probe asks the shop for a page; its fault becomes a refusal to save.
func (s *Service) probe(ctx context.Context, a shop.Access) (shop.Page, error) {
	page, err := s.shops.Probe(ctx, a)
	if err != nil {
		return shop.Page{}, connectionError(ctx, err)
	}
	return page, nil
}

func connectionError(ctx context.Context, err error) error {
	if ctx.Err() != nil || shop.ClassOf(err) == "" {
		return err
	}
	return &ConnectionError{Failure: shop.FailureOf(err), Advice: shop.Advice(err)}
}

func loadZone(name string) (*time.Location, error) {
	// "Local" would read the shop's times in the zone of the machine.
	if name == "" || name == "Local" {
		return nil, ErrZoneInvalid
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, ErrZoneInvalid
	}
	return zone, nil
}

// Find reads one store.
func (s *Service) Find(ctx context.Context, id string) (Store, error) {
	return s.repository.Store(ctx, id)
}

// List reads a page of stores.
func (s *Service) List(ctx context.Context, f Filter) ([]Store, error) {
	return s.repository.Stores(ctx, f)
}

// Pause stops passes until somebody resumes.
func (s *Service) Pause(ctx context.Context, id string, r Request) (Store, error) {
	return s.repository.SetPaused(ctx, id, r.Reason, r)
}

// Resume lets passes run again.
func (s *Service) Resume(ctx context.Context, id string, r Request) (Store, error) {
	return s.repository.SetPaused(ctx, id, "", r)
}

// Delete removes a store that no order hangs on.
func (s *Service) Delete(ctx context.Context, id string, r Request) error {
	known, err := s.orders.Describe(ctx, id)
	if err != nil {
		return err
	}
	if known.Count > 0 {
		return &HasOrdersError{Count: known.Count}
	}
	return s.repository.Delete(ctx, id, r)
}

// Test tries the stored address and token. A failed test is an answer, not an
// error.
func (s *Service) Test(ctx context.Context, id string) (*ConnectionError, error) {
	stored, err := s.repository.Store(ctx, id)
	if err != nil {
		return nil, err
	}
	zone, err := stored.Location()
	if err != nil {
		return nil, err
	}
	token, err := s.vault.Open(ctx, id, stored.Credential.Version)
	if err != nil {
		return nil, err
	}
	_, err = s.probe(ctx, shop.Access{BaseURL: stored.BaseURL, Token: token, Zone: zone})
	if failed, ok := err.(*ConnectionError); ok {
		return failed, nil
	}
	return nil, err
}

// StateMap reads the present map and the states met that it does not cover.
func (s *Service) StateMap(ctx context.Context, id string) (statemap.Map, []UnknownState, error) {
	m, err := s.repository.StateMap(ctx, id)
	if err != nil {
		return statemap.Map{}, nil, err
	}
	unknown, err := s.repository.UnknownStates(ctx, id)
	// What was unknown when it was met may have been mapped since.
	unknown = slices.DeleteFunc(unknown, func(u UnknownState) bool {
		_, known := m.Meaning(u.State)
		return known
	})
	return m, unknown, err
}
