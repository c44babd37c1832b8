package order

import (
	"slices"
	"strconv"
	"time"
)

// Order is one order as it stands. Times are absent (nil) when unknown or not reached; texts are empty when there is none.
//
// Invariants, kept by the functions of this package and by constraints of the table: PENDING has no agent and ASSIGNED has
// one; CancelledBy is set exactly on CANCELLED; PhoneE164 is empty exactly when PhoneProblem is not.
type Order struct {
	Identity
	Shop
	Buyer
	Amounts
	Life
	Work
	Courier
	// Version moves with what people own and is the etag; ShopVersion with what the shop owns, so that a sync never makes
	// an agent's save stale.
	Version     int64     `db:"version"`
	ShopVersion int64     `db:"shop_version"`
	UpdatedAt   time.Time `db:"updated_at"`
	Items       []Item    `db:"-"`
}

// Origin is where an order came from.
type Origin string

// The origins.
const (
	FromShop Origin = "SHOP"
	ByHand   Origin = "MANUAL"
)

// Identity is who an order is. The same upstream number exists in two tenants with different meanings, so only the pair of
// store and number identifies (lesson P5).
type Identity struct {
	ID         int64  `db:"id"` // 0 while it is not stored
	Origin     Origin `db:"origin"`
	StoreID    string `db:"store_id"`
	UpstreamID int64  `db:"upstream_id"` // 0 for an order made by hand
	Reference  string `db:"reference"`   // the join key to the courier
}

// Shop is what the shop says.
type Shop struct {
	UpstreamState     string     `db:"upstream_state"`     // its words
	UpstreamStateKey  string     `db:"upstream_state_key"` // the same folded by [Fold]
	Meaning           Meaning    `db:"meaning"`
	MeaningAt         time.Time  `db:"meaning_at"` // when it was first seen to say so
	StateMapVersion   int32      `db:"state_map_version"`
	ConfirmationState string     `db:"confirmation_state"`
	UpstreamUpdatedAt *time.Time `db:"upstream_updated_at"`
	ObservedAt        *time.Time `db:"observed_at"` // when the request that showed this was sent
	RawHash           []byte     `db:"raw_hash"`
	UpstreamDeletedAt *time.Time `db:"upstream_deleted_at"`
}

// Buyer is to whom and where to. What was written stays beside what we made of it.
type Buyer struct {
	CustomerID   int64        `db:"customer_id"` // 0: the telephone is invalid, and an invalid one belongs to nobody (lesson P18)
	FullName     string       `db:"full_name"`
	SearchName   string       `db:"search_name"`
	Phone        string       `db:"phone"` // as written
	PhoneE164    string       `db:"phone_e164"`
	PhoneProblem PhoneProblem `db:"phone_problem"`
	Wilaya       string       `db:"wilaya"` // as written
	WilayaCode   int          `db:"wilaya_code"`
	Commune      string       `db:"commune"`
	Address      string       `db:"address"`
}

// Amounts are exact integers in minor units of one currency (lesson P61).
type Amounts struct {
	GoodsTotal  int64  `db:"goods_total"`
	ShippingFee int64  `db:"shipping_fee"`
	Due         int64  `db:"due"` // what the courier collects
	Currency    string `db:"currency"`
}

// InferShipping is for a shop that says what is due and what the goods cost, and leaves the fee between them out (some tenants do): a fee of zero
// would make the three numbers contradict each other.
func (a *Amounts) InferShipping() { a.ShippingFee = max(a.Due-a.GoodsTotal, 0) }

// DZD is the currency of every store today: an amount in another one is refused rather than added up wrongly.
const DZD = "DZD"

// Canceller is whose cancellation it is: a shop may take back only its own.
type Canceller string

// The cancellers.
const (
	CancelledByPerson Canceller = "PERSON"
	CancelledByShop   Canceller = "SHOP"
)

