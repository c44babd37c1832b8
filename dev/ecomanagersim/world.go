package ecomanagersim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libertaphonix/libertaphonix/dev/demo"
)

// The errors of the control door.
var (
	ErrUnknownTenant = errors.New("there is no such tenant")
	ErrUnknownShop   = errors.New("the tenant has no such shop")
	ErrUnknownOrder  = errors.New("the tenant has no such order")
	ErrUnknownFault  = errors.New("there is no such fault")
	ErrInvalid       = errors.New("the request cannot be carried out")
)

// tenant is one account: one id sequence over all its shops.
type tenant struct {
	cfg       TenantConfig
	shops     []*shop
	orders    map[int64]*Order
	lastID    int64
	lastLine  int64
	customers []demo.Person
}

type shop struct {
	cfg     ShopConfig
	ids     index
	updated index
	lastRef string
	hooks   []*Hook // by id
}

func newTenant(cfg TenantConfig) *tenant {
	t := &tenant{cfg: cfg, orders: map[int64]*Order{}, lastID: cfg.FirstID - 1, lastLine: cfg.FirstID * 3}
	for _, sc := range cfg.Shops {
		t.shops = append(t.shops, &shop{cfg: sc, ids: index{by: byID}, updated: index{by: byUpdated}})
	}
	return t
}

func (t *tenant) shop(name string) (*shop, error) {
	i := slices.IndexFunc(t.shops, func(s *shop) bool { return s.cfg.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: %s/%s", ErrUnknownShop, t.cfg.Name, name)
	}
	return t.shops[i], nil
}

// put stores an order in place of the one with its id, if any.
func (s *Server) put(t *tenant, sh *shop, o *Order) {
	before, known := t.orders[o.ID]
	if known && !s.bulk {
		sh.ids.remove(before)
		sh.updated.remove(before)
	}
	t.orders[o.ID] = o
	t.lastID = max(t.lastID, o.ID)
	for _, it := range o.Items {
		t.lastLine = max(t.lastLine, it.ID)
	}
	sh.lastRef = o.Reference
	if s.bulk {
		return
	}
	sh.ids.insert(o)
	sh.updated.insert(o)
	s.journal.order(o)
	s.happened(t, sh, before, o)
}

// drop removes an order: it vanishes from listings without a trace (quirk Q9).
func (s *Server) drop(t *tenant, sh *shop, o *Order) {
	delete(t.orders, o.ID)
	sh.ids.remove(o)
	sh.updated.remove(o)
	s.journal.deletion(o)
	s.happened(t, sh, o, nil)
}

// settle builds the indexes after a bulk load: sorting once is what makes 100,000 orders a matter of a second.
func (s *Server) settle() {
	s.bulk = false
	for _, t := range s.tenants {
		rows := map[string][]*Order{}
		for _, o := range t.orders {
			rows[o.Shop] = append(rows[o.Shop], o)
		}
		for _, sh := range t.shops {
			sh.ids.rebuild(rows[sh.cfg.Name])
			sh.updated.rebuild(rows[sh.cfg.Name])
		}
	}
}

// sources are the shop platforms that orders come from.
var sources = [...]string{"woocommerce", "shopify", "youcan", "facebook", "landing-page"}

// create makes a new order in 'En confirmation' at an instant. Everything about it is drawn from the seed and its id.
func (s *Server) create(t *tenant, sh *shop, at time.Time) *Order {
	id := t.lastID + 1 + int64(mix(s.cfg.Seed^uint64(t.lastID))%3)           // the sequence serves the vendor's other records too, so it has holes
	r := rand.New(rand.NewPCG(s.cfg.Seed^hash(t.cfg.Name), mix(uint64(id)))) // mixed: neighbouring seeds draw alike
	d := s.dirt

	var who demo.Person
	if n := len(t.customers); n > 20 && r.IntN(4) == 0 {
		who = t.customers[r.IntN(n)]
	} else {
		who = demo.NewPerson(r, d.ArabicNames)
		t.customers = append(t.customers, who)
	}
	word := stateWords[t.cfg.Dialect][Confirming]
	o := &Order{
		Tenant: t.cfg.Name, Shop: sh.cfg.Name, ID: id, Reference: sh.cfg.Prefix + decimal(id),
		Name: who.Name, Phone: "0" + who.Phone[len("+213"):], PhoneE164: who.Phone,
		Wilaya: who.Wilaya.French, WilayaCode: who.Wilaya.Code, Commune: who.Commune,
		Stage: Confirming, State: word.name,
		Shipping:  int64(400+50*r.IntN(11)) * 100,
		Source:    sources[r.IntN(len(sources))],
		CreatedAt: second(at), UpdatedAt: second(at),
		Noise: r.Uint64(),
	}
	if r.Float64() < d.PhoneSpellings {
		o.Phone = demo.SpellPhone(r, who.Phone)
	}
	if r.Float64() < d.BrokenPhones {
		o.Phone, o.PhoneE164 = demo.BrokenPhone(r), ""
	}
	if r.Float64() < d.WilayaSpellings {
		o.Wilaya = who.Wilaya.Spell(r)
	}
	if r.Float64() >= d.EmptyItems {
		o.Items = s.basket(t, sh, r)
	}
	o.reckon()
	if r.Float64() < d.DuplicateReferences {
		for _, other := range t.shops {
			if other != sh && other.lastRef != "" {
				o.Reference = other.lastRef
			}
		}
	}
	s.put(t, sh, o)
	return o
}

// basket draws one to three lines: a single product for most, as cash-on-delivery shops sell.
func (s *Server) basket(t *tenant, sh *shop, r *rand.Rand) []Item {
	lines := 1
	if r.IntN(4) == 0 {
		lines += 1 + r.IntN(2)
	}
	items := make([]Item, 0, lines)
	for _, i := range r.Perm(len(sh.cfg.Products))[:min(lines, len(sh.cfg.Products))] {
		p := sh.cfg.Products[i]
		quantity := int64(1)
		if r.IntN(3) == 0 {
			quantity += int64(r.IntN(3))
		}
		t.lastLine++
		items = append(items, Item{ID: t.lastLine, ProductID: p.ID, SKU: p.SKU, Title: p.Title, Quantity: quantity, Price: p.Price})
	}
	return items
}
