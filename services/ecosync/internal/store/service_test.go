package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// around is everything a Service asks, in memory, with one store in it.
type around struct {
	saved store.Store
	// listing and single are what the shop shows; fault is answered instead.
	listing []*shop.Order
	single  map[int64]string
	fault   error
	known   store.Known
	away    bool // the orders service
	probes  int
	reads   int
	deleted bool
	// made is the request id that made the store, term that of its last pass.
	made string
	term int64
	// meanwhile is what somebody else does just before a replacement is written,
	// asked what happens while orders are asked.
	meanwhile, asked func()
	replaced         []store.Replacement
	// states is the map in force; held and remapped are what orders was told.
	states   statemap.Map
	held     store.HeldStates
	remapped []store.StateMeaning
}

func (a *around) Insert(_ context.Context, s store.Store, _ store.Sealed, _ []statemap.Entry, _ store.Request) (store.Store, error) {
	a.saved = s
	return s, nil
}

func (a *around) Store(_ context.Context, id string) (store.Store, error) {
	if id != a.saved.ID {
		return store.Store{}, store.ErrNotFound
	}
	return a.saved, nil
}

func (a *around) Stores(context.Context, store.Filter) ([]store.Store, error) {
	return []store.Store{a.saved}, nil
}

func (a *around) Replace(_ context.Context, c store.Replacement, _ store.Request) (store.Store, error) {
	if a.meanwhile != nil {
		a.meanwhile()
		a.meanwhile = nil
	}
	if c.Store.Version != a.saved.Version {
		return store.Store{}, store.ErrStale
	}
	a.replaced = append(a.replaced, c)
	a.saved = c.Store
	a.saved.Version++
	return a.saved, nil
}

func (a *around) Created(_ context.Context, r store.Request) (store.Store, error) {
	if r.ID != "" && r.ID == a.made {
		return a.saved, nil
	}
	return store.Store{}, store.ErrNotFound
}

func (a *around) Term(_ context.Context, id string) (int64, error) {
	if id != a.saved.ID {
		return 0, store.ErrNotFound
	}
	return a.term, nil
}

func (a *around) SetPaused(context.Context, string, string, store.Request) (store.Store, error) {
	return a.saved, nil
}

func (a *around) Delete(_ context.Context, _ string, term int64, _ store.Request) error {
	if term != a.term {
		return store.ErrBusy
	}
	a.deleted = true
	return nil
}

func (a *around) StateMap(context.Context, string) (statemap.Map, error) {
	if a.states.Version == 0 {
		var err error
		if a.states, err = statemap.New(1, statemap.Default()); err != nil {
			return a.states, err
		}
	}
	return a.states, nil
}

func (a *around) UnknownStates(context.Context, string) ([]store.UnknownState, error) {
	return []store.UnknownState{{State: "Expédié", Rows: 3}, {State: "LIVRÉES", Rows: 1}}, nil
}

func (a *around) Seal(_ context.Context, _ string, version int64, t shop.Token) (store.Sealed, error) {
	return store.Sealed{Credential: store.Credential{Version: version, LastFour: store.LastFour(t)}}, nil
}

func (a *around) Open(context.Context, string, int64) (shop.Token, error) { return "stored", nil }

func (a *around) Probe(context.Context, shop.Access) (shop.Page, error) {
	a.probes++
	page := shop.Page{Date: time.Now()}
	for _, o := range a.listing {
		page.Rows = append(page.Rows, shop.Row{Order: o})
	}
	return page, a.fault
}

func (a *around) Order(_ context.Context, _ shop.Access, id int64) (shop.Row, error) {
	a.reads++
	reference, ok := a.single[id]
	if !ok {
		return shop.Row{}, shop.NewFault(shop.NotFound, 404, nil)
	}
	return shop.Row{Order: &shop.Order{ID: id, Reference: reference}}, nil
}

func (a *around) Describe(context.Context, string) (store.Known, error) {
	if a.asked != nil {
		a.asked()
	}
	if a.away {
		return store.Known{}, store.ErrOrdersUnavailable
	}
	return a.known, nil
}

