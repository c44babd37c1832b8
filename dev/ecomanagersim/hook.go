package ecomanagersim

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Hook is one registered webhook, as the truth has it.
type Hook struct {
	ID          int64     `json:"id"`
	Tenant      string    `json:"tenant"`
	Shop        string    `json:"shop"`
	Name        string    `json:"name"`
	Event       string    `json:"event"` // exactly one: five events are five hooks
	HTTPMethod  string    `json:"httpMethod"`
	DeliveryURL string    `json:"deliveryUrl"`
	Headers     []Pair    `json:"headers,omitempty"`
	Payload     []Pair    `json:"payload,omitempty"` // static fields added to each body
	Secret      string    `json:"secret"`
	Active      bool      `json:"active"`
	Source      string    `json:"source"` // URL of the account, as it was addressed at registration
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`

	Delivered int `json:"delivered"` // deliveries answered with 200 in time
	Failed    int `json:"failed"`    // attempts that were not
}

// Pair is one static header or field of a hook.
type Pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// The events of orders (ecomanager.md 1.11).
const (
	OrderCreated       = "OrderCreated"
	OrderDeleted       = "OrderDeleted"
	StatusChanged      = "OrderStatusChanged"
	ConfirmationChange = "OrderConfirmationStatusChanged"
	ShippingChange     = "OrderShippingStatusChanged"
)

func events() []string {
	return []string{OrderCreated, OrderDeleted, StatusChanged, ConfirmationChange, ShippingChange}
}

// wireHook is a hook as the shop API shows it: headers and payload turned round, the flag a number, the secret in clear (quirk Q7).
type wireHook struct {
	ID          int64               `json:"id"`
	Name        string              `json:"name"`
	Event       string              `json:"event"`
	HTTPMethod  string              `json:"http_method"`
	DeliveryURL string              `json:"delivery_url"`
	Headers     []map[string]string `json:"headers"`
	Payload     []map[string]string `json:"payload"`
	Secret      string              `json:"secret"`
	IsActive    int                 `json:"is_active"`
	CreatedAt   string              `json:"created_at"`
	UpdatedAt   string              `json:"updated_at"`
}

func (h *Hook) show(zone *time.Location) wireHook {
	turned := func(pairs []Pair) []map[string]string {
		out := make([]map[string]string, 0, len(pairs))
		for _, p := range pairs {
			out = append(out, map[string]string{p.Key: p.Value})
		}
		return out
	}
	w := wireHook{
		ID: h.ID, Name: h.Name, Event: h.Event, HTTPMethod: h.HTTPMethod, DeliveryURL: h.DeliveryURL,
		Headers: turned(h.Headers), Payload: turned(h.Payload), Secret: h.Secret,
		CreatedAt: h.CreatedAt.In(zone).Format(time.DateTime), UpdatedAt: h.UpdatedAt.In(zone).Format(time.DateTime),
	}
	if h.Active {
		w.IsActive = 1
	}
	return w
}

// hookForm is the body of a registration or an update.
type hookForm struct {
	Name        string `json:"name"`
	Event       string `json:"event"`
	HTTPMethod  string `json:"http_method"`
	DeliveryURL string `json:"delivery_url"`
	Headers     []Pair `json:"headers"`
	Payload     []Pair `json:"payload"`
	Secret      string `json:"secret"`
	IsActive    *flag  `json:"is_active"`
}

// flag is a boolean the vendor takes as true, false, 1 or 0.
type flag bool

// UnmarshalJSON reads the four.
func (f *flag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true", "1":
		*f = true
	case "false", "0":
		*f = false
	default:
		return fmt.Errorf("%s is no boolean", b)
	}
	return nil
}

const (
	maxHookHeaders = 5
	maxHookPayload = 10
)

func (s *Server) validateHook(f *hookForm) *invalid {
	bad := &invalid{}
	if f.Name == "" {
		bad.add("name", "The name field is required.")
	}
	if !slices.Contains(events(), f.Event) {
		bad.add("event", "The selected event is invalid.")
	}
	f.HTTPMethod = strings.ToLower(f.HTTPMethod)
	switch f.HTTPMethod {
	case "":
		f.HTTPMethod = "post"
	case "post", "get":
	default:
		bad.add("http_method", "The selected http method is invalid.")
	}
	if complaint := s.judgeDeliveryURL(f.DeliveryURL); complaint != "" {
		bad.add("delivery_url", complaint)
	}
	if f.Secret == "" {
		bad.add("secret", "The secret field is required.")
	}
	if len(f.Headers) > maxHookHeaders {
		bad.add("headers", "The headers field must not have more than 5 items.")
	}
	if len(f.Payload) > maxHookPayload {
		bad.add("payload", "The payload field must not have more than 10 items.")
	}
	if len(bad.fields) == 0 {
		return nil
	}
	return bad
}

// judgeDeliveryURL keeps the simulator from calling anybody but this machine and who was allowed by name. Plain http, which the vendor
// refuses, is taken for loopback, where there is no certificate.
func (s *Server) judgeDeliveryURL(text string) (complaint string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return "The delivery url field must be a valid URL."
	case !s.mayDeliver(u):
		return "The delivery url field leads to a host that this simulator may not call."
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return "The delivery url field must start with one of the following: https://."
	}
	return ""
}

func (s *Server) mayDeliver(u *url.URL) bool {
	return loopback(u.Hostname()) || slices.Contains(s.cfg.DeliveryHosts, u.Host)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Hooks lists the hooks of a shop by id.
func (s *Server) Hooks(tenant, shop string) ([]Hook, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, sh, err := s.find(tenant, shop)
	if err != nil {
		return nil, err
	}
	out := make([]Hook, 0, len(sh.hooks))
	for _, h := range sh.hooks {
		out = append(out, *h)
	}
	return out, nil
}

// findHook answers a shop's hook, or nil. The caller holds mu.
func (sh *shop) findHook(id int64) *Hook {
	i := slices.IndexFunc(sh.hooks, func(h *Hook) bool { return h.ID == id })
	if i < 0 {
		return nil
	}
	return sh.hooks[i]
}

// happened raises the events of a change: before is nil for a new order, after for a deleted one. The caller holds mu.
func (s *Server) happened(t *tenant, sh *shop, before, after *Order) {
	if len(sh.hooks) == 0 {
		return
	}
	switch {
	case before == nil:
		s.raise(t, sh, OrderCreated, after)
		return
	case after == nil:
		s.raise(t, sh, OrderDeleted, before)
		return
	}
	if before.State != after.State {
		s.raise(t, sh, StatusChanged, after)
		if carried(before.Stage) || carried(after.Stage) {
			s.raise(t, sh, ShippingChange, after)
		}
	}
	if before.Confirmation != after.Confirmation {
		s.raise(t, sh, ConfirmationChange, after)
	}
}

// carried tells the stages in which the parcel is the carrier's matter. What the vendor means by a shipping status is not known; this is
// the simulator's choice.
func carried(stage Stage) bool {
	return slices.Contains([]Stage{Delivering, Delivered, Returning, Returned}, stage)
}

func (s *Server) raise(t *tenant, sh *shop, event string, o *Order) {
	for _, h := range sh.hooks {
		if h.Active && h.Event == event {
			s.deliveries = append(s.deliveries, &delivery{
				shop: sh, hook: h.ID, body: h.body(show(o, s.dirt, t.cfg.Dialect, s.zone)), due: s.cfg.Clock(),
			})
		}
	}
}

// body is the order as a single reading shows it, and the hook's own fields.
func (h *Hook) body(o wireOrder) []byte {
	b, err := plainJSON(o)
	if err != nil {
		panic("ecomanagersim: an order cannot fail to encode: " + err.Error())
	}
	for _, p := range h.Payload {
		field, err := plainJSON(map[string]string{p.Key: p.Value})
		if err != nil {
			panic("ecomanagersim: two strings cannot fail to encode: " + err.Error())
		}
		b = append(append(b[:len(b)-1], ','), field[1:]...)
	}
	return b
}
