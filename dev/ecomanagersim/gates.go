package ecomanagersim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request to the shop API on its way through the gates.
type call struct {
	tenant *tenant
	shop   *shop
	root   string // absolute URL of the API root as the caller addressed it
	path   string // below the API root: "/orders"
	token  string
	count  *RequestCount
	struck []Fault // that strike it, in the order of their setting
}

// gate lets a call through or answers it. Gates run in the order of the list; a gate may fill the call for those behind it.
type gate struct {
	name string
	pass func(s *Server, w http.ResponseWriter, r *http.Request, c *call) bool
}

// gates is what stands before the shop API, outermost first. As at the vendor, a request counts in its quota before anything can go wrong with it.
var gates = []gate{
	{"tenant", (*Server).findTenant},
	{"json", (*Server).wantJSON},
	{"token", (*Server).authenticate},
	{"quota", (*Server).limitRate},
	{"faults", (*Server).injectFaults},
	{"method", (*Server).allowMethod},
}

const apiRoot = "/api/shop/v2"

func (s *Server) serveShopAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.cfg.Clock().UTC().Format(http.TimeFormat))
	w.Header().Set("Server", "nginx")
	w.Header().Set("api-version", "2")
	c := &call{}
	for _, g := range gates {
		if !g.pass(s, w, r, c) {
			return
		}
	}
	if len(c.struck) > 0 {
		s.serveDamaged(w, r, c)
		return
	}
	s.serveRoute(w, r, c)
}

// serveRoute answers a call that passed the gates.
func (s *Server) serveRoute(w http.ResponseWriter, r *http.Request, c *call) {
	switch id, one := strings.CutPrefix(c.path, "/orders/"); {
	case c.path == "/orders":
		s.listOrders(w, r, c)
	case one:
		s.oneOrder(w, c, id)
	case c.path == "/products":
		s.listProducts(w, r, c)
	case targetOf(c.path) == Webhooks:
		s.serveHooks(w, r, c)
	default:
		complain(w, http.StatusNotFound, fmt.Sprintf("The route %s could not be found.", strings.TrimPrefix(apiRoot+c.path, "/")))
	}
}

// findTenant takes the tenant from the path, /{tenant}/api/shop/v2/…, or else from the first label of the host.
func (s *Server) findTenant(w http.ResponseWriter, r *http.Request, c *call) bool {
	prefix, path, found := strings.Cut(r.URL.Path, apiRoot)
	if found && (path == "" || path[0] == '/') && strings.Count(prefix, "/") <= 1 {
		name := strings.TrimPrefix(prefix, "/")
		if name == "" {
			name, _, _ = strings.Cut(r.Host, ".")
		}
		if i := slices.IndexFunc(s.tenants, func(t *tenant) bool { return t.cfg.Name == name }); i >= 0 {
			c.tenant, c.path = s.tenants[i], path
			c.root = "http://" + r.Host + prefix + apiRoot
			return true
		}
	}
	htmlPage(w, http.StatusNotFound, "Not Found")
	return false
}

// wantJSON does what the vendor's framework does to a caller that did not ask for JSON: it sends a browser to the login page.
func (s *Server) wantJSON(w http.ResponseWriter, r *http.Request, c *call) bool {
	first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	if strings.Contains(first, "/json") || strings.Contains(first, "+json") {
		return true
	}
	w.Header().Set("Location", strings.TrimSuffix(c.root, apiRoot)+"/login")
	htmlPage(w, http.StatusFound, "Redirecting")
	return false
}

// authenticate finds the shop of the token: the token alone decides whose orders are answered.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request, c *call) bool {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	c.token = strings.TrimSpace(token)
	cred := s.tokens[c.token]
	if !bearer || cred == nil || cred.tenant != c.tenant {
		s.strays++
		s.mu.Unlock()
		complain(w, http.StatusUnauthorized, "Unauthenticated.")
		return false
	}
	valid := cred.valid
	c.shop, c.count = cred.shop, s.counts[cred.tenant.cfg.Name+"/"+cred.shop.cfg.Name]
	c.count.Total++
	if !valid {
		c.count.Refused++
	}
	s.mu.Unlock()
	if !valid {
		complain(w, http.StatusForbidden, "This token has expired or has been regenerated.")
	}
	return valid
}

func (s *Server) allowMethod(w http.ResponseWriter, r *http.Request, c *call) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || targetOf(c.path) == Webhooks {
		return true // what may be done to webhooks is told in hookapi.go
	}
	wrongMethod(w, r, c, "GET, HEAD")
	return false
}

func (s *Server) listOrders(w http.ResponseWriter, r *http.Request, c *call) {
	q := r.URL.Query()
	l, bad := parseListing(q, s.zone, c.struck)
	if bad != nil {
		bad.answer(w)
		return
	}
	s.mu.Lock()
	p := s.cut(c.shop, l)
	dirt := s.dirt
	c.count.Lists++
	c.count.Rows += len(p.rows)
	s.mu.Unlock()

	rows := make([]row, 0, len(p.rows))
	for i, o := range p.rows {
		rows = append(rows, row{show(o, dirt, c.tenant.cfg.Dialect, s.zone), breaks(c.struck, o.ID, i)})
	}
	answer(w, http.StatusOK, envelop(p, l, c.root+"/orders", q, rows, s.zone))
}

func (s *Server) oneOrder(w http.ResponseWriter, c *call, text string) {
	id, err := strconv.ParseInt(text, 10, 64)
	s.mu.Lock()
	c.count.Reads++
	o, known := c.tenant.orders[id]
	dirt := s.dirt
	s.mu.Unlock()
	if err != nil || !known || o.Shop != c.shop.cfg.Name {
		complain(w, http.StatusNotFound, fmt.Sprintf(`No query results for model [App\Models\Order] %s`, text))
		return
	}
	answer(w, http.StatusOK, row{show(o, dirt, c.tenant.cfg.Dialect, s.zone), breaks(c.struck, o.ID, 0)})
}

// RequestCount is what one shop's tokens asked for since the last reset.
type RequestCount struct {
	Tenant  string `json:"tenant"`
	Shop    string `json:"shop"`
	Total   int    `json:"total"`   // every request with one of the shop's tokens, refused ones included
	Lists   int    `json:"lists"`   // pages answered
	Reads   int    `json:"reads"`   // single orders asked for
	Rows    int    `json:"rows"`    // orders on those pages
	Refused int    `json:"refused"` // with a token that is no longer valid
	Limited int    `json:"limited"` // beyond the quota
	Struck  int    `json:"struck"`  // by a fault, of whatever kind
}

// answer writes a JSON body. The vendor's clients meet no other content type except where the vendor's front server answers.
func answer[T any](w http.ResponseWriter, status int, body T) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the caller went away; there is nobody left to tell
}

func complain(w http.ResponseWriter, status int, message string) {
	answer(w, status, struct {
		Message string `json:"message"`
	}{message})
}

// htmlPage answers as a web site would: HTML where the client hoped for JSON.
func htmlPage(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!DOCTYPE html>\n<html lang=\"fr\"><head><title>%s</title></head><body><h1>%s</h1></body></html>\n", title, title)
}

// Clock answers the simulator's idea of now.
func (s *Server) Clock() time.Time { return s.cfg.Clock() }