func (a *around) SaveStateMap(_ context.Context, _ string, read int64, entries []statemap.Entry, _ store.Request) (statemap.Map, error) {
	if read != a.states.Version {
		return statemap.Map{}, store.ErrMapStale
	}
	var err error
	a.states, err = statemap.New(read+1, entries)
	return a.states, err
}

func (a *around) UpstreamStates(context.Context, string) (store.HeldStates, error) {
	if a.away {
		return store.HeldStates{}, store.ErrOrdersUnavailable
	}
	return a.held, nil
}

func (a *around) Remap(_ context.Context, _ string, version int64, meanings []store.StateMeaning, validateOnly bool) (store.Remapped, error) {
	if a.away {
		return store.Remapped{}, store.ErrOrdersUnavailable
	}
	if !validateOnly && version > a.held.Applied {
		a.held.Applied, a.remapped = version, meanings
	}
	return store.Remapped{MeaningChanged: int64(len(meanings))}, nil
}

func service(t *testing.T, a *around) *store.Service {
	return store.NewService(store.Dependencies{
		Repository: a, Vault: a, Shops: a, Orders: a, Hosts: allow(t, defaultHosts), DefaultZone: "Africa/Algiers",
		NewID: func() string { return "id-1" },
	})
}

func saved() *around {
	return &around{saved: store.Store{
		ID: "id-1", Identifier: "NATU", Name: "Nature", BaseURL: "https://demo.ecomanager.dz/api/shop/v2", Tenant: "demo.ecomanager.dz",
		TimeZone: "Africa/Algiers", Credential: store.Credential{Version: 3}, Active: true, Version: 5,
	}}
}

func TestAStoreWithoutAddressOrTokenCannotBeSaved(t *testing.T) {
	good := store.Draft{Identifier: "NATU", Name: "Nature", BaseURL: "demo.ecomanager.dz", Token: "FAKEtokenFAKEtoken0001"}
	for name, tc := range map[string]struct {
		change func(*store.Draft)
		want   error
	}{
		"no address":        {func(d *store.Draft) { d.BaseURL = "" }, store.ErrIncomplete},
		"no token":          {func(d *store.Draft) { d.Token = "" }, store.ErrIncomplete},
		"no name":           {func(d *store.Draft) { d.Name = "" }, store.ErrIncomplete},
		"a small letter":    {func(d *store.Draft) { d.Identifier = "natu" }, store.ErrIncomplete},
		"a foreign host":    {func(d *store.Draft) { d.BaseURL = "https://elsewhere.example" }, store.ErrURLNotAllowed},
		"a zone of nowhere": {func(d *store.Draft) { d.TimeZone = "Mars/Olympus" }, store.ErrZoneInvalid},
		"the machine's own": {func(d *store.Draft) { d.TimeZone = "Local" }, store.ErrZoneInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			a, d := &around{}, good
			tc.change(&d)
			if _, err := service(t, a).Create(t.Context(), d, store.Request{}); !errors.Is(err, tc.want) || a.saved.ID != "" || a.probes != 0 {
				t.Errorf("%v, saved %q, %d probes (lesson P6)", err, a.saved.ID, a.probes)
			}
		})
	}
	a := &around{listing: []*shop.Order{{ID: 1, Reference: "DEMOA1"}}}
	s, err := service(t, a).Create(t.Context(), good, store.Request{})
	if err != nil || s.BaseURL != "https://demo.ecomanager.dz/api/shop/v2" || s.TimeZone != "Africa/Algiers" || fmt.Sprint(s.ReferencePrefixes) != "[DEMOA]" {
		t.Errorf("%+v, %v", s, err)
	}
	a = &around{fault: shop.NewFault(shop.ServerError, 502, nil)}
	var failed *store.ConnectionError
	if _, err := service(t, a).Create(t.Context(), good, store.Request{}); !errors.As(err, &failed) || failed.Failure != shop.Unavailable || a.saved.ID != "" {
		t.Errorf("%v", err)
	}
}

