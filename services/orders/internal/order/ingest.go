package order

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// Trigger is what caused a shop to be heard.
type Trigger string

// The triggers. One judgement serves all of them (lesson P17); they differ in one rule: see [Backfill].
const (
	Pass     Trigger = "PASS"
	Rescan   Trigger = "RESCAN"
	Webhook  Trigger = "WEBHOOK"
	Backfill Trigger = "BACKFILL"  // a row that it creates already in FOLLOW_UP stays unready
	MapEdit  Trigger = "STATE_MAP" // no row was read: a new version of the state map means the stored state otherwise
)

// Row is one order as a shop showed it once.
type Row struct {
	UpstreamID        int64
	Reference         string
	ObservedAt        time.Time // when the request that showed it was sent; zero is refused
	UpstreamState     string
	Meaning           Meaning
	ConfirmationState string
	FullName          string
	Phone             string
	Wilaya            string
	Commune           string
	Address           string
	Items             []Item
	Amounts           Amounts
	PlacedAt          time.Time // zero is refused
	UpdatedAt         time.Time // zero when the shop gave none
	Raw               []byte

	// Fault is what is wrong with a value that this type cannot hold, found while converting; FaultText says it.
	Fault     RejectReason
	FaultText string
}

// Hash is the fingerprint of what was shown and of what the decoder made of it: a better decoder changes the rows it reads
// better. When the row was seen, and what its state means, are not part of it; they have rules of their own.
func (r *Row) Hash() []byte {
	h := sha256.New()
	text := func(values ...string) {
		for _, v := range values {
			h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(v)))) //nolint:gosec // G115: texts are limited
			h.Write([]byte(v))
		}
	}
	number := func(values ...int64) {
		for _, v := range values {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(v))) //nolint:gosec // G115: the bits are the value
		}
	}
	text(r.Reference, r.UpstreamState, r.ConfirmationState, r.FullName, r.Phone, r.Wilaya, r.Commune, r.Address, r.Amounts.Currency)
	number(r.Amounts.GoodsTotal, r.Amounts.ShippingFee, r.Amounts.Due, r.PlacedAt.UnixMicro(), r.UpdatedAt.UnixMicro(), int64(len(r.Items)))
	for _, item := range r.Items {
		text(item.UpstreamProductID, item.SKU, item.Title)
		number(item.UpstreamLineID, int64(item.Quantity))
		if item.UnitPrice != nil {
			number(1, *item.UnitPrice)
		} else {
			number(0)
		}
	}
	h.Write(r.Raw)
	return h.Sum(nil)
}

// Outcome is what became of a row.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "CREATED"
	Updated   Outcome = "UPDATED"
	Unchanged Outcome = "UNCHANGED" // nothing was written
	Stale     Outcome = "STALE"     // older than what is stored; nothing was written
	Deleted   Outcome = "DELETED"   // deleted here by a person; nothing was written
	Rejected  Outcome = "REJECTED"  // cannot be stored; the reason says why
)

// Known is what must be known of a stored order to tell that a row says nothing new.
type Known struct {
	ID                int64      `db:"id"`
	UpstreamID        int64      `db:"upstream_id"`
	Reference         string     `db:"reference"`
	RawHash           []byte     `db:"raw_hash"`
	Meaning           Meaning    `db:"meaning"`
	UpstreamStateKey  string     `db:"upstream_state_key"`
	StateMapVersion   int32      `db:"state_map_version"`
	UpstreamDeletedAt *time.Time `db:"upstream_deleted_at"`
	DeletedAt         *time.Time `db:"deleted_at"`
	// Disagreement: where it is about how the delivery ended, the same row again may be followed after all, see [Order.reconsider].
	Disagreement Disagreement `db:"disagreement"`
}

// Says tells that the row is exactly what is stored, so that nothing need be written.
func (k *Known) says(r *Row, mapVersion int32) bool {
	return k.DeletedAt == nil && !r.bringsBack(k.UpstreamDeletedAt) && k.Reference == r.Reference &&
		string(k.RawHash) == string(r.Hash()) && k.means(r, mapVersion)
}

