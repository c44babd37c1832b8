package ecomanagersim

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Fault is one thing that goes wrong: what, for which requests, and how often. Several may be set; of those that would answer in the
// shop's place, the first set strikes.
//
// Which requests: Tenant, Shop, Target, Cursor and Order narrow it down; what is empty does not. How often: the first After matching
// requests are spared, then Share of the next ones is struck (0 = all), until Times were (0 = until the fault is removed). So
// {Times: 3} is "the next three requests", and {Order: 9412} "the page this order stands on, while other pages work".
type Fault struct {
	ID     int       `json:"id"` // given by AddFault
	Kind   FaultKind `json:"kind"`
	Tenant string    `json:"tenant,omitempty"`
	Shop   string    `json:"shop,omitempty"`
	Target Target    `json:"target,omitempty"`
	Cursor *string   `json:"cursor,omitempty"` // listings asked for with exactly this cursor; "" = the first page
	Order  int64     `json:"order,omitempty"`  // listings whose page shows this order, and the reading of it alone

	After int     `json:"after,omitempty"`
	Share float64 `json:"share,omitempty"`
	Times int     `json:"times,omitempty"`

	Status     int      `json:"status,omitempty"`     // of STATUS and REDIRECT
	RetryAfter string   `json:"retryAfter,omitempty"` // of STATUS: the header, verbatim
	By         Duration `json:"by,omitempty"`         // of SLOW: how long; of CLOCK_OFF: how far, also backwards
	To         string   `json:"to,omitempty"`         // of REDIRECT: where to; of GARBAGE_CURSOR: the cursor to show

	Struck int `json:"struck"` // how often it did so far
	seen   int
}

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	// FaultStatus answers Status (0 = 500) instead: the vendor's JSON below 500, the front server's HTML from there on.
	FaultStatus FaultKind = "STATUS"
	// FaultRedirect answers Status (0 = 302) with Location To (empty = the login page).
	FaultRedirect FaultKind = "REDIRECT"
	// FaultHang answers nothing; the connection is held until the caller leaves.
	FaultHang FaultKind = "HANG"
	// FaultStall sends half of the answer and then nothing, until the caller leaves.
	FaultStall FaultKind = "STALL"
	// FaultSlow answers rightly, By later.
	FaultSlow FaultKind = "SLOW"
	// FaultReset sends half of the answer and resets the connection.
	FaultReset FaultKind = "RESET"
	// FaultCut sends half of the answer and closes the connection in good order.
	FaultCut FaultKind = "CUT"
	// FaultTruncate sends half of the JSON as if that were all of it.
	FaultTruncate FaultKind = "TRUNCATE"
	// FaultWrongShape answers valid JSON of another shape: data is not a list, an order not an object.
	FaultWrongShape FaultKind = "WRONG_SHAPE"
	// FaultBadRow shows one row with fields of the wrong types: Order's, or else the first.
	FaultBadRow FaultKind = "BAD_ROW"
	// FaultNoDate leaves the Date header away.
	FaultNoDate FaultKind = "NO_DATE"
	// FaultClockOff shows a Date that is By off.
	FaultClockOff FaultKind = "CLOCK_OFF"
	// FaultGarbageCursor shows a next_cursor that means nothing. Who sends it back is served the first page (lesson P1).
	FaultGarbageCursor FaultKind = "GARBAGE_CURSOR"
	// FaultSameCursor shows the cursor of this page, unless it is the first, as that of the next: a listing that turns in a circle.
	FaultSameCursor FaultKind = "SAME_CURSOR"
	// FaultIgnoreSort makes sort_by one more parameter that is ignored: the listing goes by id.
	FaultIgnoreSort FaultKind = "IGNORE_SORT"
	// FaultNoTieBreak leaves the id out of cursors by time: the rows of one second that a page's end divides are lost.
	FaultNoTieBreak FaultKind = "NO_TIE_BREAK"
)

// answers tells the faults that take the answer's place, or hold it up for ever: of these only one can strike a request.
func (k FaultKind) answers() bool {
	switch k {
	case FaultStatus, FaultRedirect, FaultHang, FaultStall, FaultReset, FaultCut, FaultTruncate, FaultWrongShape:
		return true
	case FaultSlow, FaultBadRow, FaultNoDate, FaultClockOff, FaultGarbageCursor, FaultSameCursor, FaultIgnoreSort, FaultNoTieBreak:
		return false
	}
	return false
}

func (k FaultKind) known() bool {
	return k.answers() || slices.Contains([]FaultKind{
		FaultSlow, FaultBadRow, FaultNoDate, FaultClockOff, FaultGarbageCursor, FaultSameCursor, FaultIgnoreSort, FaultNoTieBreak,
	}, k)
}

// Target is a part of the shop API.
type Target string

// The parts of the shop API; the empty target is all of it.
const (
	Listing  Target = "LISTING"  // GET /orders
	Reading  Target = "READING"  // GET /orders/{id}
	Products Target = "PRODUCTS" // GET /products
	Webhooks Target = "WEBHOOKS" // /webhooks and below
)

