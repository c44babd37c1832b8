package ecomanagersim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// ShopInfo is one shop as the control door lists it.
type ShopInfo struct {
	Tenant string `json:"tenant"`
	Shop   string `json:"shop"`
	Prefix string `json:"prefix"`
	Token  string `json:"token"` // the valid one
	Path   string `json:"path"`  // below the simulator's root: what a store's base URL ends in
	Orders int    `json:"orders"`
}

// Shops lists every shop, in the order of the configuration.
func (s *Server) Shops() []ShopInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []ShopInfo
	for _, t := range s.tenants {
		for _, sh := range t.shops {
			out = append(out, ShopInfo{
				Tenant: t.cfg.Name, Shop: sh.cfg.Name, Prefix: sh.cfg.Prefix, Token: sh.cfg.Token,
				Path: "/" + t.cfg.Name + apiRoot, Orders: len(sh.ids.rows),
			})
		}
	}
	return out
}

// Token answers a shop's valid token.
func (s *Server) Token(tenant, shop string) (string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, sh, err := s.find(tenant, shop)
	if err != nil {
		return "", err
	}
	return sh.cfg.Token, nil
}

// Orders answers the truth about every order of a shop, in the order of ids.
func (s *Server) Orders(tenant, shop string) ([]Order, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, sh, err := s.find(tenant, shop)
	if err != nil {
		return nil, err
	}
	out := make([]Order, 0, len(sh.ids.rows))
	for _, o := range sh.ids.rows {
		out = append(out, *o.clone())
	}
	return out, nil
}

// Order answers the truth about one order.
func (s *Server) Order(tenant string, id int64) (Order, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, _, o, err := s.findOrder(tenant, id)
	if err != nil {
		return Order{}, err
	}
	return *o.clone(), nil
}

// AddOrders makes n new orders in a shop, now, and applies the change to each. They live on like any other while the engine runs.
func (s *Server) AddOrders(tenant, shop string, n int, change Change) ([]Order, error) {
	if n < 1 || n > 100_000 {
		return nil, fmt.Errorf("%w: %d orders at once; 1 to 100000 are possible", ErrInvalid, n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, sh, err := s.find(tenant, shop)
	if err != nil {
		return nil, err
	}
	at := s.cfg.Clock()
	out := make([]Order, 0, n)
	for range n {
		o := s.create(t, sh, at)
		if change.some() {
			c := o.clone()
			if err := change.apply(c, t.cfg.Dialect, at); err != nil {
				s.drop(t, sh, o)
				return out, err
			}
			s.put(t, sh, c)
			o = c
		}
		s.schedule(t, sh, o)
		out = append(out, *o.clone())
	}
	return out, nil
}

// ChangeOrder changes one order, now. updated_at follows unless the change says otherwise.
func (s *Server) ChangeOrder(tenant string, id int64, change Change) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, sh, o, err := s.findOrder(tenant, id)
	if err != nil {
		return Order{}, err
	}
	c := o.clone()
	if err := change.apply(c, t.cfg.Dialect, s.cfg.Clock()); err != nil {
		return Order{}, err
	}
	s.put(t, sh, c)
	s.schedule(t, sh, c)
	return *c.clone(), nil
}

// DeleteOrder makes an order vanish from the shop.
func (s *Server) DeleteOrder(tenant string, id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, sh, o, err := s.findOrder(tenant, id)
	if err != nil {
		return err
	}
	s.drop(t, sh, o)
	return nil
}

// RegenerateToken gives a shop a new token, as an admin does in the vendor's back office; the old one is answered 403 from then on.
func (s *Server) RegenerateToken(tenant, shop string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, sh, err := s.find(tenant, shop)
	if err != nil {
		return "", err
	}
	fresh := drawToken(rand.New(rand.NewPCG(s.cfg.Seed, hash(sh.cfg.Token))))
	s.replaceToken(t, sh, fresh)
	s.journal.token(t, sh)
	return fresh, nil
}

func (s *Server) replaceToken(t *tenant, sh *shop, fresh string) {
	s.tokens[sh.cfg.Token].valid = false
	sh.cfg.Token = fresh
	s.tokens[fresh] = &credential{tenant: t, shop: sh, valid: true}
}

// Requests answers how often each shop's tokens were used since the last reset, and how many requests no token claimed.
func (s *Server) Requests() (byShop []RequestCount, strays int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, n := range s.counts {
		byShop = append(byShop, *n)
	}
	slices.SortFunc(byShop, func(a, b RequestCount) int {
		return strings.Compare(a.Tenant+"/"+a.Shop, b.Tenant+"/"+b.Shop)
	})
	return byShop, s.strays
}

// ResetRequests sets all counters to zero.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.counts {
		*n = RequestCount{Tenant: n.Tenant, Shop: n.Shop}
	}
	s.strays = 0
}

