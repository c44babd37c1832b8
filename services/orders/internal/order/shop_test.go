package order

import (
	"fmt"
	"testing"
	"time"
)

var (
	inAlgiers = mustZone("Africa/Algiers")
	monday    = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tuesday   = monday.Add(24 * time.Hour)
	someMap   = int32(3)
	storeOne  = "0190f1d2-0000-7000-8000-00000000000a"
)

func mustZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

func intake(trigger Trigger, courierKnows bool, now time.Time) *Ingester {
	return &Ingester{
		StoreID: storeOne, Trigger: trigger, StateMapVersion: someMap, CourierKnows: courierKnows,
		Gazetteer: NewGazetteer(someWilayas), Zone: inAlgiers, Now: now,
	}
}

// said is a row whose shop wrote the state at the time, seen half a minute later.
func said(state string, m Meaning, at time.Time) *Row {
	return &Row{
		UpstreamID: 700123, Reference: "DEMOA700123", ObservedAt: at.Add(30 * time.Second), UpdatedAt: at, PlacedAt: monday.Add(-2 * time.Hour),
		UpstreamState: state, Meaning: m, FullName: "Amina Exemple", Phone: "0550 00 00 01", Wilaya: "Alger",
		Items:   []Item{{UpstreamLineID: 1, SKU: "SKU-1", Title: "Montre", Quantity: 2, UnitPrice: ptr(int64(160_000))}},
		Amounts: Amounts{GoodsTotal: 320_000, ShippingFee: 40_000, Due: 360_000, Currency: DZD},
		Raw:     fmt.Appendf(nil, `{"state":%q,"at":%d}`, state, at.Unix()),
	}
}

func ptr[T any](v T) *T { return &v }

// stored is what the first sight of a row leaves in storage.
func stored(t *testing.T, in *Ingester, r *Row) *Order {
	t.Helper()
	d := in.Judge(nil, r, StateMap{})
	if d.Outcome != Created {
		t.Fatalf("first sight of %q: %s %s", r.UpstreamState, d.Outcome, d.Message)
	}
	d.Order.ID, d.Order.Version, d.Order.ShopVersion = 1, 1, 1
	return d.Order
}

func next(t *testing.T, in *Ingester, o *Order, r *Row) Decision {
	t.Helper()
	d := in.Judge(o, r, StateMap{})
	if d.Outcome != Updated {
		t.Fatalf("%q after %q: %s", r.UpstreamState, o.UpstreamState, d.Outcome)
	}
	return d
}

func TestAtFirstSightTheMeaningIsTheStatusAndOnlyFollowUpIsReady(t *testing.T) {
	for _, c := range []struct {
		state   string
		meaning Meaning
		status  Status
		ready   bool
		ended   func(*Order) *time.Time
	}{
		{"En confirmation", NoMeaning, Pending, false, nil},
		{"En dispatch", FollowUp, Pending, true, nil},
		{"En livraison", FollowUp, Pending, true, nil}, // late: first seen when it had long left
		{"Annulé", ShopCancelled, Cancelled, false, func(o *Order) *time.Time { return o.CancelledAt }},
		{"Livrée", ShopDelivered, Delivered, false, func(o *Order) *time.Time { return o.DeliveredAt }},
		{"Retourné", ShopReturned, Returned, false, func(o *Order) *time.Time { return o.ReturnedAt }},
	} {
		for n, trigger := range []Trigger{Pass, Rescan, Webhook} {
			courierKnows := n > 0 // whoever knows, there is nobody to contradict at first sight
			d := intake(trigger, courierKnows, tuesday).Judge(nil, said(c.state, c.meaning, monday), StateMap{})
			o := d.Order
			if o.Status != c.status || (o.ReadyAt != nil) != c.ready || d.BecameReady != c.ready || o.Disagreement != Agreed {
				t.Errorf("%s: %+v, became ready %v", c.state, o.Life, d.BecameReady)
			}
			if c.ended != nil && (c.ended(o) == nil || !c.ended(o).Equal(monday)) {
				t.Errorf("%s ended at %v; want the shop's time", c.state, c.ended(o))
			}
			if c.status == Cancelled && o.CancelledBy != CancelledByShop {
				t.Errorf("%s is a cancellation of %q", c.state, o.CancelledBy)
			}
		}
	}
}

