package order

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Mover is in whose name a status moves.
type Mover string

// The movers. An admin may all that a manager may; they are one mover.
const (
	ByAgent      Mover = "AGENT"      // an AGENT_SUIVI, own orders only
	ByManager    Mover = "MANAGER"    // a MANAGER or an ADMIN
	ByShop       Mover = "SHOP"       // what the shop says, by its meaning
	ByCourier    Mover = "COURIER"    // what the parcel shows
	ByAssignment Mover = "ASSIGNMENT" // the agent field was set or cleared, by whomever
)

// who is a set of movers, as a cell of the table.
type who uint8

const (
	agent who = 1 << iota
	manager
	shop      // the shop's own word is enough
	shopAlone // the shop stands in for the courier: no courier carries the store, or a look after its word found no parcel
	shopsOwn  // the shop takes back its own cancellation
	courier
	assignment
)

// byParcel is the star of the table: by the courier, by a shop that stands in for it, or by a manager with a reason.
const (
	byParcel = courier | manager | shopAlone
	onRoad   = courier | manager // no shop can tell that a parcel left
)

// lifecycle is the whole life of an order, from × to: what is not here cannot happen. A manager's PENDING and ASSIGNED are
// the reopening of an order that ended; which of the two it becomes is decided by whether it has an agent.
var lifecycle = map[Status]map[Status]who{
	Pending: {
		Assigned:  assignment,
		Cancelled: manager | shop,
		Shipped:   onRoad, Delivered: byParcel, Returned: byParcel,
	},
	Assigned: {
		Pending:    assignment,
		InProgress: agent | manager,
		Confirmed:  agent | manager,
		Cancelled:  agent | manager | shop,
		Shipped:    onRoad, Delivered: byParcel, Returned: byParcel,
	},
	InProgress: {
		Confirmed: agent | manager,
		Cancelled: agent | manager | shop,
		Shipped:   onRoad, Delivered: byParcel, Returned: byParcel,
	},
	Confirmed: {
		Cancelled: agent | manager | shop,
		Shipped:   onRoad, Delivered: byParcel, Returned: byParcel,
	},
	Shipped: {
		Cancelled: agent | manager, // never by the shop: the parcel is on the road
		Delivered: byParcel, Returned: byParcel,
	},
	Delivered: {
		Pending: manager, Assigned: manager,
		Returned: byParcel,
		Shipped:  onRoad, // the courier took LIVRÉ back
	},
	Cancelled: {
		Pending: manager | shopsOwn, Assigned: manager | shopsOwn,
		Shipped: onRoad, Delivered: byParcel, Returned: byParcel, // the parcel or the cash is real
	},
	Returned: {
		Pending: manager, Assigned: manager,
		Shipped: onRoad, Delivered: byParcel,
	},
}

// Move is a wish to change a status.
type Move struct {
	To     Status
	By     Mover
	Own    bool   // the agent asking is the one who has the order; only asked of ByAgent
	Alone  bool   // the shop stands in for the courier; only asked of ByShop
	Reason string // why, in a person's words
}

// Verdict is how a move ends.
type Verdict struct {
	To           Status       // where the order is then: reopening lands on PENDING or ASSIGNED, whichever fits
	Disagreement Disagreement // the move is made, and a person should look
}

// ErrReasonRequired answers a person who cancels, reopens or does the courier's move without saying why.
var ErrReasonRequired = errors.New("this move needs a reason")

// TransitionError answers a move that is not in the table, or not for this mover.
type TransitionError struct {
	From, To Status
	By       Mover
}

// Error tells the move that was refused.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("an order cannot go from %s to %s by %s", e.From, e.To, e.By)
}

// Judge decides a move of an order: it is the only judge, and everything that changes a status passes here.
//
// A move out of a terminal status that no person decided is made, because the parcel or the cash is real, and flagged for
// one. Moving to where the order is already is refused like any other move that is not in the table: whether repeating is
// an error is the caller's question.
func Judge(o *Order, m Move) (Verdict, error) {
	if m.To == Pending && o.Status.Terminal() && o.AgentID != "" {
		m.To = Assigned // terminal orders keep their agent for ever, so a reopened one is on a desk
	}
	allowed := lifecycle[o.Status][m.To]
	if !allowed.admit(o, m) || m.To == Assigned && m.By != ByAssignment && o.AgentID == "" {
		return Verdict{}, &TransitionError{From: o.Status, To: m.To, By: m.By}
	}
	if m.needsReason(o.Status, allowed) && strings.TrimSpace(m.Reason) == "" {
		return Verdict{}, ErrReasonRequired
	}
	return Verdict{To: m.To, Disagreement: m.disagreement(o)}, nil
}

func (w who) admit(o *Order, m Move) bool {
	switch m.By {
	case ByAgent:
		return w&agent != 0 && m.Own
	case ByManager:
		return w&manager != 0
	case ByShop:
		return w&shop != 0 || w&shopAlone != 0 && m.Alone || w&shopsOwn != 0 && o.CancelledBy == CancelledByShop
	case ByCourier:
		return w&courier != 0
	case ByAssignment:
		return w&assignment != 0
	default:
		return false
	}
}

// needsReason: a person who ends an order, reopens one, or speaks for the courier says why.
func (m Move) needsReason(from Status, allowed who) bool {
	person := m.By == ByAgent || m.By == ByManager
	return person && (m.To == Cancelled || from.Terminal() || allowed&courier != 0)
}

func (m Move) disagreement(o *Order) Disagreement {
	switch {
	case !o.Status.Terminal():
		return Agreed
	case m.By == ByCourier:
		return CourierReopened
	case m.By == ByShop && o.CancelledBy == CancelledByShop:
		return Agreed // it corrects nobody but itself
	case m.By == ByShop && m.To == Delivered:
		return ShopSaysDelivered
	case m.By == ByShop && m.To == Returned:
		return ShopSaysReturned
	default:
		return Agreed // a person decided
	}
}

// move carries a verdict out: the status, the milestone, whose cancellation it is, and the flag. `at` is when it happened,
// as well as is known; `now` is when we learnt it.
func (o *Order) move(v Verdict, by Mover, at, now time.Time) {
	o.Status = v.To
	o.CancelledBy = ""
	o.DeliveredAt, o.ReturnedAt, o.CancelledAt = nil, nil, nil // an end that was taken back never was; the history remembers
	switch v.To {
	case Confirmed:
		o.ConfirmedAt = &at
	case Shipped:
		o.ShippedAt = &at
	case Delivered:
		o.DeliveredAt = &at
	case Returned:
		o.ReturnedAt = &at
	case Cancelled:
		o.CancelledAt = &at
		o.CancelledBy = CancelledByPerson
		if by == ByShop {
			o.CancelledBy = CancelledByShop
		}
	case Pending, Assigned, InProgress:
	}
	switch {
	case o.Status.Terminal():
		o.NextAction, o.NextActionAt = "", nil
	case o.Status == Assigned: // an order that comes back to a desk must stand in the agent's queue (DESIGN 3)
		o.NextAction, o.NextActionAt = nextCall, &now
	}
	switch {
	case v.Disagreement != Agreed:
		o.disagree(v.Disagreement, now)
	case by == ByAgent || by == ByManager:
		o.agree() // the person who was to look has looked
	}
}

// nextCall is the next action of an order that comes to a desk.
const nextCall = "CALL"

func (o *Order) disagree(d Disagreement, now time.Time) {
	if o.Disagreement != d {
		o.Disagreement, o.DisagreementAt = d, &now
	}
}

func (o *Order) agree() { o.Disagreement, o.DisagreementAt = Agreed, nil }
