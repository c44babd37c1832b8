package ecomanagersim

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
)

func truth(t testing.TB, s *Server) []Order {
	t.Helper()
	var all []Order
	for _, sh := range s.Shops() {
		orders, err := s.Orders(sh.Tenant, sh.Shop)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, orders...)
	}
	return all
}

func TestTheSameSeedIsTheSameWorldAlsoAfterItHasLived(t *testing.T) {
	live := func(seed uint64) *Server {
		cfg := twoTenants(200)
		cfg.Seed, cfg.Dirt = seed, HeavyDirt()
		cfg.Tenants[0].Shops[0].OrdersPerDay = 50
		s := newServer(t, cfg)
		s.Advance(72 * time.Hour)
		return s
	}
	a, b, other := live(1), live(1), live(2)
	if diff := cmp.Diff(truth(t, a), truth(t, b)); diff != "" {
		t.Errorf("same seed, other world:\n%.2000s", diff)
	}
	if cmp.Equal(truth(t, a), truth(t, other)) {
		t.Error("another seed made the same world")
	}
	body := func(s *Server) string {
		b, err := io.ReadAll(ask(t, s, "east", "a", "/orders?per_page=100&sort_by=updated_at&sort_direction=desc").Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if a, b := body(a), body(a); a != b {
		t.Error("two readings of unchanged orders differ")
	}
	if tokenA, _ := a.Token("east", "a"); len(tokenA) != tokenLength {
		t.Errorf("token of %d letters", len(tokenA))
	}
}

func TestTenantsOverlapInIdsAndReferencesButShopsNeverShareAnID(t *testing.T) {
	s := newServer(t, twoTenants(500))
	ids := map[string]map[int64]bool{"east": {}, "west": {}}
	references := map[string]int{}
	for _, o := range truth(t, s) {
		if ids[o.Tenant][o.ID] {
			t.Fatalf("%s gave id %d twice", o.Tenant, o.ID)
		}
		ids[o.Tenant][o.ID] = true
		references[o.Reference]++
	}
	both, same := 0, 0
	for id := range ids["east"] {
		if ids["west"][id] {
			both++
		}
	}
	for _, n := range references {
		if n > 1 {
			same++
		}
	}
	if both < 100 || same == 0 {
		t.Errorf("%d ids and %d references exist in both tenants", both, same)
	}
}

func TestThePastHoldsEveryStageAndExactlyTheOrdersAskedFor(t *testing.T) {
	s := newServer(t, twoTenants(500))
	stages := map[Stage]int{}
	late := 0
	for _, o := range truth(t, s) {
		stages[o.Stage]++
		if o.CreatedAt.After(noon) || o.UpdatedAt.Before(o.CreatedAt) || o.UpdatedAt.After(noon) {
			t.Fatalf("order %d: created %v, updated %v", o.ID, o.CreatedAt, o.UpdatedAt)
		}
		if o.Stage == Dispatch && o.UpdatedAt.Sub(o.CreatedAt) > 4*day {
			late++
		}
	}
	total := 0
	for _, stage := range []Stage{Confirming, Preparing, Dispatch, Delivering, Delivered, Collected, Cancelled, Returning, Returned} {
		if stages[stage] == 0 {
			t.Errorf("no order is %s: %v", stage, stages)
		}
		total += stages[stage]
	}
	if total != 2000 {
		t.Errorf("%d orders, want 2000", total)
	}
	if late == 0 {
		t.Error("no order was dispatched days after its id was given (lesson P4)")
	}
}

func TestLifeGoesOn(t *testing.T) {
	cfg := twoTenants(300)
	cfg.Tenants[0].Shops[0].OrdersPerDay = 100
	s := newServer(t, cfg)
	before := map[int64]Order{}
	for _, o := range truth(t, s) {
		if o.Tenant == "east" {
			before[o.ID] = o
		}
	}
	s.Advance(48 * time.Hour)
	fresh, changed := 0, 0
	for _, o := range truth(t, s) {
		was, known := before[o.ID]
		switch {
		case o.Tenant != "east":
		case !known:
			fresh++
		case !cmp.Equal(was, o):
			changed++
		}
	}
	if fresh < 120 || fresh > 280 || changed < 30 {
		t.Errorf("in two days %d orders came (100 a day) and %d changed", fresh, changed)
	}
}

func TestDirtIsAllThereAndTheTruthStaysTold(t *testing.T) {
	cfg := twoTenants(1000)
	cfg.Dirt = HeavyDirt()
	s := newServer(t, cfg)
	seen := map[string]int{}
	cursor := ""
	type row struct {
		Name         string          `json:"full_name"`
		State        string          `json:"order_state_name"`
		Items        []any           `json:"items"`
		Total        json.RawMessage `json:"total"`
		CreatedAt    string          `json:"created_at"`
		UpdatedAt    *string         `json:"updated_at"`
		Confirmed    *string         `json:"confirmed_at"`
		Confirmator  *Confirmator    `json:"confirmator"`
		Phone        string          `json:"telephone"`
		TotalShiping json.RawMessage `json:"total_shipping"`
	}
	for {
		r := read[struct {
			Data []row
			Meta struct {
				NextCursor *string `json:"next_cursor"`
			}
		}](t, ask(t, s, "east", "a", "/orders?per_page=100"+cursor), http.StatusOK)
		for _, o := range r.Data {
			count := func(kind string, is bool) {
				if is {
					seen[kind]++
				}
			}
			count("numeric string", o.Total[0] == '"')
			count("number", o.Total[0] != '"')
			count("no items", len(o.Items) == 0)
			count("date with T", strings.Contains(o.CreatedAt, "T"))
			count("date with space", strings.Contains(o.CreatedAt, " "))
			count("no updated_at", o.UpdatedAt == nil)
			count("confirmed by nobody", o.Confirmed != nil && o.Confirmator == nil)
			count("NFD", !norm.NFC.IsNormalString(o.State+o.Name))
			count("Arabic", strings.ContainsAny(o.Name, "ابم"))
			count("phone with +213", strings.HasPrefix(o.Phone, "+213"))
			count("phone with 00213", strings.HasPrefix(o.Phone, "00213"))
			count("phone with spaces", strings.Contains(strings.TrimSpace(o.Phone), " "))
			count("optional missing", o.TotalShiping == nil)
		}
		if r.Meta.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *r.Meta.NextCursor
	}
	for _, kind := range []string{
		"numeric string", "number", "no items", "date with T", "date with space", "no updated_at", "confirmed by nobody", "NFD",
		"Arabic", "phone with +213", "phone with 00213", "phone with spaces", "optional missing",
	} {
		if seen[kind] == 0 {
			t.Errorf("no order shows %s", kind)
		}
	}
	untouched, duplicated := 0, 0
	references := map[string]bool{}
	for _, o := range truth(t, s) {
		if o.Stage != Confirming && o.UpdatedAt.Equal(o.CreatedAt) {
			untouched++
		}
		if key := o.Tenant + o.Reference; references[key] {
			duplicated++
		} else {
			references[key] = true
		}
		if o.PhoneE164 != "" && o.PhoneE164 != internationalPhone(o.Phone) {
			t.Fatalf("%q is said to be %s", o.Phone, o.PhoneE164)
		}
	}
	if untouched == 0 {
		t.Error("every change touched updated_at (quirk Q10)")
	}
	if duplicated == 0 {
		t.Error("no reference exists in two shops of one tenant")
	}
}

func TestTheExampleOfTheContractLooksLikeThis(t *testing.T) {
	s := newServer(t, twoTenants(0))
	added, err := s.AddOrders("east", "a", 1, Change{
		Name: ptr("Client Exemple"), Phone: ptr("0550 00 00 00"), Wilaya: ptr("Alger"), WilayaCode: ptr(16), Commune: ptr("Bab Ezzouar"),
		Stage: ptr(Dispatch), Confirmation: ptr("Confirmé"),
		Items: &[]Item{{ID: 910001, ProductID: 55, SKU: "SKU-DEMO-1", Title: "Produit Démo", Quantity: 2, Price: 160050}},
	})
	if err != nil {
		t.Fatal(err)
	}
	o := added[0]
	got, err := io.ReadAll(ask(t, s, "east", "a", "/orders/"+decimal(o.ID)).Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":` + decimal(o.ID) + `,"reference":"ALPHA` + decimal(o.ID) + `","code":null,"name":null,"full_name":"Client Exemple",` +
		`"telephone":"0550 00 00 00","wilaya":"Alger","commune":"Bab Ezzouar","order_state_id":3,"order_state_name":"En dispatch",` +
		`"confirmation_state_name":"Confirmé","confirmation_history":[{"state_name":"Confirmé","created_at":"2026-03-10 12:00:00"}],` +
		`"confirmator":null,"confirmed_at":null,` +
		`"items":[{"id":910001,"product_id":55,"sku":"SKU-DEMO-1","title":"Produit Démo","quantity":2,"selling_price":1600.50}],` +
		`"total_products":3201,"total":` + decimal(o.Total/100) + `,"total_shipping":` + decimal(o.Shipping/100) +
		`,"api_source":"` + o.Source + `","created_at":"2026-03-10 12:00:00","updated_at":"2026-03-10 12:00:00"}` + "\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if o.PhoneE164 != "+213550000000" {
		t.Errorf("the truth about the telephone number is %q", o.PhoneE164)
	}
}

func TestAWorldOutlivesItsProcessAndGivesNoIDTwice(t *testing.T) {
	cfg := twoTenants(50)
	cfg.StatePath = filepath.Join(t.TempDir(), "world.jsonl")
	first := newServer(t, cfg)
	added, err := first.AddOrders("east", "a", 3, Change{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.ChangeOrder("east", added[0].ID, Change{Stage: ptr(Dispatch), Total: ptr(int64(123400))}); err != nil {
		t.Fatal(err)
	}
	if err := first.DeleteOrder("east", added[2].ID); err != nil {
		t.Fatal(err)
	}
	token, err := first.RegenerateToken("west", "d")
	if err != nil {
		t.Fatal(err)
	}
	// A kill in the middle of a line.
	f, err := os.OpenFile(cfg.StatePath, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"order":{"tenant":"ea`); err != nil {
		t.Fatal(err)
	}
	f.Close()

	second := newServer(t, cfg)
	if diff := cmp.Diff(truth(t, first), truth(t, second)); diff != "" {
		t.Errorf("the world changed over a restart:\n%.2000s", diff)
	}
	if got, _ := second.Token("west", "d"); got != token {
		t.Error("the new token was forgotten")
	}
	again, err := second.AddOrders("east", "a", 1, Change{})
	if err != nil {
		t.Fatal(err)
	}
	if again[0].ID <= added[2].ID {
		t.Errorf("id %d came after %d was given and deleted", again[0].ID, added[2].ID)
	}
	third := newServer(t, cfg)
	if diff := cmp.Diff(truth(t, second), truth(t, third)); diff != "" {
		t.Errorf("the world changed over the second restart:\n%.2000s", diff)
	}
}

// BenchmarkAHundredThousandOrders measures what tests of the sync pay for: making the world, and walking a quarter of it.
func BenchmarkAHundredThousandOrders(b *testing.B) {
	for b.Loop() {
		s := newServer(b, twoTenants(25_000))
		rows, cursor := 0, ""
		for {
			r := list(b, s, "east", "a", "?per_page=100&sort_by=updated_at&sort_direction=desc"+cursor)
			rows += len(r.Data)
			if r.Meta.NextCursor == nil {
				break
			}
			cursor = "&cursor=" + *r.Meta.NextCursor
		}
		if rows != 25_000 {
			b.Fatalf("%d rows", rows)
		}
	}
}

func ptr[T any](v T) *T { return &v }
