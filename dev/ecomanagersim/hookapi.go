package ecomanagersim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/libertaphonix/libertaphonix/dev/demo"
)

// serveHooks answers everything below /webhooks.
func (s *Server) serveHooks(w http.ResponseWriter, r *http.Request, c *call) {
	text, status := strings.CutSuffix(strings.TrimPrefix(strings.TrimPrefix(c.path, "/webhooks"), "/"), "/status")
	if text == "" && !status {
		switch r.Method {
		case http.MethodPost:
			s.createHook(w, r, c)
		case http.MethodGet, http.MethodHead:
			s.listHooks(w, r, c)
		default:
			wrongMethod(w, r, c, "GET, HEAD, POST")
		}
		return
	}
	id, err := strconv.ParseInt(text, 10, 64)
	s.mu.RLock()
	h := c.shop.findHook(id)
	var found Hook
	if h != nil {
		found = *h
	}
	s.mu.RUnlock()
	if err != nil || h == nil {
		complain(w, http.StatusNotFound, "No query results for model [App\\Models\\Webhook] "+text)
		return
	}
	switch {
	case status && r.Method == http.MethodPut:
		s.switchHook(w, r, c, found)
	case status:
		wrongMethod(w, r, c, "PUT")
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		answer(w, http.StatusOK, found.show(s.zone))
	case r.Method == http.MethodPut:
		s.updateHook(w, r, c, found)
	case r.Method == http.MethodDelete:
		s.deleteHook(w, c, found)
	default:
		wrongMethod(w, r, c, "GET, HEAD, PUT, DELETE")
	}
}