// judged tells that the state which the row shows is the one that was already judged by a newer map than the row carries:
// the newer judgement stands.
func (k *Known) judged(r *Row, mapVersion int32) bool {
	return mapVersion < k.StateMapVersion && Fold(r.UpstreamState) == k.UpstreamStateKey
}

func (k *Known) means(r *Row, mapVersion int32) bool {
	return r.Meaning == k.Meaning || k.judged(r, mapVersion)
}

// bringsBack tells that the row takes back the mark of an order that was gone from its shop. A page that was asked for before
// the shop denied the order, and arrives late, does not.
func (r *Row) bringsBack(gone *time.Time) bool { return gone != nil && r.ObservedAt.After(*gone) }

// Decision is what one row, or a change that concerns the shop's word, does to one order.
type Decision struct {
	Row         *Row // nil where no row of a shop caused it
	Outcome     Outcome
	OrderID     int64 // 0 when nothing is stored
	Reason      RejectReason
	Message     string // for a rejected row: why, without personal data
	BecameReady bool
	// The rest holds for CREATED and UPDATED only.
	Order        *Order // as it shall be stored
	ItemsChanged bool
	Entry        *Entry // its history row, nil when nothing changed that a history tells; the order's id is filled by storage for a new order
}

// shopWentBack is how much later than the stored observation an older change time must have been seen to be believed: the
// shop restored something, or its clock was set back. Anything sooner is a slow request that was overtaken.
const shopWentBack = 10 * time.Minute

// stale tells that the row is older than what is stored. Only the shop's own times are compared; ours decide between
// equal ones, by when each request was sent.
func (r *Row) stale(stored *Order) bool {
	if gone := stored.UpstreamDeletedAt; gone != nil && !r.ObservedAt.After(*gone) {
		return true // a slow answer from before the shop was found to have no such order
	}
	if stored.ObservedAt == nil {
		return false
	}
	if stored.UpstreamUpdatedAt == nil || r.UpdatedAt.IsZero() {
		return r.ObservedAt.Before(*stored.ObservedAt)
	}
	switch r.UpdatedAt.Compare(*stored.UpstreamUpdatedAt) {
	case -1:
		return r.ObservedAt.Before(stored.ObservedAt.Add(shopWentBack))
	case 0:
		return r.ObservedAt.Before(*stored.ObservedAt)
	default:
		return false
	}
}

// Ingester judges rows of one store. It is made per batch and holds what is true of the whole batch.
type Ingester struct {
	StoreID         string
	Trigger         Trigger
	StateMapVersion int32
	CourierKnows    bool // a courier account carries the store
	Gazetteer       *Gazetteer
	Zone            *time.Location
	Now             time.Time
}

// Judge decides what a row does to the order stored under its identity, nil when there is none. The row has passed
// [Row.Check]. The newest map that is known of the store corrects what rows say that were judged by an older one.
func (in *Ingester) Judge(stored *Order, r *Row, newest StateMap) Decision {
	if stored == nil {
		return in.create(r, newest)
	}
	d := Decision{Row: r, OrderID: stored.ID}
	switch {
	case stored.Reference != r.Reference:
		// Another order under a known number: the row comes from another shop (lessons P5 to P7).
		d.Outcome, d.Reason = Rejected, IdentityMismatch
		d.Message = fmt.Sprintf("order %d of this store is stored with another reference", r.UpstreamID)
	case stored.DeletedAt != nil:
		d.Outcome = Deleted
	case in.known(stored).says(r, in.StateMapVersion) && !(stored.overruled() && stored.shopAlone(in.CourierKnows)):
		d.Outcome = Unchanged
	case r.stale(stored):
		d.Outcome = Stale
	default:
		return in.update(stored, r, newest)
	}
	return d
}

func (in *Ingester) known(o *Order) *Known {
	return &Known{
		ID: o.ID, UpstreamID: o.UpstreamID, Reference: o.Reference, RawHash: o.RawHash, Meaning: o.Meaning,
		UpstreamStateKey: o.UpstreamStateKey, StateMapVersion: o.StateMapVersion,
		UpstreamDeletedAt: o.UpstreamDeletedAt, DeletedAt: o.DeletedAt, Disagreement: o.Disagreement,
	}
}

