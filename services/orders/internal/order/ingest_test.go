package order

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestARowIsJudgedByTheShopsOwnTimes(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct {
		name              string
		updated, observed time.Duration // after the stored ones
		noTime            bool          // the shop gave no change time
		want              Outcome
	}{
		{"newer in the shop", minute, minute, false, Updated},
		{"newer in the shop, by a request sent earlier", minute, -minute, false, Updated},
		{"the same moment, seen later", 0, minute, false, Updated},
		{"the same moment, seen at the same time", 0, 0, false, Updated},
		{"the same moment, seen earlier", 0, -minute, false, Stale},
		{"older, by a slow request", -minute, minute, false, Stale},
		{"older, seen just under ten minutes later", -minute, 10*minute - time.Second, false, Stale},
		{"older, seen ten minutes later: the shop went back", -minute, 10 * minute, false, Updated},
		{"no time, seen later", 0, minute, true, Updated},
		{"no time, seen earlier", 0, -minute, true, Stale},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := intake(Pass, true, tuesday)
			o := stored(t, in, said("En dispatch", FollowUp, monday))
			r := said("En dispatch", FollowUp, monday)
			r.UpdatedAt, r.ObservedAt = monday.Add(c.updated), o.ObservedAt.Add(c.observed)
			if c.noTime {
				r.UpdatedAt = time.Time{}
			}
			r.Address = "Cité des Exemples, bâtiment 4"
			if got := in.Judge(o, r, StateMap{}).Outcome; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTheSameRowAgainIsUnchangedWhoeverReadsIt(t *testing.T) {
	o := stored(t, intake(Pass, true, monday), said("En dispatch", FollowUp, monday))
	for _, trigger := range []Trigger{Pass, Rescan, Webhook, Backfill} {
		r := said("En dispatch", FollowUp, monday)
		r.ObservedAt = tuesday
		if got := intake(trigger, true, tuesday).Judge(o, r, StateMap{}).Outcome; got != Unchanged {
			t.Errorf("by %s: %s", trigger, got)
		}
	}
}

func TestAKnownRowThatTheShopHadDeletedComesBack(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("En dispatch", FollowUp, monday))
	o.UpstreamDeletedAt = &monday
	r := said("En dispatch", FollowUp, monday)
	r.ObservedAt = tuesday
	if d := in.Judge(o, r, StateMap{}); d.Outcome != Updated || d.Order.UpstreamDeletedAt != nil {
		t.Errorf("got %s, deleted %v", d.Outcome, d.Order.UpstreamDeletedAt)
	}
}

// Lessons P5 to P7: rows of another tenant under known numbers.
func TestAnotherReferenceUnderAKnownIdIsRejected(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("En dispatch", FollowUp, monday))
	r := said("En dispatch", FollowUp, tuesday)
	r.Reference = "OTHER700123"
	if d := in.Judge(o, r, StateMap{}); d.Outcome != Rejected || d.Reason != IdentityMismatch || d.OrderID != 1 {
		t.Errorf("got %+v", d)
	}
}

func TestAnOrderDeletedHereIsLeftAlone(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("En dispatch", FollowUp, monday))
	o.DeletedAt = &monday
	if d := in.Judge(o, said("Livré", ShopDelivered, tuesday), StateMap{}); d.Outcome != Deleted {
		t.Errorf("got %s", d.Outcome)
	}
}

func TestAPassWithAnOlderStateMapDoesNotUndoTheNewerOne(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("Prêt à expédier", FollowUp, monday))
	older := *in
	older.StateMapVersion = someMap - 1
	r := said("Prêt à expédier", NoMeaning, tuesday)
	if d := older.Judge(o, r, StateMap{}); d.Order.Meaning != FollowUp || d.Order.StateMapVersion != someMap {
		t.Errorf("the older map made it %s at version %d", d.Order.Meaning, d.Order.StateMapVersion)
	}
	newer := *in
	newer.StateMapVersion = someMap + 1
	same := said("Prêt à expédier", NoMeaning, monday)
	if d := newer.Judge(o, same, StateMap{}); d.Outcome != Updated || d.Order.Meaning != NoMeaning {
		t.Errorf("a newer map over the same row: %s", d.Outcome)
	}
}

func TestASyncDoesNotMakeAnAgentsSaveStale(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("En dispatch", FollowUp, monday))
	r := said("En livraison", FollowUp, tuesday)
	r.Address = "another street"
	d := next(t, in, o, r)
	if d.Order.ETag() != o.ETag() || d.Order.ShopVersion != o.ShopVersion+1 {
		t.Errorf("etag %s after %s, shop version %d after %d", d.Order.ETag(), o.ETag(), d.Order.ShopVersion, o.ShopVersion)
	}
}

