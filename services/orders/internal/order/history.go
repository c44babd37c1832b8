package order

import (
	"bytes"
	"encoding/json"
	"time"
)

// Source is who caused a change.
type Source string

// The sources.
const (
	SourcePerson     Source = "PERSON"
	SourceShop       Source = "SHOP"
	SourceCourier    Source = "COURIER"
	SourceAssignment Source = "ASSIGNMENT"
	SourceSystem     Source = "SYSTEM"
)

// Kind is what sort of change a history row tells of.
type Kind string

// The kinds that this package writes.
const (
	KindCreated    Kind = "CREATED"
	KindStatus     Kind = "STATUS"      // the status moved, whatever else did
	KindShopFields Kind = "SHOP_FIELDS" // the shop changed what it owns
	KindFields     Kind = "FIELDS"      // a person changed what people own
)

// Entry is one row of an order's history: append-only, one for every change.
type Entry struct {
	ID           int64           `db:"id"`
	OrderID      int64           `db:"order_id"`
	At           time.Time       `db:"at"`
	Kind         Kind            `db:"kind"`
	Source       Source          `db:"source"`
	Trigger      Trigger         `db:"trigger"` // what brought the shop's word here
	ActorID      string          `db:"actor_id"`
	ActorRole    Role            `db:"actor_role"`
	StatusBefore Status          `db:"status_before"`
	StatusAfter  Status          `db:"status_after"`
	Before       json.RawMessage `db:"before"` // the changed fields
	After        json.RawMessage `db:"after"`
	Reason       string          `db:"reason"`
	RequestID    string          `db:"request_id"`
}

// Tells makes the entry tell how an order began, as it was stored: with its id and the reference that was made from it.
func (e *Entry) Tells(o *Order) { e.OrderID, e.After = o.ID, o.snapshotJSON() }

// Note is one remark on an order. Notes are rows and never overwrite each other (lesson P62).
type Note struct {
	ID         int64     `db:"id"`
	OrderID    int64     `db:"order_id"`
	CreatedAt  time.Time `db:"created_at"`
	AuthorID   string    `db:"author_id"`
	AuthorRole Role      `db:"author_role"`
	Body       string    `db:"body"`
}

// snapshot is what history compares: the fields whose change somebody will ask about one day, by their names on the wire.
// Derived columns, hashes and versions are left out.
type snapshot struct {
	Status        Status       `json:"status,omitempty"`
	Disagreement  Disagreement `json:"disagreement,omitempty"`
	UpstreamState string       `json:"upstreamState,omitempty"`
	Meaning       Meaning      `json:"upstreamMeaning,omitempty"`
	Confirmation  string       `json:"confirmationState,omitempty"`
	Deleted       *time.Time   `json:"upstreamDeletedAt,omitempty"`
	Reference     string       `json:"reference,omitempty"`
	Name          string       `json:"customerName,omitempty"`
	Phone         string       `json:"phoneRaw,omitempty"`
	Wilaya        string       `json:"wilayaRaw,omitempty"`
	WilayaCode    int          `json:"wilayaCode,omitempty"`
	Commune       string       `json:"commune,omitempty"`
	Address       string       `json:"address,omitempty"`
	GoodsTotal    int64        `json:"goodsTotal,omitempty"`
	ShippingFee   int64        `json:"shippingFee,omitempty"`
	Due           int64        `json:"due,omitempty"`
	PlacedAt      *time.Time   `json:"placedAt,omitempty"`
	ReadyAt       *time.Time   `json:"readyAt,omitempty"`
	DeliverBy     *time.Time   `json:"deliverBy,omitempty"`
	AgentID       string       `json:"agentId,omitempty"`
	Priority      int          `json:"priority,omitempty"`
	Tags          []string     `json:"tags,omitempty"`
	Items         []string     `json:"items,omitempty"`
}

func (o *Order) snapshot() map[string]json.RawMessage {
	s := snapshot{
		Status: o.Status, Disagreement: o.Disagreement, UpstreamState: o.UpstreamState, Meaning: o.Meaning,
		Confirmation: o.ConfirmationState, Deleted: o.UpstreamDeletedAt, Reference: o.Reference, Name: o.FullName, Phone: o.Phone,
		Wilaya: o.Wilaya, WilayaCode: o.WilayaCode, Commune: o.Commune, Address: o.Address, GoodsTotal: o.GoodsTotal,
		ShippingFee: o.ShippingFee, Due: o.Due, ReadyAt: o.ReadyAt, DeliverBy: o.DeliverBy, AgentID: o.AgentID,
		Priority: o.Priority, Tags: o.Tags,
	}
	if !o.PlacedAt.IsZero() {
		s.PlacedAt = &o.PlacedAt
	}
	for _, item := range o.Items {
		s.Items = append(s.Items, item.String())
	}
	encoded, _ := json.Marshal(s) // plain fields: cannot fail
	fields := map[string]json.RawMessage{}
	_ = json.Unmarshal(encoded, &fields)
	return fields
}

// diff is what changed between two states, each side holding only the fields that differ; a field that was or became empty
// is null on that side.
func diff(before, after *Order) (was, is json.RawMessage) {
	old, now := before.snapshot(), after.snapshot()
	null := json.RawMessage("null")
	wasFields, isFields := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for name, value := range old {
		other, there := now[name]
		if !there {
			other = null
		}
		if !bytes.Equal(value, other) {
			wasFields[name], isFields[name] = value, other
		}
	}
	for name, value := range now {
		if _, there := old[name]; !there {
			wasFields[name], isFields[name] = null, value
		}
	}
	was, _ = json.Marshal(wasFields)
	is, _ = json.Marshal(isFields)
	return was, is
}

func (o *Order) snapshotJSON() json.RawMessage {
	encoded, _ := json.Marshal(o.snapshot())
	return encoded
}
