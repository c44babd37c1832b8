package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"

	"github.com/libertaphonix/libertaphonix/dev/ecomanagersim"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
)

// ordersPerShop makes 10,000 orders over the four shops.
const ordersPerShop = 2_500

// open makes the store of a simulated shop through the API, once; it answers the store's id.
func (s *suite) openStore(t *testing.T, shop ecomanagersim.ShopInfo) string {
	t.Helper()
	body := fmt.Sprintf(`{"identifier":%q,"name":"Boutique %s","baseUrl":%q,"apiToken":%q}`, shop.Shop, shop.Shop, s.shops.URL+"/"+shop.Tenant, shop.Token)
	a := s.admin.call(http.MethodPost, "/api/v1/stores", body)
	if a.reason() == "IDENTIFIER_TAKEN" {
		var list struct {
			Stores []struct{ ID, Identifier string }
		}
		s.admin.call(http.MethodGet, "/api/v1/stores?pageSize=200", "").decode(t, &list)
		for _, store := range list.Stores {
			if store.Identifier == shop.Shop {
				return store.ID
			}
		}
	}
	var store struct{ ID string }
	a.decode(t, &store)
	return store.ID
}

// openShops makes the stores of all four shops: store id by "tenant/shop".
func (s *suite) openShops(t *testing.T) map[string]string {
	t.Helper()
	stores := map[string]string{}
	for _, shop := range s.sim.Shops() {
		stores[shop.Tenant+"/"+shop.Shop] = s.openStore(t, shop)
	}
	return stores
}

// sync makes one pass over every store and answers how each ended.
func (s *suite) sync(t *testing.T) map[string]*ecosyncv1.Pass {
	t.Helper()
	stream, err := ecosyncv1.NewEcosyncServiceClient(s.dial(t, "ecosync")).SyncStores(s.admin.as(t), &ecosyncv1.SyncStoresRequest{})
	if err != nil {
		t.Fatal(err)
	}
	passes := map[string]*ecosyncv1.Pass{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return passes
		}
		if err != nil {
			t.Fatal(err)
		}
		passes[m.GetStoreId()] = m.GetPass()
	}
}

// shown is an order as it must be stored, whoever tells it: the simulator's truth or our tables.
type shown struct {
	Store, Reference, State, Meaning, Name, Phone, Customer string
	ID                                                      int64
	Wilaya                                                  int
	Goods, Shipping, Due                                    int64
	Placed                                                  time.Time
	Items                                                   string
}

// truth is what the shops hold, in our words.
func (s *suite) truth(t *testing.T, stores map[string]string) map[string]shown {
	t.Helper()
	all := map[string]shown{}
	for _, shop := range s.sim.Shops() {
		orders, err := s.sim.Orders(shop.Tenant, shop.Shop)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range orders {
			var items []string
			for _, i := range o.Items {
				items = append(items, fmt.Sprintf("%d × %s %s @%d", i.Quantity, i.SKU, norm.NFC.String(i.Title), i.Price))
			}
			store := stores[shop.Tenant+"/"+shop.Shop]
			all[fmt.Sprintf("%s/%d", store, o.ID)] = shown{
				Store: store, ID: o.ID, Reference: o.Reference, State: norm.NFC.String(o.State), Meaning: meaning(o.Stage), Name: norm.NFC.String(o.Name),
				Phone: o.PhoneE164, Customer: o.PhoneE164, Wilaya: o.WilayaCode, Goods: o.Goods, Shipping: o.Shipping, Due: o.Total,
				Placed: o.CreatedAt.UTC().Truncate(time.Second), Items: strings.Join(items, "; "),
			}
		}
	}
	return all
}

// meaning is what a stage of a shop's life means to us (DESIGN 3).
func meaning(s ecomanagersim.Stage) string {
	switch s {
	case ecomanagersim.Dispatch, ecomanagersim.Delivering:
		return "FOLLOW_UP"
	case ecomanagersim.Delivered, ecomanagersim.Collected:
		return "DELIVERED"
	case ecomanagersim.Cancelled:
		return "CANCELLED"
	case ecomanagersim.Returning, ecomanagersim.Returned:
		return "RETURNED"
	case ecomanagersim.Confirming, ecomanagersim.Preparing:
		return "NONE"
	default:
		return "?"
	}
}

const storedOrders = `
	SELECT o.store_id::text, o.upstream_id, o.reference, o.upstream_state, o.meaning, o.full_name, coalesce(o.phone_e164, ''), coalesce(c.phone_e164, ''),
		coalesce(o.wilaya_code, 0), o.goods_total, o.shipping_fee, o.due, o.placed_at,
		coalesce((SELECT string_agg(i.quantity || ' × ' || i.sku || ' ' || i.title || ' @' || i.unit_price, '; ' ORDER BY i.line) FROM orders.order_item i WHERE i.order_id = o.id), '')
	FROM orders.sales_order o LEFT JOIN orders.customer c ON c.id = o.customer_id
	WHERE o.origin = 'SHOP'`