func TestHistoryHoldsTheChangedFieldsOnly(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("En dispatch", FollowUp, monday))
	r := said("En dispatch", FollowUp, tuesday)
	r.Commune, r.Amounts.Due = "Bab Ezzouar", 350_000
	d := next(t, in, o, r)
	got := []string{string(d.Entry.Kind), string(d.Entry.Before), string(d.Entry.After)}
	want := []string{"SHOP_FIELDS", `{"commune":null,"due":360000}`, `{"commune":"Bab Ezzouar","due":350000}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d.ItemsChanged {
		t.Error("the items did not change")
	}
}

func TestARowThatCannotBeStoredSaysWhy(t *testing.T) {
	for _, c := range []struct {
		want  RejectReason
		spoil func(*Row)
	}{
		{IDInvalid, func(r *Row) { r.UpstreamID = 0 }},
		{IDInvalid, func(r *Row) { r.UpstreamID = -4 }},
		{ReferenceInvalid, func(r *Row) { r.Reference = "" }},
		{ReferenceInvalid, func(r *Row) { r.Reference = strings.Repeat("A", 65) }},
		{ObservedAtInvalid, func(r *Row) { r.ObservedAt = time.Time{} }},
		{PlacedAtInvalid, func(r *Row) { r.PlacedAt = time.Time{} }},
		{PlacedAtInvalid, func(r *Row) { r.PlacedAt = time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{MoneyInvalid, func(r *Row) { r.Amounts.Due = -1 }},
		{MoneyInvalid, func(r *Row) { r.Fault, r.FaultText = MoneyInvalid, "in another currency" }},
		{MoneyInvalid, func(r *Row) { r.Items[0].UnitPrice = ptr(int64(-1)) }},
		{ItemInvalid, func(r *Row) { r.Items[0].Title = "" }},
		{ItemInvalid, func(r *Row) { r.Items[0].Quantity = 0 }},
		{ItemInvalid, func(r *Row) { r.Items = make([]Item, 201) }},
		{TextInvalid, func(r *Row) { r.FullName = "Amina\x00" }},
		{TextInvalid, func(r *Row) { r.FullName = "Amina\xff" }},
		{TextInvalid, func(r *Row) { r.Address = strings.Repeat("é", 1001) }},
		{NotRejected, func(r *Row) { r.Address = strings.Repeat("é", 1000) }},
		{NotRejected, func(r *Row) { r.Items, r.FullName, r.Phone = nil, "", "" }},
	} {
		r := said("En dispatch", FollowUp, monday)
		c.spoil(r)
		if got, message := r.Check(); got != c.want || (message == "") != (got == NotRejected) {
			t.Errorf("got %q %q, want %q", got, message, c.want)
		}
	}
}

func TestARowJudgedByAnOlderMapIsStoredAsJudgedByIt(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("En dispatch", FollowUp, monday))
	older := *in
	older.StateMapVersion = someMap - 1
	if d := next(t, &older, o, said("Annulé", NoMeaning, tuesday)); d.Order.StateMapVersion != someMap-1 {
		t.Errorf("a meaning of map %d is stored as judged by map %d, which will never correct it", someMap-1, d.Order.StateMapVersion)
	}
}

// Lesson P29: what was sent before the shop said that the order is gone is no sign that it came back.
func TestASlowPageDoesNotReviveADeletedOrder(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("En dispatch", FollowUp, monday))
	gone := o.ObservedAt.Add(5 * time.Minute)
	o.UpstreamDeletedAt = &gone
	for after, want := range map[time.Duration]Outcome{-time.Minute: Stale, 0: Stale, time.Minute: Updated} {
		r := said("En livraison", FollowUp, monday.Add(time.Minute))
		r.ObservedAt = gone.Add(after)
		if d := in.Judge(o, r, StateMap{}); d.Outcome != want {
			t.Errorf("sent %v after the deletion was seen: %s, want %s", after, d.Outcome, want)
		}
	}
}

func TestAChangeThatNobodyCanSeeHasNoHistory(t *testing.T) {
	in := intake(Pass, true, tuesday)
	o := stored(t, in, said("En dispatch", FollowUp, monday))
	if d := next(t, in, o, said("En dispatch", FollowUp, tuesday)); d.Entry != nil {
		t.Errorf("a history row that says %s became %s", d.Entry.Before, d.Entry.After)
	}
}

func TestAMeaningThatNobodyKnowsIsRejected(t *testing.T) {
	for _, m := range []Meaning{"", "7", "FOLLOWUP"} {
		if got, message := said("En dispatch", m, monday).Check(); got != MeaningInvalid || message == "" {
			t.Errorf("%q: %q %q", m, got, message)
		}
	}
}
