package ecomanagersim

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libertaphonix/libertaphonix/dev/demo"
)

// engine makes the world live. It has its own business time, which runs Speed times as fast as the clock, and a queue of what comes
// next: one move for each order that is not at its end, and one arrival for each shop. The past of a new world is made by the same
// moves, run from the beginning of history to now, so that old and new orders look alike.
type engine struct {
	settings EngineSettings
	now      time.Time // business time
	queue    moves
	current  map[moveKey]uint64 // the only valid move of an order; a change by hand replaces it
	serial   uint64
}

// move is one thing that will happen at a business time.
type move struct {
	due    time.Time
	serial uint64 // tells moves of one instant apart, and the current move of an order from a replaced one
	tenant *tenant
	shop   *shop
	order  int64 // 0 = an order arrives
	repeat bool  // an arrival is followed by the next one
	apply  func(s *Server, t *tenant, sh *shop, o *Order, r *rand.Rand, at time.Time)
}

type moveKey struct {
	tenant string
	order  int64
}

// moves is a heap by due time, then by serial.
type moves []*move

func (m moves) Len() int { return len(m) }
func (m moves) Less(i, j int) bool {
	if !m[i].due.Equal(m[j].due) {
		return m[i].due.Before(m[j].due)
	}
	return m[i].serial < m[j].serial
}
func (m moves) Swap(i, j int) { m[i], m[j] = m[j], m[i] }

// Push is container/heap's; x is a *move.
func (m *moves) Push(x any) { *m = append(*m, x.(*move)) }

// Pop is container/heap's.
func (m *moves) Pop() any {
	old := *m
	last := old[len(old)-1]
	*m = old[:len(old)-1]
	return last
}

func (e *engine) push(m *move) {
	e.serial++
	m.serial = e.serial
	if m.order != 0 {
		e.current[moveKey{m.tenant.cfg.Name, m.order}] = m.serial
	}
	heap.Push(&e.queue, m)
}

// generate makes the past: each shop's orders placed over the history, each living its life up to now. Business hours matter: few
// people order at night.
func (s *Server) generate(now time.Time) {
	begin := now.Add(-s.cfg.History)
	s.engine.now, s.bulk = begin, true
	for _, t := range s.tenants {
		for _, sh := range t.shops {
			r := rand.New(rand.NewPCG(s.cfg.Seed, hash("history", t.cfg.Name, sh.cfg.Name)))
			for range sh.cfg.Orders {
				at := begin.Add(time.Duration(r.Int64N(int64(s.cfg.History))))
				if hour := at.In(s.zone).Hour(); hour < 7 && r.IntN(6) != 0 {
					at = at.Add(8 * time.Hour)
				}
				if at.After(now) {
					at = now.Add(-time.Duration(r.Int64N(int64(s.cfg.History / 20))))
				}
				s.engine.push(&move{due: at, tenant: t, shop: sh})
			}
		}
	}
	s.run(now, func(due time.Time) time.Time { return due })
	s.settle()
}

// openShops lets orders arrive from now on.
func (s *Server) openShops() {
	for _, t := range s.tenants {
		for _, sh := range t.shops {
			s.nextArrival(t, sh)
		}
	}
}

func (s *Server) nextArrival(t *tenant, sh *shop) {
	if sh.cfg.OrdersPerDay <= 0 {
		return
	}
	gap := s.arrivals.ExpFloat64() * float64(24*time.Hour) / sh.cfg.OrdersPerDay
	s.engine.push(&move{due: s.engine.now.Add(time.Duration(gap)), tenant: t, shop: sh, repeat: true})
}

// run makes everything due up to a business time happen. stamp turns the due time of a move into the time written on the order.
func (s *Server) run(until time.Time, stamp func(due time.Time) time.Time) (happened int) {
	e := &s.engine
	for len(e.queue) > 0 && !e.queue[0].due.After(until) {
		m := heap.Pop(&e.queue).(*move)
		e.now = m.due
		at := stamp(m.due)
		if m.order == 0 {
			s.schedule(m.tenant, m.shop, s.create(m.tenant, m.shop, at))
			if m.repeat {
				s.nextArrival(m.tenant, m.shop)
			}
			happened++
			continue
		}
		k := moveKey{m.tenant.cfg.Name, m.order}
		o, known := m.tenant.orders[m.order]
		if !known || e.current[k] != m.serial {
			continue // deleted, or changed by hand since
		}
		delete(e.current, k)
		m.apply(s, m.tenant, m.shop, o, rand.New(rand.NewPCG(o.Noise, m.serial)), at)
		happened++
		if o, known = m.tenant.orders[m.order]; known {
			s.schedule(m.tenant, m.shop, o)
		}
	}
	e.now = until
	return happened
}

// Advance lets business time pass at once, for tests: a day of life in one call. Changes carry the clock's time. It answers how many
// moves happened.
func (s *Server) Advance(by time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.cfg.Clock()
	return s.run(s.engine.now.Add(by), func(time.Time) time.Time { return at })
}

// Run drives the engine from the clock until ctx ends. Without it the world stands still, except for what the control door does.
func (s *Server) Run(ctx context.Context) error {
	const beat = 200 * time.Millisecond
	tick := time.NewTicker(beat)
	defer tick.Stop()
	last := s.cfg.Clock()
	var couriers sync.WaitGroup
	defer couriers.Wait()
	couriers.Go(func() { s.deliverUntil(ctx, beat) }) // beside the engine, which a slow receiver must not stop
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			now := s.cfg.Clock()
			if e := s.Engine(); e.Running {
				s.Advance(time.Duration(float64(now.Sub(last)) * e.Speed))
			}
			last = now
		}
	}
}

// alter stores a changed copy. Some changes leave updated_at alone, as the vendor's do (quirk Q10).
func (s *Server) alter(t *tenant, sh *shop, o *Order, r *rand.Rand, at time.Time, change func(*Order)) {
	c := o.clone()
	change(c)
	if r.Float64() >= s.dirt.UntouchedUpdates {
		c.UpdatedAt = second(at)
	}
	s.put(t, sh, c)
}

// enter is the move into a stage, with what the call centre leaves behind on the way.
func enter(stage Stage) func(*Server, *tenant, *shop, *Order, *rand.Rand, time.Time) {
	return func(s *Server, t *tenant, sh *shop, o *Order, r *rand.Rand, at time.Time) {
		s.alter(t, sh, o, r, at, func(c *Order) {
			c.Stage, c.State = stage, stateWords[t.cfg.Dialect][stage].name
			switch {
			case stage == Preparing && c.ConfirmedAt.IsZero():
				c.note("Confirmé", at)
				c.ConfirmedAt = second(at)
				if r.Float64() >= s.dirt.NullConfirmator {
					id, name := demo.Confirmator(r)
					c.Confirmator = &Confirmator{ID: id, Name: name}
				}
			case stage == Cancelled && c.ConfirmedAt.IsZero():
				c.note("Annulé", at)
			}
		})
	}
}

// note adds a line to the confirmation history.
func (o *Order) note(outcome string, at time.Time) {
	o.Confirmation = outcome
	o.Outcomes = append(o.Outcomes, Outcome{State: outcome, At: second(at)})
}
