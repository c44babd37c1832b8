package ecomanagersim

import (
	"hash/fnv"
	"slices"
	"time"
)

// Order is the truth about one order, as the control door tells it: exact amounts, instants in UTC, the telephone number in E.164
// beside its spelling. The shop API shows the same order through wire.go.
//
// Values are immutable once stored: a change stores a changed copy.
type Order struct {
	Tenant    string `json:"tenant"`
	Shop      string `json:"shop"`
	ID        int64  `json:"id"` // unique in the tenant only
	Reference string `json:"reference"`

	Name       string `json:"name"`
	Phone      string `json:"phone"`     // as the customer spelled it
	PhoneE164  string `json:"phoneE164"` // empty when Phone is no telephone number
	Wilaya     string `json:"wilaya"`    // as the form spelled it
	WilayaCode int    `json:"wilayaCode"`
	Commune    string `json:"commune"`

	Stage        Stage        `json:"stage"`
	State        string       `json:"state"`        // order_state_name
	Confirmation string       `json:"confirmation"` // latest outcome of the shop's own call; empty = none yet
	Outcomes     []Outcome    `json:"outcomes,omitempty"`
	Confirmator  *Confirmator `json:"confirmator,omitempty"`
	ConfirmedAt  time.Time    `json:"confirmedAt,omitzero"`

	Items    []Item `json:"items"`
	Goods    int64  `json:"goods"`    // centimes
	Shipping int64  `json:"shipping"` // centimes
	Total    int64  `json:"total"`    // centimes

	Source    string    `json:"source"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`

	// Noise decides, together with the dirt switches, in which of the vendor's spellings this order is shown. It is fixed at birth so
	// that the same order is the same bytes at every reading.
	Noise uint64 `json:"noise"`
}

// Outcome is one line of the shop's confirmation history.
type Outcome struct {
	State string    `json:"state"`
	At    time.Time `json:"at"`
}

// Confirmator is the person of the shop's own desk who confirmed the order.
type Confirmator struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// Item is one line of an order.
type Item struct {
	ID        int64  `json:"id"`
	ProductID int64  `json:"productId"`
	SKU       string `json:"sku"` // empty = the shop gave none
	Title     string `json:"title"`
	Quantity  int64  `json:"quantity"`
	Price     int64  `json:"price"` // selling price of one, centimes
}

// clone copies what a change may touch.
func (o *Order) clone() *Order {
	c := *o
	c.Items = slices.Clone(o.Items)
	c.Outcomes = slices.Clone(o.Outcomes)
	if o.Confirmator != nil {
		who := *o.Confirmator
		c.Confirmator = &who
	}
	return &c
}

// reckon makes the totals follow the lines.
func (o *Order) reckon() {
	o.Goods = 0
	for _, it := range o.Items {
		o.Goods += it.Quantity * it.Price
	}
	o.Total = o.Goods + o.Shipping
}

// hash mixes strings into a seed.
func hash(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return h.Sum64()
}