// stored is what our tables hold.
func (s *suite) stored(t *testing.T) map[string]shown {
	t.Helper()
	rows, err := s.db.Query(t.Context(), storedOrders)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (shown, error) {
		var o shown
		err := row.Scan(&o.Store, &o.ID, &o.Reference, &o.State, &o.Meaning, &o.Name, &o.Phone, &o.Customer, &o.Wilaya, &o.Goods, &o.Shipping, &o.Due, &o.Placed, &o.Items)
		o.Placed = o.Placed.UTC()
		return o, err
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]shown{}
	for _, o := range list {
		all[fmt.Sprintf("%s/%d", o.Store, o.ID)] = o
	}
	if len(all) != len(list) {
		t.Fatalf("%d orders under %d identities", len(list), len(all))
	}
	return all
}

// versions is a fingerprint of every row version of the orders' tables: what writes nothing leaves it as it is.
func (s *suite) versions(t *testing.T) string {
	t.Helper()
	var sums []string
	for _, table := range []string{"sales_order", "order_item", "order_raw", "order_history", "customer"} {
		var sum string
		err := s.db.QueryRow(t.Context(), fmt.Sprintf(`SELECT count(*) || ' ' || coalesce(sum(hashtextextended(ctid::text || xmin::text, 0)), 0) FROM orders.%s`, table)).Scan(&sum)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, table+" "+sum)
	}
	return strings.Join(sums, ", ")
}

// TestTenThousandOrdersOfTwoTenantsArriveOnceAndTrue is the main job: overlapping ids (lesson P5), one prefix in two tenants, prices that exist
// (P13), states in two dialects (P15), one customer per number (P18), local times (P70); and then nothing more is asked or written (P10).
func TestTenThousandOrdersOfTwoTenantsArriveOnceAndTrue(t *testing.T) {
	s := business(t)
	stores := s.openShops(t)
	for store, pass := range s.sync(t) {
		if pass.GetResult() != ecosyncv1.PassResult_SUCCEEDED || pass.GetCounts().GetQuarantined() > 0 {
			t.Fatalf("store %s: %v", store, pass)
		}
	}
	want, got := s.truth(t, stores), s.stored(t)
	if len(want) != 4*ordersPerShop {
		t.Fatalf("the shops hold %d orders, not %d", len(want), 4*ordersPerShop)
	}
	report(t, want, got)

	before := s.versions(t)
	s.sim.ResetRequests()
	for store, pass := range s.sync(t) {
		if n := pass.GetCounts(); pass.GetResult() != ecosyncv1.PassResult_SUCCEEDED || n.GetRequests() != 1 || n.GetCreated()+n.GetUpdated() != 0 {
			t.Errorf("store %s, with nothing changed: %v", store, pass)
		}
	}
	counts, strays := s.sim.Requests()
	for _, c := range counts {
		if c.Total != 1 {
			t.Errorf("%s/%s was asked %d times for nothing", c.Tenant, c.Shop, c.Total)
		}
	}
	if after := s.versions(t); after != before || strays > 0 {
		t.Errorf("a sync with nothing new wrote something (%d stray requests):\n%s\n%s", strays, before, after)
	}
}

// report compares two worlds and shows the first few differences.
func report(t *testing.T, want, got map[string]shown) {
	t.Helper()
	var wrong []string
	for id, w := range want {
		if g, there := got[id]; !there {
			wrong = append(wrong, "missing: "+id+" "+w.Reference)
		} else if diff := cmp.Diff(w, g); diff != "" {
			wrong = append(wrong, id+" (-shop +stored):\n"+diff)
		}
	}
	for id, g := range got {
		if _, there := want[id]; !there {
			wrong = append(wrong, "nobody's: "+id+" "+g.Reference)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		t.Errorf("%d of %d orders differ, e.g.:\n%s", len(wrong), len(want), strings.Join(wrong[:min(5, len(wrong))], "\n"))
	}
}

// TestWhatChangesInAShopArrivesAndNothingElseMoves: an order changed, one added, one confirmed late (lesson P4: days after its id was passed).
func TestWhatChangesInAShopArrivesAndNothingElseMoves(t *testing.T) {
	s := business(t)
	stores := s.openShops(t)
	s.sync(t)
	orders, err := s.sim.Orders("numidia", "ALPH")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(orders, func(o ecomanagersim.Order) bool {
		return o.Stage == ecomanagersim.Confirming || o.Stage == ecomanagersim.Preparing
	})
	if i < 0 {
		t.Skip("no order of this world waits for its confirmation")
	}
	dispatch := ecomanagersim.Dispatch
	if _, err := s.sim.ChangeOrder("numidia", orders[i].ID, ecomanagersim.Change{Stage: &dispatch}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sim.AddOrders("hodna", "SOUH", 3, ecomanagersim.Change{}); err != nil {
		t.Fatal(err)
	}
	s.sync(t)
	report(t, s.truth(t, stores), s.stored(t))
	var ready bool
	if err := s.db.QueryRow(context.Background(), `SELECT ready_at IS NOT NULL FROM orders.sales_order WHERE store_id = $1 AND upstream_id = $2`,
		stores["numidia/ALPH"], orders[i].ID).Scan(&ready); err != nil || !ready {
		t.Errorf("an order dispatched late is ready %v, %v", ready, err)
	}
}
