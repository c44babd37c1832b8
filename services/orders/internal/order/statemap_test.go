package order

import (
	"testing"
	"time"
)

func TestAChangedMapMovesAnOrderAsTheShopItselfWould(t *testing.T) {
	for name, c := range map[string]struct {
		first       Trigger
		was, is     Meaning
		status      Status // before; empty: as the first sight left it
		parcel      string
		want        Status
		ready       bool // is the order ready then
		becameReady bool
		disagree    Disagreement
	}{
		"a state that nobody had mapped":          {first: Pass, was: NoMeaning, is: FollowUp, want: Pending, ready: true, becameReady: true},
		"the same of a backfilled order":          {first: Backfill, was: NoMeaning, is: FollowUp, want: Pending, ready: true, becameReady: true},
		"a backfilled order that waited":          {first: Backfill, was: FollowUp, is: NoMeaning, want: Pending},
		"a latch is never cleared":                {first: Pass, was: FollowUp, is: NoMeaning, want: Pending, ready: true},
		"a cancellation":                          {first: Pass, was: NoMeaning, is: ShopCancelled, want: Cancelled},
		"a cancellation that never was":           {first: Pass, was: ShopCancelled, is: FollowUp, want: Pending, ready: true, becameReady: true},
		"a delivery with nobody to ask":           {first: Pass, was: FollowUp, is: ShopDelivered, want: Delivered, ready: true},
		"a delivery that the courier has to tell": {first: Pass, was: FollowUp, is: ShopDelivered, parcel: "p1", want: Pending, ready: true, disagree: ShopSaysDelivered},
		"a cancellation on the road":              {first: Pass, was: FollowUp, is: ShopCancelled, status: Shipped, want: Shipped, ready: true, disagree: ShopSaysCancelled},
		"an end that was none":                    {first: Pass, was: ShopDelivered, is: FollowUp, want: Delivered, ready: true, disagree: ShopTookBack},
	} {
		o := stored(t, intake(c.first, false, monday), said("état", c.was, monday))
		if c.status != "" {
			o.Status = c.status
		}
		o.ParcelID = c.parcel
		before := *o
		in := intake(MapEdit, false, tuesday)
		in.StateMapVersion = someMap + 1
		d := in.rejudge(o, c.is)
		after := d.Order
		if after.Status != c.want || (after.ReadyAt != nil) != c.ready || d.BecameReady != c.becameReady || after.Disagreement != c.disagree {
			t.Errorf("%s: %s, ready %v, became ready %v, disagreement %q", name, after.Status, after.ReadyAt != nil, d.BecameReady, after.Disagreement)
		}
		if after.Meaning != c.is || after.StateMapVersion != someMap+1 || d.Outcome != Updated || d.ItemsChanged {
			t.Errorf("%s: %s at version %d, %s", name, after.Meaning, after.StateMapVersion, d.Outcome)
		}
		if moved := after.Status != before.Status; moved != (after.Version > before.Version) {
			t.Errorf("%s: the etag tells otherwise than the status", name)
		}
		if d.Entry.Source != SourceShop || d.Entry.Trigger != MapEdit || (d.Entry.Kind == KindStatus) != (after.Status != before.Status) {
			t.Errorf("%s: history %+v", name, d.Entry)
		}
		if !after.ObservedAt.Equal(*before.ObservedAt) || !after.TouchedAt.Equal(before.TouchedAt) {
			t.Errorf("%s: a map is no sign of life of the shop", name)
		}
	}
}

// Lesson P19: what happened then is dated then.
func TestAChangedMapDatesWhatFollowsByTheShopsTime(t *testing.T) {
	o := stored(t, intake(Pass, false, monday), said("Parti", NoMeaning, monday))
	in := intake(MapEdit, false, tuesday)
	d := in.rejudge(o, FollowUp)
	if !d.Order.DispatchedAt.Equal(monday) || !d.Order.ReadyAt.Equal(tuesday) || !d.Order.MeaningAt.Equal(tuesday) {
		t.Errorf("dispatched %v, ready %v, heard %v", d.Order.DispatchedAt, d.Order.ReadyAt, d.Order.MeaningAt)
	}
}

func TestARowThatCarriesAnOlderMapIsJudgedByTheNewestThatIsKnown(t *testing.T) {
	newest := StateMap{Version: someMap + 1, Meanings: map[string]Meaning{"Parti": FollowUp}}
	for name, c := range map[string]struct {
		state   string
		version int32
		want    Meaning
		by      int32
	}{
		"an older map, a state that is named": {"Parti", someMap, FollowUp, someMap + 1},
		"a state that is not named":           {"Rentré", someMap, ShopReturned, someMap},
		"the same version":                    {"Parti", someMap + 1, ShopReturned, someMap + 1},
		"a version that is newer still":       {"Parti", someMap + 2, ShopReturned, someMap + 2},
	} {
		in := intake(Pass, false, tuesday)
		first := stored(t, in, said("En confirmation", NoMeaning, monday))
		in.StateMapVersion = c.version
		row := said(c.state, ShopReturned, tuesday.Add(-time.Hour))
		for what, o := range map[string]*Order{"new": nil, "known": first} {
			d := in.Judge(o, row, newest)
			if d.Order == nil || d.Order.Meaning != c.want || d.Order.StateMapVersion != c.by {
				t.Errorf("%s, a %s order: %+v", name, what, d)
			}
		}
	}
}
