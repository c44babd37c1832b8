package ecomanagersim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/libertaphonix/libertaphonix/dev/demo"
)

// fate is one possible next move of an order in some stage: how likely, after how long, and what it does.
type fate struct {
	percent       int
	after, within time.Duration
	apply         func(s *Server, t *tenant, sh *shop, o *Order, r *rand.Rand, at time.Time)
}

const day = 24 * time.Hour

// fates answers what may become of an order. The percentages of a stage that do not reach 100 leave the rest where it is for ever.
// The rare lines are the ones that broke the predecessor: dispatch days after the id was passed (lesson P4), a cancellation taken back,
// a delivery corrected, an order that vanishes.
func (s *Server) fates(o *Order) []fate {
	switch o.Stage {
	case Confirming:
		if len(o.Outcomes) >= 3 {
			return []fate{{60, 2 * time.Hour, 12 * time.Hour, enter(Cancelled)}, {40, time.Hour, 20 * time.Hour, enter(Preparing)}}
		}
		return []fate{
			{64, 10 * time.Minute, 6 * time.Hour, enter(Preparing)},
			{22, 20 * time.Minute, 5 * time.Hour, (*Server).missed},
			{8, 30 * time.Minute, day, enter(Cancelled)},
			{4, 5 * day, 12 * day, enter(Preparing)},
			{2, time.Hour, 8 * time.Hour, (*Server).edit},
		}
	case Preparing:
		return []fate{
			{91, 30 * time.Minute, 8 * time.Hour, enter(Dispatch)},
			{4, 4 * day, 10 * day, enter(Dispatch)},
			{3, time.Hour, day, enter(Cancelled)},
			{2, time.Hour, 6 * time.Hour, (*Server).edit},
		}
	case Dispatch:
		return []fate{
			{88, 6 * time.Hour, 40 * time.Hour, enter(Delivering)},
			{7, time.Hour, 12 * time.Hour, (*Server).edit},
			{5, 4 * time.Hour, 2 * day, enter(Cancelled)},
		}
	case Delivering:
		return []fate{
			{69, day, 4 * day, enter(Delivered)},
			{27, 3 * day, 8 * day, enter(Returning)},
			{4, 4 * time.Hour, day, (*Server).edit},
		}
	case Delivered:
		return []fate{{98, 2 * day, 7 * day, enter(Collected)}, {1, 2 * time.Hour, day, enter(Delivering)}}
	case Returning:
		return []fate{{100, 2 * day, 6 * day, enter(Returned)}}
	case Cancelled:
		return []fate{{4, 2 * time.Hour, 2 * day, enter(Preparing)}, {1, day, 3 * day, (*Server).vanish}}
	default:
		return nil
	}
}

// schedule draws an order's next move.
func (s *Server) schedule(t *tenant, sh *shop, o *Order) {
	r := rand.New(rand.NewPCG(o.Noise, ^s.engine.serial)) // the serial, so that an order coming back to a stage draws anew
	n := r.IntN(100)
	for _, f := range s.fates(o) {
		if n -= f.percent; n < 0 {
			delay := f.after + time.Duration(r.Int64N(int64(f.within-f.after)))
			s.engine.push(&move{due: s.engine.now.Add(delay), tenant: t, shop: sh, order: o.ID, apply: f.apply})
			return
		}
	}
}

// missed is a call nobody answered.
func (s *Server) missed(t *tenant, sh *shop, o *Order, r *rand.Rand, at time.Time) {
	s.alter(t, sh, o, r, at, func(c *Order) { c.note(fmt.Sprintf("Confirmation échouée %d", len(c.Outcomes)+1), at) })
}

// edit is the shop correcting an order: another quantity, another telephone number, or another place.
func (s *Server) edit(t *tenant, sh *shop, o *Order, r *rand.Rand, at time.Time) {
	s.alter(t, sh, o, r, at, func(c *Order) {
		switch other := demo.NewPerson(r, 0); {
		case r.IntN(2) == 0 && len(c.Items) > 0:
			c.Items[0].Quantity = c.Items[0].Quantity%3 + 1
			c.reckon()
		case r.IntN(2) == 0:
			c.Phone, c.PhoneE164 = "0"+other.Phone[len("+213"):], other.Phone
		default:
			c.Wilaya, c.WilayaCode, c.Commune = other.Wilaya.French, other.Wilaya.Code, other.Commune
		}
	})
}

// vanish deletes the order. It does so only while living: the past keeps the number of orders it was asked for.
func (s *Server) vanish(t *tenant, sh *shop, o *Order, _ *rand.Rand, _ time.Time) {
	if !s.bulk {
		s.drop(t, sh, o)
	}
}
