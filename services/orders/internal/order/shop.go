package order

import "time"

// firstStatus is what a meaning makes of an order that was never seen before, so that a store's history does not arrive as
// a heap of PENDING.
func firstStatus(m Meaning) Status {
	switch m {
	case ShopCancelled:
		return Cancelled
	case ShopDelivered:
		return Delivered
	case ShopReturned:
		return Returned
	default:
		return Pending
	}
}

// agrees tells that what the shop says is what we say.
func (m Meaning) agrees(s Status) bool {
	if s.Terminal() {
		return firstStatus(m) == s
	}
	return !firstStatus(m).Terminal()
}

// protest is the flag for a meaning that the lifecycle did not follow.
func (m Meaning) protest() Disagreement {
	switch m {
	case ShopCancelled:
		return ShopSaysCancelled
	case ShopDelivered:
		return ShopSaysDelivered
	case ShopReturned:
		return ShopSaysReturned
	default:
		return ShopTookBack
	}
}

// Hearing is the circumstance in which a shop is heard.
type Hearing struct {
	At           time.Time // when it happened, as well as is known: the shop's change time
	Now          time.Time // when we learn it
	ByBackfill   bool      // the row is read as history
	CourierKnows bool      // a courier account carries the store, so the courier is asked first how a delivery ended
	Gazetteer    *Gazetteer
	Zone         *time.Location // the business zone: which day is the day of dispatch
}

// hear lets the shop say what its state means now, and does what follows: the latch, the dispatch, the status. It is the
// one place for every trigger (pass, rescan, webhook, backfill, a changed state map), so that all of them agree
// (lesson P17). Hearing the same again does nothing but [Order.reconsider], so a person's decision stands until the shop says
// something new.
func (o *Order) hear(m Meaning, h Hearing) {
	first := o.Meaning == unknownMeaning
	if o.Meaning == m {
		o.reconsider(h)
		return
	}
	o.Meaning, o.MeaningAt = m, h.Now
	if m == FollowUp {
		o.dispatch(h)
		if !(first && h.ByBackfill) { // history must not flood the desks: a person releases it (lesson P40)
			o.becomeReady(h.Now)
		}
	}
	if first {
		o.begin(h)
		return
	}
	o.follow(m, h)
}

// begin gives a new order its first status. The milestone is the shop's change time: the best that is known of when an
// order ended that ended before we saw it.
func (o *Order) begin(h Hearing) {
	o.Status = Pending
	if to := firstStatus(o.Meaning); to != Pending {
		o.move(Verdict{To: to}, ByShop, h.At, h.Now)
	}
}

// follow moves a known order to what the shop says now, as far as the lifecycle lets a shop, and flags it where not.
func (o *Order) follow(m Meaning, h Hearing) {
	if m.agrees(o.Status) {
		if o.Disagreement.ofShop() {
			o.agree()
		}
		return
	}
	verdict, err := Judge(o, Move{To: firstStatus(m), By: ByShop, Alone: o.shopAlone(h.CourierKnows)})
	if err != nil {
		o.disagree(m.protest(), h.Now)
		return
	}
	o.move(verdict, ByShop, h.At, h.Now)
	if verdict.Disagreement == Agreed && o.Disagreement.ofShop() {
		o.agree()
	}
}

// reconsider follows the shop's standing word once it is all there is: it said how the delivery ended, was not believed, and a
// later look found no parcel, or no courier carries the store any more. It must follow every hearing of the row, because the
// look comes after the word and the word may never change again. A person who moved the order took the flag away with it, so
// nothing of theirs is undone.
func (o *Order) reconsider(h Hearing) {
	if o.overruled() && o.shopAlone(h.CourierKnows) {
		o.follow(o.Meaning, h)
	}
}

// overruled tells that the shop said how the delivery ended and was not followed.
func (o *Order) overruled() bool {
	return o.Disagreement.onEnd() && o.Disagreement == o.Meaning.protest() && !o.Meaning.agrees(o.Status)
}

// shopAlone tells that the shop's word on how a delivery ended is all there is: no courier carries the store, or a look for
// the parcel after the shop said so found none.
func (o *Order) shopAlone(courierKnows bool) bool {
	if o.ParcelID != "" {
		return false
	}
	return !courierKnows || o.NoParcelAt != nil && o.NoParcelAt.After(o.MeaningAt)
}

// becomeReady sets the latch, once and for ever.
func (o *Order) becomeReady(now time.Time) {
	if o.ReadyAt == nil {
		o.ReadyAt = &now
	}
}

// dispatch notes the first hand-over to the courier, from which the delivery is counted.
func (o *Order) dispatch(h Hearing) {
	if o.DispatchedAt == nil {
		at := h.At
		o.DispatchedAt = &at
		o.promise(h.Gazetteer, h.Zone)
	}
}

// promise computes the latest good delivery: at the first dispatch, and again when the wilaya is corrected. Nothing else moves
// what was promised, not even other delivery days of the wilaya: those hold for the orders that are dispatched later.
func (o *Order) promise(g *Gazetteer, zone *time.Location) {
	if o.DispatchedAt != nil {
		by := deliverBy(*o.DispatchedAt, g.DeliveryDays(o.WilayaCode), zone)
		o.DeliverBy = &by
	}
}