func targetOf(path string) Target {
	switch {
	case path == "/orders":
		return Listing
	case strings.HasPrefix(path, "/orders/"):
		return Reading
	case path == "/products":
		return Products
	case path == "/webhooks" || strings.HasPrefix(path, "/webhooks/"):
		return Webhooks
	}
	return ""
}

// Duration is a time.Duration that JSON writes as "1m30s".
type Duration time.Duration

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// AddFault sets a fault and answers it with its id.
func (s *Server) AddFault(f Fault) (Fault, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !f.Kind.known():
		return Fault{}, fmt.Errorf("%w: there is no fault %q", ErrInvalid, f.Kind)
	case !slices.Contains([]Target{"", Listing, Reading, Products, Webhooks}, f.Target):
		return Fault{}, fmt.Errorf("%w: there is no target %q", ErrInvalid, f.Target)
	case !(f.Share >= 0 && f.Share <= 1):
		return Fault{}, fmt.Errorf("%w: share is %v; it lies between 0 and 1", ErrInvalid, f.Share)
	case f.Times < 0 || f.After < 0 || f.Order < 0:
		return Fault{}, fmt.Errorf("%w: after, times and order are not negative", ErrInvalid)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return Fault{}, fmt.Errorf("%w: status is %d", ErrInvalid, f.Status)
	case f.Shop != "" && f.Tenant == "":
		return Fault{}, fmt.Errorf("%w: a shop is named together with its tenant", ErrInvalid)
	}
	if f.Tenant != "" {
		t, err := s.tenant(f.Tenant)
		if err == nil && f.Shop != "" {
			_, err = t.shop(f.Shop)
		}
		if err != nil {
			return Fault{}, err
		}
	}
	s.lastFault++
	f.ID, f.Struck, f.seen = s.lastFault, 0, 0
	kept := f
	s.faults = append(s.faults, &kept)
	return f, nil
}

// Faults lists the faults that are set, those that are used up included, in the order of their setting.
func (s *Server) Faults() []Fault {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		out = append(out, *f)
	}
	return out
}

// RemoveFault takes one fault away.
func (s *Server) RemoveFault(id int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.ID == id })
	if i < 0 {
		return fmt.Errorf("%w: %d", ErrUnknownFault, id)
	}
	s.faults = slices.Delete(s.faults, i, i+1)
	return nil
}

// ClearFaults takes all faults away.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// injectFaults is the gate that finds the faults that strike a call. What they do is done around the answer, in damage.go.
func (s *Server) injectFaults(_ http.ResponseWriter, r *http.Request, c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return true
	}
	target, query := targetOf(c.path), r.URL.Query()
	// What stands on a page depends on the switches of the listing, so those come first.
	for _, f := range s.faults {
		if (f.Kind == FaultIgnoreSort || f.Kind == FaultNoTieBreak) && f.concerns(c, target, query) && s.strikes(f) {
			c.struck = append(c.struck, f.struckNow())
		}
	}
	for _, f := range s.faults {
		if f.Kind == FaultIgnoreSort || f.Kind == FaultNoTieBreak || !f.concerns(c, target, query) || !s.showsOrder(f.Order, c, target, query) {
			continue
		}
		if f.Kind.answers() && slices.ContainsFunc(c.struck, func(f Fault) bool { return f.Kind.answers() }) {
			continue
		}
		if s.strikes(f) {
			c.struck = append(c.struck, f.struckNow())
		}
	}
	if len(c.struck) > 0 {
		c.count.Struck++
	}
	return true
}

func (f *Fault) concerns(c *call, target Target, query url.Values) bool {
	return (f.Tenant == "" || f.Tenant == c.tenant.cfg.Name) && (f.Shop == "" || f.Shop == c.shop.cfg.Name) &&
		(f.Target == "" || f.Target == target) &&
		(f.Cursor == nil || target == Listing && query.Get("cursor") == *f.Cursor)
}

// showsOrder tells whether an answer would show an order.
func (s *Server) showsOrder(id int64, c *call, target Target, query url.Values) bool {
	switch {
	case id == 0:
		return true
	case target == Reading:
		return c.path == "/orders/"+decimal(id)
	case target != Listing:
		return false
	}
	l, bad := parseListing(query, s.zone, c.struck)
	return bad == nil && slices.ContainsFunc(s.cut(c.shop, l).rows, func(o *Order) bool { return o.ID == id })
}

// strikes counts a request that a fault concerns, and decides.
func (s *Server) strikes(f *Fault) bool {
	f.seen++
	return f.seen > f.After && (f.Times == 0 || f.Struck < f.Times) && s.chance.Float64() < cmp.Or(f.Share, 1)
}

func (f *Fault) struckNow() Fault {
	f.Struck++
	return *f
}

// struckBy finds a kind among the faults that struck a call.
func struckBy(struck []Fault, kind FaultKind) (Fault, bool) {
	i := slices.IndexFunc(struck, func(f Fault) bool { return f.Kind == kind })
	if i < 0 {
		return Fault{}, false
	}
	return struck[i], true
}
