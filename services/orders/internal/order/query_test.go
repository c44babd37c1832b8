package order

import (
	"errors"
	"testing"
	"time"
)

func algiers(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Africa/Algiers")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestABusinessDayHoldsItsLastHourAndNotTheNext(t *testing.T) {
	start, end, err := Days("2025-11-18", "2025-11-18", algiers(t))
	if err != nil {
		t.Fatal(err)
	}
	// Algiers is UTC+1 all year: its day begins at 23:00 UTC the day before (lessons P63 and P70).
	if want := time.Date(2025, 11, 17, 23, 0, 0, 0, time.UTC); !start.Equal(want) {
		t.Errorf("start %v, want %v", start, want)
	}
	if want := time.Date(2025, 11, 18, 23, 0, 0, 0, time.UTC); !end.Equal(want) {
		t.Errorf("end %v, want %v", end, want)
	}
}

func TestADayThatIsNotInTheCalendarIsRefused(t *testing.T) {
	for _, day := range []string{"2025-02-30", "2025-13-01", "18-11-2025", "0000-00-00"} {
		if _, _, err := Days(day, "", time.UTC); !errors.Is(err, ErrDateInvalid) {
			t.Errorf("from %q: %v", day, err)
		}
		if _, _, err := Days("", day, time.UTC); !errors.Is(err, ErrDateInvalid) {
			t.Errorf("to %q: %v", day, err)
		}
	}
}

func TestAnAgentsListHoldsOwnOrdersWhateverIsAskedFor(t *testing.T) {
	agent := Person("018f0000-0000-7000-8000-000000000001", AgentSuivi)
	for _, asked := range []Filter{{}, {Unassigned: true}, {AgentIDs: []string{agent.ID}}} {
		if got := asked.SeenBy(agent); len(got.AgentIDs) != 1 || got.AgentIDs[0] != agent.ID {
			t.Errorf("%+v becomes %+v", asked, got)
		}
	}
	if got := (Filter{AgentIDs: []string{"somebody else"}}).SeenBy(agent); got.AgentIDs[0] != agent.ID || !got.Unassigned {
		t.Errorf("asking for a colleague's orders yields %+v, want a filter that nothing meets", got)
	}
	if got := (Filter{}).SeenBy(Person("018f0000-0000-7000-8000-000000000002", Manager)); got.AgentIDs != nil {
		t.Errorf("a manager's list was narrowed to %v", got.AgentIDs)
	}
}

func TestAPageTokenIsBoundToItsFiltersAndItsUser(t *testing.T) {
	alice, bob := Person("alice", Manager), Person("bob", Manager)
	base := Query{Filter: Filter{Statuses: []Status{Pending, Assigned}}, Sort: NewestFirst}
	reordered := Query{Filter: Filter{Statuses: []Status{Assigned, Pending}}, Sort: NewestFirst, Limit: 5, WithTotal: true}
	if base.scope(alice) != reordered.scope(alice) {
		t.Error("the same filter in another order, or another page size, is another list")
	}
	for name, other := range map[string]string{
		"user":   base.scope(bob),
		"status": Query{Filter: Filter{Statuses: []Status{Pending}}, Sort: NewestFirst}.scope(alice),
		"sort":   Query{Filter: base.Filter, Sort: OldestFirst}.scope(alice),
		"search": Query{Filter: Filter{Statuses: base.Filter.Statuses, Search: Search{Kind: SearchName, Words: []string{"a"}}}, Sort: NewestFirst}.scope(alice),
		"wilaya": Query{Filter: Filter{Statuses: base.Filter.Statuses, Wilayas: []int{16}}, Sort: NewestFirst}.scope(alice),
		"late":   Query{Filter: Filter{Statuses: base.Filter.Statuses, Late: true}, Sort: NewestFirst}.scope(alice),
	} {
		if other == base.scope(alice) {
			t.Errorf("another %s has the same scope", name)
		}
	}
}