func (in *Ingester) create(r *Row, newest StateMap) Decision {
	o := &Order{Identity: Identity{Origin: FromShop, StoreID: in.StoreID, UpstreamID: r.UpstreamID, Reference: r.Reference}}
	o.PlacedAt = r.PlacedAt
	in.copy(o, r)
	meaning, version := newest.hears(r, in.StateMapVersion)
	o.StateMapVersion = version
	o.TouchedAt = r.happened() // an old order is as old as the shop says, not as new as its import (lesson P19)
	o.hear(meaning, in.hearing(r.happened()))
	after := o.snapshotJSON()
	return Decision{
		Row: r, Outcome: Created, Order: o, ItemsChanged: len(o.Items) > 0, BecameReady: o.Assignable(),
		Entry: &Entry{Kind: KindCreated, Source: SourceShop, Trigger: in.Trigger, StatusAfter: o.Status, After: after},
	}
}

func (in *Ingester) update(stored *Order, r *Row, newest StateMap) Decision {
	o := *stored
	meaning, version := newest.hears(r, in.StateMapVersion)
	if in.known(stored).judged(r, version) {
		meaning, version = stored.Meaning, stored.StateMapVersion
	}
	in.copy(&o, r)
	o.StateMapVersion = version
	o.PlacedAt = r.PlacedAt
	if r.bringsBack(stored.UpstreamDeletedAt) {
		o.UpstreamDeletedAt = nil
	}
	if o.WilayaCode != stored.WilayaCode {
		o.promise(in.Gazetteer, in.Zone)
	}
	if at := r.happened(); at.After(o.TouchedAt) {
		o.TouchedAt = at
	}
	o.hear(meaning, in.hearing(r.happened()))
	d := changed(stored, &o, in.Trigger)
	d.Row = r
	return d
}

// changed is the decision to store an order as it has become by the shop's word, with its history row.
func changed(stored, o *Order, t Trigger) Decision {
	o.ShopVersion++
	kind := KindShopFields
	if o.Status != stored.Status {
		kind = KindStatus
	}
	if o.Status != stored.Status {
		o.Version++ // a save that did not see where the order is now is a real conflict; one that missed a flag is not
	}
	d := Decision{
		Outcome: Updated, OrderID: o.ID, Order: o, ItemsChanged: !equalItems(stored.Items, o.Items),
		BecameReady: stored.ReadyAt == nil && o.ReadyAt != nil && !o.Status.Terminal(),
	}
	if before, after := diff(stored, o); string(after) != "{}" {
		d.Entry = &Entry{
			OrderID: o.ID, Kind: kind, Source: SourceShop, Trigger: t,
			StatusBefore: stored.Status, StatusAfter: o.Status, Before: before, After: after,
		}
	}
	return d
}

// copy takes over what the shop owns.
func (in *Ingester) copy(o *Order, r *Row) {
	observed := r.ObservedAt
	o.UpstreamState, o.UpstreamStateKey = r.UpstreamState, Fold(r.UpstreamState)
	o.ConfirmationState = r.ConfirmationState
	o.ObservedAt, o.RawHash = &observed, r.Hash()
	o.UpstreamUpdatedAt = nil
	if !r.UpdatedAt.IsZero() {
		updated := r.UpdatedAt
		o.UpstreamUpdatedAt = &updated
	}
	o.name(r.FullName)
	o.phone(r.Phone)
	o.Wilaya, o.WilayaCode = r.Wilaya, in.Gazetteer.Code(r.Wilaya)
	o.Commune, o.Address = r.Commune, r.Address
	o.Amounts, o.Items = r.Amounts, r.Items
}

func (in *Ingester) hearing(at time.Time) Hearing {
	return Hearing{
		At: at, Now: in.Now, ByBackfill: in.Trigger == Backfill, CourierKnows: in.CourierKnows,
		Gazetteer: in.Gazetteer, Zone: in.Zone,
	}
}

// happened is when the row came to be as it is, by the shop's change time; a shop's clock that runs ahead is not believed
// beyond the moment the row was seen.
func (r *Row) happened() time.Time {
	if r.UpdatedAt.IsZero() || r.UpdatedAt.After(r.ObservedAt) {
		return r.ObservedAt
	}
	return r.UpdatedAt
}