func TestAStoreWithOrdersMovesOnlyWithinItsShop(t *testing.T) {
	known := store.Known{Count: 4, References: map[int64]string{1: "DEMOA1", 2: "DEMOA2", 3: "DEMOA3", 4: "DEMOA4"}}
	for name, tc := range map[string]struct {
		listing []*shop.Order
		single  map[int64]string
		known   store.Known
		want    error
		reads   int // at most
	}{
		"the listing shows a known reference":          {[]*shop.Order{{ID: 9, Reference: "DEMOA9"}, {ID: 2, Reference: "DEMOA2"}}, nil, known, nil, 0},
		"the listing shows another reference":          {[]*shop.Order{{ID: 2, Reference: "OTHER2"}}, nil, known, store.ErrOtherShop, 0},
		"one of two references is another's":           {[]*shop.Order{{ID: 1, Reference: "DEMOA1"}, {ID: 2, Reference: "OTHER2"}}, nil, known, store.ErrOtherShop, 0},
		"only single reads show it":                    {[]*shop.Order{{ID: 900, Reference: "DEMOA900"}}, map[int64]string{1: "DEMOA1", 2: "DEMOA2", 3: "DEMOA3", 4: "DEMOA4"}, known, nil, 1},
		"single reads show another":                    {nil, map[int64]string{1: "X1", 2: "X2", 3: "X3", 4: "X4"}, known, store.ErrOtherShop, 1},
		"a shop that knows nothing of it":              {nil, nil, known, store.ErrOtherShop, 3},
		"a store without orders may go where it likes": {[]*shop.Order{{ID: 2, Reference: "OTHER2"}}, nil, store.Known{}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := saved()
			a.listing, a.single, a.known = tc.listing, tc.single, tc.known
			address := "https://other.ecomanager.dz"
			_, err := service(t, a).Update(t.Context(), "id-1", store.Change{BaseURL: &address}, store.Request{})
			if !errors.Is(err, tc.want) || a.reads > tc.reads {
				t.Errorf("%v after %d single reads (lessons P5 to P7)", err, a.reads)
			}
			if moved := a.saved.Tenant == "other.ecomanager.dz"; moved != (tc.want == nil) {
				t.Errorf("moved: %t", moved)
			}
		})
	}
}

func TestAStoreWithOnlyOrdersTypedByHandIsTiedToNoShop(t *testing.T) {
	a := saved()
	a.known = store.Known{Count: 1}
	a.listing = []*shop.Order{{ID: 9, Reference: "DEMOA9"}}
	token := shop.Token("FAKEtokenFAKEtoken0002")
	if _, err := service(t, a).Update(t.Context(), "id-1", store.Change{Token: &token}, store.Request{}); err != nil {
		t.Fatalf("its token could never be replaced: %v", err)
	}
	if c := a.replaced[0]; !c.Anew || !c.Moved || c.Token == nil {
		t.Errorf("%+v: a wrong token corrected before the first orders leaves nothing of the other shop (lesson P6)", c)
	}
}

