package condition_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/condition"
)

var algiers = time.FixedZone("", 3600)

func at(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, algiers) }

func TestAStoreIsStaleOnlyInBusinessHours(t *testing.T) {
	for name, tc := range map[string]struct {
		last, now, since time.Time
	}{
		"an hour is fine":                         {at(2, 9, 0), at(2, 10, 0), time.Time{}},
		"75 minutes and one":                      {at(2, 9, 0), at(2, 10, 16), at(2, 10, 15)},
		"in the morning yesterday counts nothing": {at(1, 20, 5), at(2, 9, 10), time.Time{}},
		"nothing came all morning":                {at(1, 20, 5), at(2, 9, 16), at(2, 9, 15)},
		"at night nobody waits":                   {at(1, 9, 0), at(2, 20, 0), time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			found := condition.Of(condition.Facts{StoreID: "s", Identifier: "NATU", LastSuccessAt: tc.last}, tc.now.UTC(), algiers)
			if stale := len(found) == 1 && found[0].Kind == condition.Stale; stale == tc.since.IsZero() || stale && !found[0].Since.Equal(tc.since) {
				t.Errorf("%+v", found)
			}
		})
	}
}

func TestEveryTroubleIsTold(t *testing.T) {
	found := condition.Of(condition.Facts{
		StoreID: "s", Identifier: "NATU", PausedAt: at(1, 9, 0), PauseReason: "token refused", LastSuccessAt: at(1, 9, 0), IDOnly: true,
		StuckGaps: 1, Quarantined: 2, Unknown: []string{"a", "b", "c", "d", "e", "Expédié"},
	}, at(2, 12, 0), algiers)
	var kinds []condition.Kind
	for _, c := range found {
		kinds = append(kinds, c.Kind)
	}
	// A paused store is not also stale: one cause, one alarm.
	want := []condition.Kind{condition.OpenQuarantine, condition.UnknownState, condition.GapStuck, condition.IDOnly, condition.Paused}
	if !slices.Equal(kinds, want) {
		t.Errorf("%v", kinds)
	}
	if !strings.HasSuffix(found[1].Message, "and 1 more: add a rule for each") {
		t.Error(found[1].Message)
	}
}
