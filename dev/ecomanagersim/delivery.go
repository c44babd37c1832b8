package ecomanagersim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// delivery is one event on its way to one hook. Its body is of the moment of the event; secret and address are the hook's at each
// attempt.
type delivery struct {
	shop     *shop
	hook     int64
	body     []byte
	due      time.Time
	attempts int
	out      bool // an attempt is on its way
}

// patience is how long a receiver has to answer.
const patience = 5 * time.Second

// gaps are the times between attempts: six retries, growing fourfold, the last about a day after the first attempt (ecomanager.md 1.11).
func gaps() []time.Duration {
	return []time.Duration{
		time.Minute, 4 * time.Minute, 16 * time.Minute, 64 * time.Minute, 256 * time.Minute, 1024 * time.Minute,
	}
}

// greet sends the GET that decides whether a hook becomes active.
func (s *Server) greet(ctx context.Context, address string) bool {
	return s.send(ctx, http.MethodGet, address, nil, nil)
}

// send makes one request to a receiver and tells whether it answered 200 in time.
func (s *Server) send(ctx context.Context, method, address string, body []byte, header http.Header) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil || !s.mayDeliver(r.URL) {
		return false
	}
	if header != nil {
		r.Header = header
	}
	resp, err := s.courier.Do(r)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // the vendor reads the status alone
	return resp.StatusCode == http.StatusOK
}

// newCourier makes the client of deliveries: no redirects, no proxy, and names that are meant to be this machine lead to it only.
func newCourier() *http.Client {
	dialer := &net.Dialer{Timeout: patience}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				host, _, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				conn, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				if to, ok := conn.RemoteAddr().(*net.TCPAddr); loopback(host) && (!ok || !to.IP.IsLoopback()) {
					return nil, errors.Join(errors.New("the name of this machine leads elsewhere"), conn.Close())
				}
				return conn, nil
			},
		},
	}
}

// Deliver makes every attempt that is due by the clock and answers how many there were. Within one call, deliveries of one hook go out
// in the order of events and hooks do not wait for each other. Run calls it all the time; tests call it themselves after moving the clock.
func (s *Server) Deliver(ctx context.Context) int {
	type parcel struct {
		*delivery
		hook Hook
	}
	s.mu.Lock()
	now := s.cfg.Clock()
	var attempts int
	lanes := map[int64][]parcel{}
	s.deliveries = slices.DeleteFunc(s.deliveries, func(d *delivery) bool {
		h := d.shop.findHook(d.hook)
		if h == nil || !h.Active {
			return !d.out // nobody waits for it any more
		}
		if !d.out && !d.due.After(now) {
			d.out = true
			lanes[h.ID] = append(lanes[h.ID], parcel{d, *h})
			attempts++
		}
		return false
	})
	s.mu.Unlock()

	var wg sync.WaitGroup
	for _, lane := range lanes {
		wg.Go(func() {
			for _, p := range lane {
				s.settleDelivery(p.delivery, s.attempt(ctx, p.hook, p.body), ctx.Err() != nil)
			}
		})
	}
	wg.Wait()
	return attempts
}

// deliverUntil delivers what is due, beat after beat, until ctx ends.
func (s *Server) deliverUntil(ctx context.Context, beat time.Duration) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			calls.Go(func() { s.Deliver(ctx) }) // a receiver that lets one call wait does not hold up the next
		}
	}
}

// attempt sends one delivery as the vendor does.
func (s *Server) attempt(ctx context.Context, h Hook, body []byte) bool {
	header := http.Header{}
	for _, p := range h.Headers {
		header.Set(p.Key, p.Value)
	}
	mac := hmac.New(sha256.New, []byte(h.Secret))
	mac.Write(body)
	header.Set("Content-Type", "application/json")
	header.Set("X-Ecomanager-Signature", hex.EncodeToString(mac.Sum(nil)))
	header.Set("X-Ecomanager-Source", h.Source)
	header.Set("X-Ecomanager-Event", h.Event)
	header.Set("X-Ecomanager-Webhook-ID", decimal(h.ID))
	return s.send(ctx, strings.ToUpper(h.HTTPMethod), h.DeliveryURL, body, header)
}

// settleDelivery notes how an attempt ended: done, once more later, or given up, which disables the hook.
func (s *Server) settleDelivery(d *delivery, good, stopped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.out = false
	if stopped && !good {
		return // the simulator stops; the attempt does not count
	}
	done := func() {
		s.deliveries = slices.DeleteFunc(s.deliveries, func(other *delivery) bool { return other == d })
	}
	h := d.shop.findHook(d.hook)
	switch {
	case h == nil:
		done()
		return
	case good:
		h.Delivered++
		done()
		return
	}
	h.Failed++
	if d.attempts++; d.attempts > len(gaps()) {
		done()
		h.Active = false // the vendor tells by e-mail alone
		s.journal.hook(h)
		return
	}
	speed := s.hookSpeed
	if speed == 0 {
		speed = 1
	}
	d.due = s.cfg.Clock().Add(time.Duration(float64(gaps()[d.attempts-1]) / speed))
}

// PendingDeliveries answers how many deliveries wait for their first or next attempt.
func (s *Server) PendingDeliveries() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.deliveries)
}

// HookSpeed answers how fast the gaps between attempts pass by the clock.
func (s *Server) HookSpeed() float64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.hookSpeed
}

func validSpeed(speed float64) error {
	if !(speed >= 0 && speed <= 1e6) {
		return fmt.Errorf("%w: the webhooks' speed is %v; 0 to 1000000 are possible", ErrInvalid, speed)
	}
	return nil
}

// SetHookSpeed makes the gaps between attempts pass so much faster than the clock: 1440 makes a day a minute, 0 is 1.
func (s *Server) SetHookSpeed(speed float64) error {
	if err := validSpeed(speed); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hookSpeed = speed
	return nil
}
