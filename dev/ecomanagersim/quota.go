package ecomanagersim

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Quota are the request limits of the shop API, counted for each token by itself (ecomanager.md 1.10). They are those of the vendor's
// framework: a window opens with its first request and closes its length later, whatever came in between, and a request that is refused
// counts in none.
//
// A zero number is the vendor's own: 5 a second, 50 a minute, 1000 an hour, 10,000 a day.
type Quota struct {
	On        bool `json:"on"`
	PerSecond int  `json:"perSecond"`
	PerMinute int  `json:"perMinute"`
	PerHour   int  `json:"perHour"`
	PerDay    int  `json:"perDay"`

	// Speed is how fast the windows pass, by Config.Clock: 60 makes an hour's window last a minute. 0 = 1. Retry-After tells the time the
	// caller really has to wait.
	Speed float64 `json:"speed"`

	WithoutRetryAfter bool `json:"withoutRetryAfter"` // a 429 names no time to wait
	WithoutHeaders    bool `json:"withoutHeaders"`    // no X-RateLimit-* header
}

// Window names one of the four windows.
type Window string

// The windows, shortest first.
const (
	Second Window = "SECOND"
	Minute Window = "MINUTE"
	Hour   Window = "HOUR"
	Day    Window = "DAY"
)

// limit is one window of a Quota.
type limit struct {
	window Window
	length time.Duration
	number int
}

func (q Quota) limits() [4]limit {
	or := func(number, otherwise int) int {
		if number == 0 {
			return otherwise
		}
		return number
	}
	return [4]limit{
		{Second, time.Second, or(q.PerSecond, 5)},
		{Minute, time.Minute, or(q.PerMinute, 50)},
		{Hour, time.Hour, or(q.PerHour, 1000)},
		{Day, day, or(q.PerDay, 10_000)},
	}
}

func (q Quota) speed() float64 {
	if q.Speed == 0 {
		return 1
	}
	return q.Speed
}

func (q Quota) validate() error {
	if !(q.Speed >= 0 && q.Speed <= 1e6) {
		return fmt.Errorf("%w: the quota's speed is %v; 0 to 1000000 are possible", ErrInvalid, q.Speed)
	}
	for _, l := range q.limits() {
		if l.number < 0 {
			return fmt.Errorf("%w: %d requests a %s", ErrInvalid, l.number, l.window)
		}
	}
	return nil
}

// spent is what one token used of each window, in the order of Quota.limits.
type spent [4]struct {
	opened time.Time
	used   int
}

// take counts one request in every window, or in none when one is full. It answers how long the caller has to wait then, and the window
// that is nearest to its end either way.
func (u *spent) take(q Quota, now time.Time) (wait time.Duration, tight limit, left int) {
	left = math.MaxInt
	limits := q.limits()
	for i, l := range limits {
		w := &u[i]
		length := time.Duration(float64(l.length) / q.speed())
		if age := now.Sub(w.opened); age < 0 || age >= length {
			w.opened, w.used = now, 0
		}
		if w.used >= l.number {
			if rest := length - now.Sub(w.opened); rest > wait {
				wait, tight, left = rest, l, 0
			}
		} else if rest := l.number - w.used - 1; wait == 0 && rest < left {
			tight, left = l, rest
		}
	}
	if wait == 0 {
		for i := range u {
			u[i].used++
		}
	}
	return wait, tight, left
}

// quotaOf answers the limits of a shop: its own, or everybody's. The caller holds mu.
func (s *Server) quotaOf(tenant, shop string) Quota {
	if q, own := s.shopQuotas[tenant+"/"+shop]; own {
		return q
	}
	return s.quota
}

// Quota answers the limits of a shop.
func (s *Server) Quota(tenant, shop string) (Quota, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, _, err := s.find(tenant, shop); err != nil {
		return Quota{}, err
	}
	return s.quotaOf(tenant, shop), nil
}

// SetQuota sets the limits of every shop, also of those that had their own, and opens all windows anew.
func (s *Server) SetQuota(q Quota) error {
	if err := q.validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quota = q
	clear(s.shopQuotas)
	clear(s.spent)
	return nil
}

// SetShopQuota sets the limits of one shop and opens its windows anew.
func (s *Server) SetShopQuota(tenant, shop string, q Quota) error {
	if err := q.validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, sh, err := s.find(tenant, shop)
	if err != nil {
		return err
	}
	s.shopQuotas[tenant+"/"+shop] = q
	delete(s.spent, sh.cfg.Token)
	return nil
}

// SpendQuota uses up one window of a shop's token, now, as another client of the same token would. It needs the quota to be on.
func (s *Server) SpendQuota(tenant, shop string, window Window) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, sh, err := s.find(tenant, shop)
	if err != nil {
		return err
	}
	q := s.quotaOf(tenant, shop)
	if !q.On {
		return fmt.Errorf("%w: the quota of %s/%s is off", ErrInvalid, tenant, shop)
	}
	for i, l := range q.limits() {
		if l.window == window {
			u := s.spentBy(sh.cfg.Token)
			u[i].opened, u[i].used = s.cfg.Clock(), l.number
			return nil
		}
	}
	return fmt.Errorf("%w: there is no window %q", ErrInvalid, window)
}

func (s *Server) spentBy(token string) *spent {
	u := s.spent[token]
	if u == nil {
		u = &spent{}
		s.spent[token] = u
	}
	return u
}

// limitRate is the gate of the quota.
func (s *Server) limitRate(w http.ResponseWriter, _ *http.Request, c *call) bool {
	s.mu.Lock()
	q := s.quotaOf(c.tenant.cfg.Name, c.shop.cfg.Name)
	if !q.On {
		s.mu.Unlock()
		return true
	}
	now := s.cfg.Clock()
	wait, tight, left := s.spentBy(c.token).take(q, now)
	if wait > 0 {
		c.count.Limited++
	}
	s.mu.Unlock()
	if !q.WithoutHeaders {
		w.Header().Set("X-RateLimit-Limit", strconv.Itoa(tight.number))
		w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(left))
	}
	if wait == 0 {
		return true
	}
	// Rounded up: a caller that comes back after exactly so many seconds is let in.
	seconds := int64(math.Ceil(wait.Seconds()))
	if !q.WithoutRetryAfter {
		w.Header().Set("Retry-After", decimal(seconds))
		if !q.WithoutHeaders {
			w.Header().Set("X-RateLimit-Reset", decimal(now.Unix()+seconds))
		}
	}
	complain(w, http.StatusTooManyRequests, "Too Many Attempts.")
	return false
}