func TestALateEnLivraisonIsReadyAndPromisedFromWhatTheShopSaid(t *testing.T) {
	o := stored(t, intake(Pass, true, tuesday), said("En livraison", FollowUp, monday))
	wantBy := time.Date(2026, 3, 5, 0, 0, 0, 0, inAlgiers) // Monday and two days, to the end of Wednesday
	if !o.ReadyAt.Equal(tuesday) || !o.DispatchedAt.Equal(monday) || !o.DeliverBy.Equal(wantBy) {
		t.Errorf("ready %v, dispatched %v, deliver by %v; want %v", o.ReadyAt, o.DispatchedAt, o.DeliverBy, wantBy)
	}
}

func TestReadyIsALatchThatAnyTriggerSets(t *testing.T) {
	for _, trigger := range []Trigger{Pass, Rescan, Webhook, Backfill} {
		o := stored(t, intake(trigger, true, monday), said("En confirmation", NoMeaning, monday))
		d := next(t, intake(trigger, true, tuesday), o, said("En dispatch", FollowUp, tuesday))
		if !d.BecameReady || d.Order.ReadyAt == nil {
			t.Errorf("%s: a later change to FOLLOW_UP left the order unready", trigger)
		}
		back := next(t, intake(trigger, true, tuesday), d.Order, said("En préparation", NoMeaning, tuesday.Add(time.Hour)))
		if back.Order.ReadyAt == nil {
			t.Errorf("%s: the latch was cleared", trigger)
		}
		again := next(t, intake(trigger, true, tuesday.Add(2*time.Hour)), back.Order, said("En dispatch", FollowUp, tuesday.Add(2*time.Hour)))
		if again.BecameReady || !again.Order.ReadyAt.Equal(*d.Order.ReadyAt) {
			t.Errorf("%s: the latch was set twice", trigger)
		}
	}
}

// Lesson P40: a bulk import of history assigned 132,414 orders in one go.
func TestABackfillNeverMakesHistoryReady(t *testing.T) {
	d := intake(Backfill, true, tuesday).Judge(nil, said("En dispatch", FollowUp, monday), StateMap{})
	if d.BecameReady || d.Order.ReadyAt != nil || d.Order.DispatchedAt == nil {
		t.Errorf("a backfilled row is ready: %+v", d.Order.Life)
	}
	o := d.Order
	d = next(t, intake(Pass, true, tuesday), o, said("En livraison", FollowUp, tuesday))
	if d.BecameReady {
		t.Error("the same meaning in other words released a backfilled order")
	}
}

func TestTheShopCancelsWhatIsNotOnTheRoadAndTakesItBack(t *testing.T) {
	for _, status := range Statuses() {
		if status.Terminal() {
			continue
		}
		o := stored(t, intake(Pass, true, monday), said("En dispatch", FollowUp, monday))
		o.Status = status
		if status != Pending {
			o.AgentID = someone
		}
		d := next(t, intake(Pass, true, tuesday), o, said("Annulé", ShopCancelled, tuesday))
		if status == Shipped {
			if d.Order.Status != Shipped || d.Order.Disagreement != ShopSaysCancelled {
				t.Errorf("a cancelled parcel on the road: %+v", d.Order.Life)
			}
			continue
		}
		if d.Order.Status != Cancelled || d.Order.CancelledBy != CancelledByShop || d.Order.Disagreement != Agreed || d.Entry.Kind != KindStatus {
			t.Errorf("cancelled by the shop in %s: %+v", status, d.Order.Life)
		}
		back := next(t, intake(Pass, true, tuesday), d.Order, said("En dispatch", FollowUp, tuesday.Add(time.Hour)))
		want := Pending
		if d.Order.AgentID != "" {
			want = Assigned
		}
		if back.Order.Status != want || back.Order.CancelledAt != nil || back.Order.CancelledBy != "" || back.Order.Disagreement != Agreed {
			t.Errorf("taken back from %s: %+v; want %s", status, back.Order.Life, want)
		}
	}
}