// Life is what we say of an order, and when what happened.
type Life struct {
	Status         Status       `db:"status"`
	CancelledBy    Canceller    `db:"cancelled_by"`
	Disagreement   Disagreement `db:"disagreement"`
	DisagreementAt *time.Time   `db:"disagreement_at"`
	DuplicateOf    int64        `db:"duplicate_of"`
	DeletedAt      *time.Time   `db:"deleted_at"`
	PlacedAt       time.Time    `db:"placed_at"` // when the customer ordered; never the time of import (lesson P19)
	IngestedAt     time.Time    `db:"ingested_at"`
	DispatchedAt   *time.Time   `db:"dispatched_at"`
	ReadyAt        *time.Time   `db:"ready_at"` // the latch: set once, never cleared
	AssignedAt     *time.Time   `db:"assigned_at"`
	FirstCallAt    *time.Time   `db:"first_call_at"`
	ConfirmedAt    *time.Time   `db:"confirmed_at"`
	ShippedAt      *time.Time   `db:"shipped_at"`
	DeliveredAt    *time.Time   `db:"delivered_at"`
	ReturnedAt     *time.Time   `db:"returned_at"`
	CancelledAt    *time.Time   `db:"cancelled_at"`
	DeliverBy      *time.Time   `db:"deliver_by"`
	TouchedAt      time.Time    `db:"touched_at"` // last sign of life from a person, the shop or the courier
}

// Work is whose an order is and what to do next.
type Work struct {
	AgentID      string     `db:"agent_id"` // a field, not a status (lesson P48)
	Priority     int        `db:"priority"`
	Tags         []string   `db:"tags"`
	NextAction   string     `db:"next_action"`
	NextActionAt *time.Time `db:"next_action_at"`
	CallCount    int        `db:"call_count"`
	LastOutcome  string     `db:"last_outcome"`
}

// Courier mirrors the current parcel. Shipping alone writes it.
type Courier struct {
	ParcelID           string     `db:"parcel_id"`
	TrackingNumber     string     `db:"tracking_number"`
	CourierCode        int        `db:"courier_code"`
	CourierState       string     `db:"courier_state"`
	CourierAt          *time.Time `db:"courier_at"`
	CourierAttempts    int        `db:"courier_attempts"`
	CourierPostponedTo string     `db:"courier_postponed_to"` // YYYY-MM-DD
	CourierReason      string     `db:"courier_reason"`
	MirrorSeq          int64      `db:"mirror_seq"`
	NoParcelAt         *time.Time `db:"no_parcel_at"` // when discovery last looked and found none
}

// Item is one line.
type Item struct {
	UpstreamLineID    int64  `db:"upstream_line_id"` // 0 when the shop gave none
	UpstreamProductID string `db:"upstream_product_id"`
	SKU               string `db:"sku"`
	Title             string `db:"title"`
	Quantity          int    `db:"quantity"`
	UnitPrice         *int64 `db:"unit_price"` // minor units; nil when the shop gave none
}

// staleAfter is how long an order may lie untouched by person, shop and courier before it is shown as stale. The view
// orders.stale says the same in SQL, and a test holds the two together.
const staleAfter = 21 * 24 * time.Hour

// Late tells that an open order should have been delivered by now.
func (o *Order) Late(now time.Time) bool {
	return !o.Status.Terminal() && o.DeliverBy != nil && o.DeliverBy.Before(now)
}

// Stale tells that nobody has touched an open order for 21 days.
func (o *Order) Stale(now time.Time) bool {
	return !o.Status.Terminal() && o.TouchedAt.Before(now.Add(-staleAfter))
}

// Assignable tells that an agent may be given the order: ready, not ended, not deleted, nobody's.
func (o *Order) Assignable() bool {
	return o.ReadyAt != nil && !o.Status.Terminal() && o.DeletedAt == nil && o.AgentID == ""
}

// name and phone set what is derived together with what was written.
func (o *Order) name(written string) { o.FullName, o.SearchName = written, Fold(written) }

func (o *Order) phone(written string) {
	o.Phone = written
	o.PhoneE164, o.PhoneProblem = NormalizePhone(written)
	o.CustomerID = 0 // storage finds the customer of the number
}

// String is a line as people read it in a history: "2 × Montre (SKU-1) @ 160000", the price in minor units.
func (i Item) String() string {
	text := strconv.Itoa(i.Quantity) + " × " + i.Title
	if i.SKU != "" {
		text += " (" + i.SKU + ")"
	}
	if i.UnitPrice != nil {
		text += " @ " + strconv.FormatInt(*i.UnitPrice, 10)
	}
	return text
}

func equalItems(a, b []Item) bool {
	return slices.EqualFunc(a, b, func(x, y Item) bool {
		same := (x.UnitPrice == nil) == (y.UnitPrice == nil) && (x.UnitPrice == nil || *x.UnitPrice == *y.UnitPrice)
		x.UnitPrice, y.UnitPrice = nil, nil
		return same && x == y
	})
}
