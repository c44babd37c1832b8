package order

import "slices"

// Status is ours alone: it stands beside what the shop says ([Meaning]) and what the courier says, and is never folded
// into either (lesson P25).
type Status string

// The statuses, in the order of a life.
const (
	Pending    Status = "PENDING"     // known, not yet worked
	Assigned   Status = "ASSIGNED"    // on an agent's desk
	InProgress Status = "IN_PROGRESS" // the agent has begun
	Confirmed  Status = "CONFIRMED"   // the customer said yes
	Shipped    Status = "SHIPPED"     // the parcel is on the road
	Delivered  Status = "DELIVERED"   // delivered and paid
	Returned   Status = "RETURNED"    // came back
	Cancelled  Status = "CANCELLED"   // will not be
)

// Statuses are all of them, in the order of a life.
func Statuses() []Status {
	return []Status{Pending, Assigned, InProgress, Confirmed, Shipped, Delivered, Returned, Cancelled}
}

// Terminal tells that nothing more is to be done, unless the courier, the shop or a person says otherwise.
func (s Status) Terminal() bool { return s == Delivered || s == Returned || s == Cancelled }

// Meaning is what a shop's state means to us, by the map of its store.
type Meaning string

// The meanings.
const (
	NoMeaning      Meaning = "NONE"      // nothing to do yet, or a state that nobody has mapped
	FollowUp       Meaning = "FOLLOW_UP" // handed to the courier: an agent follows it to the door
	ShopCancelled  Meaning = "CANCELLED"
	ShopDelivered  Meaning = "DELIVERED" // delivered, or the cash collected
	ShopReturned   Meaning = "RETURNED"
	unknownMeaning Meaning = ""
)

// Disagreement is why a person must look at an order; empty when the three axes agree.
type Disagreement string

// The disagreements.
const (
	Agreed            Disagreement = ""
	ShopSaysCancelled Disagreement = "SHOP_CANCELLED"   // but the parcel is on the road, or ended otherwise
	ShopSaysDelivered Disagreement = "SHOP_DELIVERED"   // but the courier does not
	ShopSaysReturned  Disagreement = "SHOP_RETURNED"    // but the courier does not
	ShopTookBack      Disagreement = "SHOP_REOPENED"    // the shop goes on with an order that has ended here
	CourierReopened   Disagreement = "COURIER_REOPENED" // the courier moved an order out of its end
	CourierWasRefused Disagreement = "COURIER_REFUSED"  // the courier asked for a move that the lifecycle has not
)

// onEnd tells that the disagreement is about how the delivery ended, which a look for the parcel may settle.
func (d Disagreement) onEnd() bool { return d == ShopSaysDelivered || d == ShopSaysReturned }

// ofShop tells that the disagreement is with the shop, and ends when shop and status agree again.
func (d Disagreement) ofShop() bool {
	return slices.Contains([]Disagreement{ShopSaysCancelled, ShopSaysDelivered, ShopSaysReturned, ShopTookBack}, d)
}