func TestAPersonsCancellationIsNotTheShopsToTakeBack(t *testing.T) {
	o := stored(t, intake(Pass, true, monday), said("En confirmation", NoMeaning, monday))
	o.Status, o.CancelledBy, o.CancelledAt = Cancelled, CancelledByPerson, &monday
	d := next(t, intake(Pass, true, tuesday), o, said("En dispatch", FollowUp, tuesday))
	if d.Order.Status != Cancelled || d.Order.Disagreement != ShopTookBack {
		t.Errorf("the shop goes on with what a person cancelled: %+v", d.Order.Life)
	}
	if d.BecameReady || d.Order.ReadyAt == nil {
		t.Error("a terminal status masks the latch, it does not hold it back")
	}
}

func TestAReopenedOrderStaysOpenUntilTheShopSaysSomethingNew(t *testing.T) {
	o := stored(t, intake(Pass, false, monday), said("Annulé", ShopCancelled, monday))
	o.Status, o.CancelledBy, o.CancelledAt = Pending, "", nil // a manager reopened it
	r := said("Annulé", ShopCancelled, tuesday)
	r.Address = "another street"
	if d := next(t, intake(Pass, false, tuesday), o, r); d.Order.Status != Pending {
		t.Errorf("a new address cancelled the order again: %+v", d.Order.Life)
	}
}

func TestTheShopCompletesOnlyWhereNoCourierKnowsBetter(t *testing.T) {
	for _, end := range []struct {
		state   string
		meaning Meaning
		status  Status
		flag    Disagreement
	}{
		{"Livré", ShopDelivered, Delivered, ShopSaysDelivered},
		{"Encaissé", ShopDelivered, Delivered, ShopSaysDelivered},
		{"Retour", ShopReturned, Returned, ShopSaysReturned},
	} {
		for _, courierKnows := range []bool{false, true} {
			for _, parcel := range []string{"", "parcel-9"} {
				o := stored(t, intake(Pass, courierKnows, monday), said("En dispatch", FollowUp, monday))
				o.ParcelID = parcel
				before := monday.Add(time.Hour)
				o.NoParcelAt = &before // a look before the shop said so proves nothing
				d := next(t, intake(Pass, courierKnows, tuesday), o, said(end.state, end.meaning, tuesday))
				want, flag := Pending, end.flag
				if !courierKnows && parcel == "" {
					want, flag = end.status, Agreed
				}
				if d.Order.Status != want || d.Order.Disagreement != flag {
					t.Errorf("%s, courier knows %v, parcel %q: %s %q; want %s %q",
						end.state, courierKnows, parcel, d.Order.Status, d.Order.Disagreement, want, flag)
				}
			}
		}
	}
}

func TestALookAfterTheShopSaidSoLetsItsWordStand(t *testing.T) {
	o := stored(t, intake(Pass, true, monday), said("En dispatch", FollowUp, monday))
	d := next(t, intake(Pass, true, tuesday), o, said("Livré", ShopDelivered, tuesday))
	o = d.Order
	if o.shopAlone(true) {
		t.Error("the shop is believed before anybody looked for the parcel")
	}
	looked := tuesday.Add(time.Hour)
	if o.NoParcelAt = &looked; !o.shopAlone(true) {
		t.Error("the shop is not believed although a later look found no parcel")
	}
	if o.ParcelID = "parcel-9"; o.shopAlone(true) {
		t.Error("the shop is believed against a parcel")
	}
}

func TestADisagreementWithTheShopEndsWhenBothSayTheSame(t *testing.T) {
	o := stored(t, intake(Pass, true, monday), said("En dispatch", FollowUp, monday))
	o.Status = Shipped
	d := next(t, intake(Pass, true, tuesday), o, said("Annulé", ShopCancelled, tuesday))
	if d.Order.Disagreement != ShopSaysCancelled || d.Order.ETag() != o.ETag() {
		t.Fatalf("flag %q, etag %s; a flag that a sync sets makes no save stale", d.Order.Disagreement, d.Order.ETag())
	}
	d = next(t, intake(Pass, true, tuesday), d.Order, said("En livraison", FollowUp, tuesday.Add(time.Hour)))
	if d.Order.Disagreement != Agreed {
		t.Errorf("still flagged %q", d.Order.Disagreement)
	}
}

