package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

func TestANewMapJudgesTheStoredOrdersAnew(t *testing.T) {
	a := saved()
	a.held = store.HeldStates{States: []string{"Expédié", "Livrée"}, Applied: 1}
	s := service(t, a)
	entries := append(statemap.Default(), statemap.Entry{State: "expedie", Meaning: statemap.FollowUp})
	change := store.MapChange{Version: 1, Entries: entries, ValidateOnly: true}

	version, done, err := s.UpdateStateMap(t.Context(), "id-1", change, store.Request{})
	if err != nil || version != 1 || done.MeaningChanged != 2 || a.states.Version != 1 || a.remapped != nil {
		t.Fatalf("a preview: version %d, %+v, %v; it changed the map to %d", version, done, err, a.states.Version)
	}
	change.ValidateOnly = false
	version, _, err = s.UpdateStateMap(t.Context(), "id-1", change, store.Request{})
	want := []store.StateMeaning{{State: "Expédié", Meaning: statemap.FollowUp}, {State: "Livrée", Meaning: statemap.Delivered}}
	if diff := cmp.Diff(want, a.remapped); err != nil || version != 2 || diff != "" {
		t.Errorf("version %d, %v (-want +got):\n%s", version, err, diff)
	}
	// The same call again, with the version it read then: nothing new is saved.
	if version, _, err = s.UpdateStateMap(t.Context(), "id-1", change, store.Request{}); err != nil || version != 2 {
		t.Errorf("a repetition: version %d, %v", version, err)
	}
	change.Entries = statemap.Default()
	if _, _, err = s.UpdateStateMap(t.Context(), "id-1", change, store.Request{}); !errors.Is(err, store.ErrMapStale) {
		t.Errorf("another map over a version that is gone: %v", err)
	}
	change.Entries = append(statemap.Default(), statemap.Entry{State: "Livrés", Prefix: true, Meaning: statemap.None})
	var invalid *statemap.InvalidError
	if _, _, err = s.UpdateStateMap(t.Context(), "id-1", change, store.Request{}); !errors.As(err, &invalid) || invalid.Index != len(change.Entries)-1 {
		t.Errorf("a contradiction: %v", err)
	}
}

func TestAMapThatCouldNotBeAppliedIsAppliedByTheNextPass(t *testing.T) {
	a := saved()
	a.held = store.HeldStates{States: []string{"Expédié"}, Applied: 1}
	a.away = true
	s := service(t, a)
	entries := append(statemap.Default(), statemap.Entry{State: "Expédié", Meaning: statemap.FollowUp})
	if _, _, err := s.UpdateStateMap(t.Context(), "id-1", store.MapChange{Entries: entries}, store.Request{}); !errors.Is(err, store.ErrOrdersUnavailable) {
		t.Fatal(err)
	}
	if err := s.ApplyMap(t.Context(), "id-1"); !errors.Is(err, store.ErrOrdersUnavailable) {
		t.Errorf("a pass that cannot apply the map: %v", err)
	}
	a.away = false
	if err := s.ApplyMap(t.Context(), "id-1"); err != nil || a.held.Applied != 2 || len(a.remapped) != 1 || a.remapped[0].Meaning != statemap.FollowUp {
		t.Errorf("%v, applied %d, %+v", err, a.held.Applied, a.remapped)
	}
	a.remapped = nil
	if err := s.ApplyMap(t.Context(), "id-1"); err != nil || a.remapped != nil {
		t.Errorf("an applied map is applied again: %v, %+v", err, a.remapped)
	}
}