// Dirt answers the dirt switches.
func (s *Server) Dirt() Dirt {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dirt
}

// SetDirt turns the dirt switches. Orders already made keep what was decided at their making.
func (s *Server) SetDirt(d Dirt) error {
	if err := d.validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirt = d
	return nil
}

// Engine answers whether the world lives, and how fast.
func (s *Server) Engine() EngineSettings {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.engine.settings
}

// SetEngine starts, stops, slows or speeds up life. Run must be running for it to matter.
func (s *Server) SetEngine(e EngineSettings) error {
	if !(e.Speed >= 0 && e.Speed <= 1e6) {
		return fmt.Errorf("%w: speed is %v; 0 to 1000000 are possible", ErrInvalid, e.Speed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine.settings = e
	return nil
}

// Change is what to make different about an order. A nil field is left alone.
type Change struct {
	Stage        *Stage     `json:"stage"`        // shown in the tenant's words
	State        *string    `json:"state"`        // the literal order_state_name, known or not
	Confirmation *string    `json:"confirmation"` // adds an outcome
	Reference    *string    `json:"reference"`
	Name         *string    `json:"name"`
	Phone        *string    `json:"phone"`
	Wilaya       *string    `json:"wilaya"`
	WilayaCode   *int       `json:"wilayaCode"` // what Wilaya means, for the truth
	Commune      *string    `json:"commune"`
	Items        *[]Item    `json:"items"` // totals follow
	Total        *int64     `json:"total"` // centimes
	CreatedAt    *time.Time `json:"createdAt"`
	UpdatedAt    *time.Time `json:"updatedAt"` // instead of now, in any year
	Untouched    bool       `json:"untouched"` // leave updated_at alone (quirk Q10)
}

func (c Change) some() bool { return c != Change{} }

func (c Change) apply(o *Order, d Dialect, at time.Time) error {
	if c.Stage != nil {
		words, err := d.Words(*c.Stage)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		o.Stage, o.State = *c.Stage, words
	}
	if c.State != nil {
		o.Stage, o.State = d.stageOf(*c.State, o.Stage), *c.State
	}
	if c.Confirmation != nil {
		o.note(*c.Confirmation, at)
	}
	if c.Phone != nil {
		o.Phone, o.PhoneE164 = *c.Phone, internationalPhone(*c.Phone)
	}
	set(&o.Reference, c.Reference)
	set(&o.Name, c.Name)
	set(&o.Wilaya, c.Wilaya)
	set(&o.WilayaCode, c.WilayaCode)
	set(&o.Commune, c.Commune)
	if c.Items != nil {
		o.Items = slices.Clone(*c.Items)
		o.reckon()
	}
	set(&o.Total, c.Total)
	if c.CreatedAt != nil {
		o.CreatedAt = second(*c.CreatedAt)
	}
	switch {
	case c.UpdatedAt != nil:
		o.UpdatedAt = second(*c.UpdatedAt)
	case !c.Untouched:
		o.UpdatedAt = second(at)
	}
	return nil
}

func set[T any](field, to *T) {
	if to != nil {
		*field = *to
	}
}

// internationalPhone answers the E.164 form of an Algerian number as people write it, or nothing. It serves the truth of orders changed
// by hand; our services have their own, stricter reading.
func internationalPhone(text string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, strings.Replace(text, "(0)", "", 1))
	for _, prefix := range []string{"00213", "213", "0"} {
		if rest, cut := strings.CutPrefix(digits, prefix); cut {
			digits = rest
			break
		}
	}
	if len(digits) != 9 || digits[0] < '5' || digits[0] > '7' {
		return ""
	}
	return "+213" + digits
}

func (s *Server) find(tenantName, shopName string) (*tenant, *shop, error) {
	t, err := s.tenant(tenantName)
	if err != nil {
		return nil, nil, err
	}
	sh, err := t.shop(shopName)
	return t, sh, err
}

func (s *Server) findOrder(tenantName string, id int64) (*tenant, *shop, *Order, error) {
	t, err := s.tenant(tenantName)
	if err != nil {
		return nil, nil, nil, err
	}
	o, known := t.orders[id]
	if !known {
		return nil, nil, nil, fmt.Errorf("%w: %s/%d", ErrUnknownOrder, tenantName, id)
	}
	sh, err := t.shop(o.Shop)
	return t, sh, o, err
}

func (s *Server) tenant(name string) (*tenant, error) {
	i := slices.IndexFunc(s.tenants, func(t *tenant) bool { return t.cfg.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: %s", ErrUnknownTenant, name)
	}
	return s.tenants[i], nil
}