func TestTheSameUpdateAgainWritesNothing(t *testing.T) {
	a, name, token, address := saved(), "New", shop.Token("stored"), "demo.ecomanager.dz"
	change := store.Change{Version: 5, Name: &name, Token: &token, BaseURL: &address}
	for range 2 { // the second with an etag that is old by then
		s, err := service(t, a).Update(t.Context(), "id-1", change, store.Request{})
		if err != nil || s.Version != 6 || s.Name != "New" {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if len(a.replaced) != 1 || a.probes != 0 || a.replaced[0].Token != nil {
		t.Errorf("%d writes, %d probes", len(a.replaced), a.probes)
	}
}

func TestWhoNamesNoVersionIsNeverStale(t *testing.T) {
	a, name := saved(), "New"
	a.meanwhile = func() { a.saved.Active, a.saved.Version = false, 6 }
	s, err := service(t, a).Update(t.Context(), "id-1", store.Change{Name: &name}, store.Request{})
	if err != nil || s.Name != "New" || s.Active || s.Version != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	a = saved()
	a.meanwhile = func() { a.saved.Version = 6 }
	if _, err := service(t, a).Update(t.Context(), "id-1", store.Change{Version: 5, Name: &name}, store.Request{}); !errors.Is(err, store.ErrStale) {
		t.Errorf("who names one is told: %v", err)
	}
}

func TestARepeatedCreationIsAnsweredWithoutTheShop(t *testing.T) {
	a := saved()
	a.made, a.fault = "r1", shop.NewFault(shop.Unreachable, 0, nil)
	d := store.Draft{Identifier: "NATU", Name: "Nature", BaseURL: "demo.ecomanager.dz", Token: "FAKEtokenFAKEtoken0001"}
	if s, err := service(t, a).Create(t.Context(), d, store.Request{ID: "r1"}); err != nil || s.ID != "id-1" || a.probes != 0 {
		t.Errorf("%+v, %v, %d probes", s, err, a.probes)
	}
}

func TestAStoreIsNotDeletedBehindAPassThatRanMeanwhile(t *testing.T) {
	a := saved()
	a.asked = func() { a.term++ }
	if err := service(t, a).Delete(t.Context(), "id-1", store.Request{}); !errors.Is(err, store.ErrBusy) || a.deleted {
		t.Errorf("%v: the pass may have made orders", err)
	}
}

func TestWhatCannotBeCheckedIsNotChanged(t *testing.T) {
	token, zone, name := shop.Token("FAKEtokenFAKEtoken0002"), "Europe/Paris", "New"
	for what, change := range map[string]store.Change{"a token": {Token: &token}, "a zone": {TimeZone: &zone}} {
		a := saved()
		a.away = true
		before := a.saved
		if _, err := service(t, a).Update(t.Context(), "id-1", change, store.Request{}); !errors.Is(err, store.ErrOrdersUnavailable) || a.saved.Version != before.Version || a.saved.TimeZone != before.TimeZone {
			t.Errorf("%s while orders are away: %v", what, err)
		}
	}
	a := saved()
	a.away = true
	if s, err := service(t, a).Update(t.Context(), "id-1", store.Change{Name: &name}, store.Request{}); err != nil || s.Name != "New" || a.probes != 0 {
		t.Errorf("a name needs nobody: %v, %d probes", err, a.probes)
	}
	a.away, a.known = false, store.Known{Count: 7}
	var has *store.HasOrdersError
	if err := service(t, a).Delete(t.Context(), "id-1", store.Request{}); !errors.As(err, &has) || has.Count != 7 || a.deleted {
		t.Errorf("deleting what orders hang on: %v", err)
	}
	if _, err := service(t, a).Update(t.Context(), "id-1", store.Change{Version: 4, Active: new(bool)}, store.Request{}); !errors.Is(err, store.ErrStale) {
		t.Errorf("a stale version: %v", err)
	}
}

func TestAStateThatWasMappedSinceIsNotShownAsUnknown(t *testing.T) {
	_, unknown, err := service(t, saved()).StateMap(t.Context(), "id-1")
	if err != nil || len(unknown) != 1 || unknown[0].State != "Expédié" {
		t.Errorf("%+v, %v", unknown, err)
	}
}

func TestOnlyTheEndOfALongTokenIsShown(t *testing.T) {
	for token, want := range map[shop.Token]string{"FAKEtokenFAKEtoken0001": "0001", "short": "", "": ""} {
		if got := store.LastFour(token); got != want {
			t.Errorf("LastFour of %d letters = %q", len(token), got)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s", shop.Token("secret"), shop.Access{Token: "secret"}, shop.Access{Token: "secret"}, shop.Token("secret")); strings.Contains(text, "secret") {
		t.Errorf("a token prints as %s", text)
	}
}
