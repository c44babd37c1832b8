// Package condition tells what is wrong with stores now.
//
// It owns which facts are a condition and in which words; a condition is gone
// when it is no longer told. It keeps nothing and does no I/O: internal/postgres
// reads the facts. Start reading at Of.
package condition

import (
	"fmt"
	"strings"
	"time"
)

// Kind of a condition; the values are those of the contract.
type Kind string

const (
	Paused         Kind = "store.paused"
	Stale          Kind = "store.stale"
	GapStuck       Kind = "store.gap_stuck"
	IDOnly         Kind = "store.id_only"
	UnknownState   Kind = "state.unknown"
	OpenQuarantine Kind = "quarantine.open"
)

// Condition is one thing that is wrong now.
type Condition struct {
	Kind    Kind
	StoreID string
	// Since is zero when nobody knows.
	Since   time.Time
	Message string
}

// Facts are what is known of one store that is not switched off.
type Facts struct {
	StoreID    string
	Identifier string
	// PausedAt is zero unless it is paused.
	PausedAt    time.Time
	PauseReason string
	// LastSuccessAt is the end of its last good pass, or when the store was
	// made.
	LastSuccessAt time.Time
	IDOnly        bool
	// StuckGaps counts gaps that failed three times, the first of them since
	// StuckSince.
	StuckGaps  int64
	StuckSince time.Time
	// Quarantined counts open rows, the first of them met at QuarantinedSince.
	Quarantined      int64
	QuarantinedSince time.Time
	// Unknown are states that no entry of the map covers, the first of them met
	// at UnknownSince.
	Unknown      []string
	UnknownSince time.Time
}

// Business hours, in the business zone: passes run every hour in them, so that
// a good pass is never more than this old.
const (
	opens   = 8
	closes  = 20
	patient = 75 * time.Minute
)

// Of tells what is wrong with one store.
func Of(f Facts, now time.Time, zone *time.Location) []Condition {
	var all []Condition
	tell := func(wrong bool, k Kind, since time.Time, format string, args ...any) {
		if wrong {
			all = append(all, Condition{Kind: k, StoreID: f.StoreID, Since: since, Message: f.Identifier + ": " + fmt.Sprintf(format, args...)})
		}
	}
	paused := !f.PausedAt.IsZero()
	tell(f.Quarantined > 0, OpenQuarantine, f.QuarantinedSince, "%d rows could not become orders: read their reasons, correct the orders in the shop and retry them", f.Quarantined)
	tell(len(f.Unknown) > 0, UnknownState, f.UnknownSince, "no rule of the state map names %s: add a rule for each", quoted(f.Unknown))
	tell(f.StuckGaps > 0, GapStuck, f.StuckSince, "%d parts of the listing failed three times and stay unread: every pass tries them again; look at the messages of its passes", f.StuckGaps)
	tell(f.IDOnly, IDOnly, time.Time{}, "the shop's order by change is not dependable: passes walk ids, and changes of older orders are seen by the daily rescan")
	tell(paused, Paused, f.PausedAt, "no pass runs (%s): resume the store when the reason is gone", f.PauseReason)
	since, stale := overdue(f.LastSuccessAt, now, zone)
	tell(stale && !paused, Stale, since, "no pass has succeeded since %s: look at the messages of its passes", f.LastSuccessAt.UTC().Format(time.RFC3339))
	return all
}

// overdue counts only business hours: nobody misses what is not run at night.
func overdue(last, now time.Time, zone *time.Location) (since time.Time, stale bool) {
	local := now.In(zone)
	if h := local.Hour(); h < opens || h >= closes {
		return time.Time{}, false
	}
	opened := time.Date(local.Year(), local.Month(), local.Day(), opens, 0, 0, 0, zone)
	if last.Before(opened) {
		last = opened
	}
	since = last.Add(patient)
	return since, now.After(since)
}

// quoted names a few and counts the others.
func quoted(states []string) string {
	const few = 5
	names := make([]string, 0, few)
	for _, s := range states[:min(few, len(states))] {
		names = append(names, fmt.Sprintf("%q", s))
	}
	text := strings.Join(names, ", ")
	if more := len(states) - few; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