func TestTheSameWordIsFollowedAfterALaterLookFoundNoParcel(t *testing.T) {
	for _, end := range []struct {
		meaning Meaning
		status  Status
	}{{ShopDelivered, Delivered}, {ShopReturned, Returned}} {
		o := stored(t, intake(Pass, true, monday), said("En dispatch", FollowUp, monday))
		o = next(t, intake(Pass, true, tuesday), o, said("fini", end.meaning, tuesday)).Order
		if o.Status != Pending || o.Disagreement != end.meaning.protest() {
			t.Fatalf("before the look: %+v", o.Life)
		}
		again := said("fini", end.meaning, tuesday)
		again.ObservedAt = again.ObservedAt.Add(2 * time.Hour)
		if d := intake(Pass, true, tuesday).Judge(o, again, StateMap{}); d.Outcome != Unchanged {
			t.Errorf("the same word before anybody looked: %s", d.Outcome)
		}
		looked := tuesday.Add(time.Hour)
		o.NoParcelAt = &looked
		if d := next(t, intake(Pass, true, looked), o, again); d.Order.Status != end.status || d.Order.Disagreement != Agreed {
			t.Errorf("after the look: %+v; want %s", d.Order.Life, end.status)
		}
		o.ParcelID = "parcel-9"
		if d := intake(Pass, true, looked).Judge(o, again, StateMap{}); d.Outcome != Unchanged {
			t.Errorf("against a parcel: %s", d.Outcome)
		}
	}
}

func TestALookDoesNotUndoWhatAPersonDecided(t *testing.T) {
	o := stored(t, intake(Pass, true, monday), said("En dispatch", FollowUp, monday))
	o = next(t, intake(Pass, true, tuesday), o, said("Livré", ShopDelivered, tuesday)).Order
	o.move(Verdict{To: Cancelled}, ByManager, tuesday, tuesday) // the flag goes with it
	looked := tuesday.Add(time.Hour)
	o.NoParcelAt = &looked
	r := said("Livré", ShopDelivered, tuesday)
	r.ObservedAt, r.Address = looked, "another street"
	if d := next(t, intake(Pass, true, looked), o, r); d.Order.Status != Cancelled {
		t.Errorf("the shop overruled a manager: %+v", d.Order.Life)
	}
}

func TestAnOrderThatComesBackToADeskStandsInItsAgentsQueue(t *testing.T) {
	for by, taken := range map[Mover]Canceller{ByManager: CancelledByPerson, ByShop: CancelledByShop} {
		o := &Order{Life: Life{Status: Cancelled, CancelledBy: taken}, Work: Work{AgentID: someone}}
		v, err := Judge(o, Move{To: Pending, By: by, Reason: "the customer called"})
		if err != nil {
			t.Fatal(err)
		}
		o.move(v, by, monday, tuesday)
		if o.Status != Assigned || o.NextAction != "CALL" || o.NextActionAt == nil || !o.NextActionAt.Equal(tuesday) {
			t.Errorf("reopened by %s: %s, %q at %v", by, o.Status, o.NextAction, o.NextActionAt)
		}
	}
}

func TestAPromiseMovesWithThePlaceAndWithNothingElse(t *testing.T) {
	o := stored(t, intake(Pass, true, monday), said("En dispatch", FollowUp, monday))
	slow := intake(Pass, true, tuesday)
	var wilayas []Wilaya
	for _, w := range slow.Gazetteer.byCode {
		w.MaxDeliveryDays = 9
		wilayas = append(wilayas, w)
	}
	slow.Gazetteer = NewGazetteer(wilayas)
	r := said("En livraison", FollowUp, tuesday)
	if d := next(t, slow, o, r); !d.Order.DeliverBy.Equal(*o.DeliverBy) {
		t.Errorf("the promise moved from %v to %v though the place did not", o.DeliverBy, d.Order.DeliverBy)
	}
	r.Wilaya = "Béjaïa"
	if d := next(t, slow, o, r); d.Order.WilayaCode == o.WilayaCode || d.Order.DeliverBy.Equal(*o.DeliverBy) {
		t.Errorf("the place moved to %d and the promise stayed at %v", d.Order.WilayaCode, d.Order.DeliverBy)
	}
}
