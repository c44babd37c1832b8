package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
)

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
	if r.ID != "" {
		// A repetition is answered before the shop is asked: it may be down by now,
		// and the store stands.
		if made, err := s.repository.Created(ctx, r); !errors.Is(err, ErrNotFound) {
			return made, err
		}
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
//
// The same call again changes nothing and raises no version, also with the etag
// from before the first: an answer that was lost is asked for again.
func (s *Service) Update(ctx context.Context, id string, c Change, r Request) (Store, error) {
	saved, err := s.update(ctx, id, c, r)
	if c.Version == 0 && errors.Is(err, ErrStale) {
		// Who names no version writes over whatever is stored, and so also over what
		// somebody stored a moment ago.
		return s.update(ctx, id, c, r)
	}
	return saved, err
}

func (s *Service) update(ctx context.Context, id string, c Change, r Request) (Store, error) {
	stored, err := s.repository.Store(ctx, id)
	if err != nil {
		return Store{}, err
	}
	changed, err := s.apply(stored, c)
	if err != nil {
		return Store{}, err
	}
	if c.Token != nil {
		present, err := s.vault.Open(ctx, id, stored.Credential.Version)
		// A present token that cannot be opened is no reason to keep it.
		if err == nil && present == *c.Token {
			c.Token = nil
		}
	}
	moved := changed.BaseURL != stored.BaseURL || c.Token != nil
	rezoned := changed.TimeZone != stored.TimeZone
	if !moved && !rezoned && changed.Name == stored.Name && changed.Active == stored.Active {
		return stored, nil
	}
	if c.Version != 0 && c.Version != stored.Version {
		return Store{}, ErrStale
	}
	replacement := Replacement{Moved: moved || rezoned}
	if replacement.Moved {
		if replacement.Anew, err = s.check(ctx, stored, changed, c.Token, moved); err != nil {
			return Store{}, err
		}
	}
	if c.Token != nil {
		fresh, err := s.vault.Seal(ctx, id, stored.Credential.Version+1, *c.Token)
		if err != nil {
			return Store{}, err
		}
		replacement.Token, changed.Credential = &fresh, fresh.Credential
	}
	replacement.Store = changed
	return s.repository.Replace(ctx, replacement, r)
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
	// Read before orders are asked: a pass that begins, writes and ends in between
	// is seen by its term.
	term, err := s.repository.Term(ctx, id)
	if err != nil {
		return err
	}
	known, err := s.orders.Describe(ctx, id)
	if err != nil {
		return err
	}
	if known.Count > 0 {
		return &HasOrdersError{Count: known.Count}
	}
	return s.repository.Delete(ctx, id, term, r)
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
	var failed *ConnectionError
	if errors.As(err, &failed) {
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