func (s *Server) createHook(w http.ResponseWriter, r *http.Request, c *call) {
	form, ok := s.readHook(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	s.lastHook++
	h := Hook{
		ID: s.lastHook, Tenant: c.tenant.cfg.Name, Shop: c.shop.cfg.Name,
		Source: strings.TrimSuffix(c.root, apiRoot), CreatedAt: second(s.cfg.Clock()),
	}
	s.mu.Unlock()
	form.fill(&h)
	answer(w, http.StatusCreated, s.keepHook(r, c, h, form.IsActive == nil || bool(*form.IsActive)).show(s.zone))
}

func (s *Server) updateHook(w http.ResponseWriter, r *http.Request, c *call, h Hook) {
	form, ok := s.readHook(w, r)
	if !ok {
		return
	}
	form.fill(&h)
	active := h.Active
	if form.IsActive != nil {
		active = bool(*form.IsActive)
	}
	answer(w, http.StatusOK, s.keepHook(r, c, h, active).show(s.zone))
}

func (s *Server) switchHook(w http.ResponseWriter, r *http.Request, c *call, h Hook) {
	var body struct {
		Status *flag `json:"status"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body); err != nil || body.Status == nil {
		bad := &invalid{}
		bad.add("status", "The status field must be true or false.")
		bad.answer(w)
		return
	}
	answer(w, http.StatusOK, s.keepHook(r, c, h, bool(*body.Status)).show(s.zone))
}

// keepHook stores a hook. One that is to be active must first answer a GET at its address; if it does not, it is kept inactive.
func (s *Server) keepHook(r *http.Request, c *call, h Hook, active bool) *Hook {
	h.Active = active && s.greet(r.Context(), h.DeliveryURL)
	s.mu.Lock()
	defer s.mu.Unlock()
	h.UpdatedAt = second(s.cfg.Clock())
	kept := h
	if i := slices.IndexFunc(c.shop.hooks, func(other *Hook) bool { return other.ID == h.ID }); i >= 0 {
		kept.Delivered, kept.Failed = c.shop.hooks[i].Delivered, c.shop.hooks[i].Failed // deliveries went on meanwhile
		c.shop.hooks[i] = &kept
	} else {
		c.shop.hooks = append(c.shop.hooks, &kept)
	}
	s.journal.hook(&kept)
	return &h
}

// deleteHook answers 201, as the vendor does (quirk Q7).
func (s *Server) deleteHook(w http.ResponseWriter, c *call, h Hook) {
	s.mu.Lock()
	c.shop.hooks = slices.DeleteFunc(c.shop.hooks, func(other *Hook) bool { return other.ID == h.ID })
	s.journal.hookGone(&h)
	s.mu.Unlock()
	answer(w, http.StatusCreated, struct {
		Success string `json:"success"`
	}{"Webhook deleted successfully."})
}

// readHook reads and judges the body of a registration.
func (s *Server) readHook(w http.ResponseWriter, r *http.Request) (hookForm, bool) {
	var form hookForm
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&form); err != nil {
		bad := &invalid{}
		bad.add("body", "The body is not the JSON of a webhook.")
		bad.answer(w)
		return form, false
	}
	if bad := s.validateHook(&form); bad != nil {
		bad.answer(w)
		return form, false
	}
	return form, true
}

func (f hookForm) fill(h *Hook) {
	h.Name, h.Event, h.HTTPMethod, h.DeliveryURL, h.Secret = f.Name, f.Event, f.HTTPMethod, f.DeliveryURL, f.Secret
	h.Headers, h.Payload = f.Headers, f.Payload
}

// listHooks pages through the hooks; ids=1,2 picks some.
func (s *Server) listHooks(w http.ResponseWriter, r *http.Request, c *call) {
	s.mu.RLock()
	hooks := make([]wireHook, 0, len(c.shop.hooks))
	wanted := r.URL.Query().Get("ids")
	for _, h := range c.shop.hooks {
		if wanted == "" || slices.Contains(strings.Split(wanted, ","), decimal(h.ID)) {
			hooks = append(hooks, h.show(s.zone))
		}
	}
	s.mu.RUnlock()
	listRows(s, w, r, c, hooks, func(h wireHook) int64 { return h.ID })
}

// wireProduct is a product of the catalogue. Only its use is known, not its fields; these are the simulator's choice.
type wireProduct struct {
	ID    int64            `json:"id"`
	SKU   optional[string] `json:"sku"`
	Title string           `json:"title"`
	Price looseNumber      `json:"selling_price"`
}

// listProducts pages through the shop's catalogue.
func (s *Server) listProducts(w http.ResponseWriter, r *http.Request, c *call) {
	products := slices.SortedFunc(slices.Values(c.shop.cfg.Products), func(a, b demo.Product) int { return int(a.ID - b.ID) })
	rows := make([]wireProduct, 0, len(products))
	for _, p := range products {
		rows = append(rows, wireProduct{
			ID: p.ID, SKU: filled(p.SKU), Title: p.Title, Price: looseNumber{hundredths: p.Price, quoted: true, places: 2},
		})
	}
	listRows(s, w, r, c, rows, func(p wireProduct) int64 { return p.ID })
}

// listRows answers a page of rows that ascend by id, through the same paginator as orders.
func listRows[T any](s *Server, w http.ResponseWriter, r *http.Request, c *call, rows []T, id func(T) int64) {
	q := r.URL.Query()
	q.Del("sort_by") // there is one order only
	l, bad := parseListing(q, s.zone, c.struck)
	if bad != nil {
		bad.answer(w)
		return
	}
	byNumber, places := map[int64]T{}, index{by: byID}
	for _, row := range rows {
		byNumber[id(row)] = row
		places.insert(&Order{ID: id(row)})
	}
	p := paginate(&places, l)
	out := make([]T, 0, len(p.rows))
	for _, place := range p.rows {
		out = append(out, byNumber[place.ID])
	}
	answer(w, http.StatusOK, envelop(p, l, c.root+c.path, r.URL.Query(), out, s.zone))
}

func wrongMethod(w http.ResponseWriter, r *http.Request, c *call, allowed string) {
	w.Header().Set("Allow", allowed)
	complain(w, http.StatusMethodNotAllowed, fmt.Sprintf("The %s method is not supported for route %s. Supported methods: %s.",
		r.Method, strings.TrimPrefix(apiRoot+c.path, "/"), allowed))
}
