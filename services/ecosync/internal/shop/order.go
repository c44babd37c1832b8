package shop

import (
	"time"
	"unicode"
)

// Centimes is an amount of money in hundredths of the shop's currency, exact:
// no float is ever made on the way from the wire (lesson P13, P61).
type Centimes int64

// Order is one order as the shop tells it: decoded, normalised to NFC, in UTC,
// and not yet judged. A zero time means that the shop did not say. What nobody
// here works with (the shop's call history, its labels) lives on in the raw row.
type Order struct {
	// ID is the tenant-wide number of the order. Two tenants use the same
	// numbers for different orders, so it means nothing without its store
	// (lesson P5).
	ID int64
	// Reference is the alphabetic shop prefix and a number; the courier knows
	// the order by it.
	Reference string

	Customer string
	// Phone is as the shop wrote it, in any of its spellings.
	Phone   string
	Wilaya  string
	Commune string

	// State is the French display text. Its numeric twin differs from tenant to
	// tenant and is kept only in the raw payload.
	State string
	// ConfirmationState is the last outcome of the shop's own call centre; empty
	// until a call was made.
	ConfirmationState string

	Items []Item
	// GoodsTotal, Shipping and Due are nil where the shop did not say: an
	// unknown amount is not zero.
	GoodsTotal *Centimes
	Shipping   *Centimes
	Due        *Centimes

	PlacedAt  time.Time
	UpdatedAt time.Time
}

// Item is one line of an order.
type Item struct {
	// LineID is 0 when the shop gave none.
	LineID int64
	// ProductID is an integer on the wire; it is an identifier, so it is text
	// here.
	ProductID string
	SKU       string
	Title     string
	Quantity  int32
	// UnitPrice comes from selling_price, the only price that exists upstream
	// (lesson P13); nil where the shop did not say.
	UnitPrice *Centimes
}

// Key is the order's place in a listing sorted by its last change.
func (o Order) Key() Key { return Key{At: o.UpdatedAt, ID: o.ID} }

// Prefix is the run of letters in front of the reference: the mark by which a
// shop is recognised, chosen upstream and not equal to the store's identifier
// (quirk Q8).
func (o Order) Prefix() string {
	for i, r := range o.Reference {
		if !unicode.IsLetter(r) {
			return o.Reference[:i]
		}
	}
	return o.Reference
}

// String names the order without its customer: what is printed by accident
// must not carry a name, a phone or an address.
func (o Order) String() string { return "order " + o.Reference }
