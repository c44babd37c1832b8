package order

import (
	"context"
	"errors"
	"time"
)

// StateMap is what one version of a store's map makes of the states it names, in the shop's words. The map is edited in another
// service; what follows from it for orders is decided here.
type StateMap struct {
	Version  int32
	Meanings map[string]Meaning
}

// hears is the meaning of a row that was judged by version `by`, and the version that gave it. A pass that started before the
// map was changed still carries the old one: where the newer map names the row's state, the newer judgement stands.
func (m StateMap) hears(r *Row, by int32) (Meaning, int32) {
	if meaning, named := m.Meanings[r.UpstreamState]; named && by < m.Version {
		return meaning, m.Version
	}
	return r.Meaning, by
}

// HeldState is how many orders of a store hold a state that was given a meaning.
type HeldState struct {
	State   string  `db:"state"`
	Meaning Meaning `db:"meaning"`
	Orders  int     `db:"orders"` // counting stops at a limit
}

// MapVersions are the versions of a store's map as far as its orders know them; 0 before the first.
type MapVersions struct {
	Applied int32 `db:"version"`        // every order was judged by it or a later one
	Target  int32 `db:"target_version"` // begun last; rows that carry an older one are judged by it
}

// Slice is the orders of a store that hold one state with one meaning, given by a version before Before. Orders deleted here
// and those made by hand are in none.
type Slice struct {
	StoreID string
	State   string
	Meaning Meaning
	Before  int32
}

// ErrMapReplaced says that a newer version of the map was begun, so that this one has nothing left to do.
var ErrMapReplaced = errors.New("a newer version of the state map was begun meanwhile")

// Maps keeps by which state map the orders of each store are judged.
type Maps interface {
	// States reads which states a store's orders hold with which meanings, sorted by state, each counted up to limit, and the
	// versions of its map.
	States(ctx context.Context, storeID string, limit int) ([]HeldState, MapVersions, error)
	// BeginRemap makes m the map by which rows are judged that carry an older version: when it answers, no ingest that did not
	// know of it is under way. False, and nothing done, when a newer one was begun. It may be repeated.
	BeginRemap(ctx context.Context, storeID string, m StateMap) (bool, error)
	// Remap locks the first orders of a slice behind the id `after`, at most limit, asks `judge` about each, and writes what it
	// decided with its history row, all in one transaction. `judge` may be asked more than once about an order. No decision means that
	// the slice is empty from there. ErrMapReplaced when version sl.Before is not the one begun last.
	Remap(ctx context.Context, sl Slice, after int64, limit int, judge func(stored *Order) Decision) ([]Decision, error)
	// Slice reads the orders that Remap would ask about, without a lock.
	Slice(ctx context.Context, sl Slice, after int64, limit int) ([]*Order, error)
	// FinishRemap marks a version as applied, unless a newer one was begun. It may be repeated.
	FinishRemap(ctx context.Context, storeID string, version int32) error
}

// States answers every state that a store's orders hold, by name, with their number as far as it is counted, and the version
// of the map that was applied last.
func (s *Service) States(ctx context.Context, storeID string, limit int) ([]HeldState, int32, error) {
	held, versions, err := s.store.States(ctx, storeID, limit)
	if err != nil {
		return nil, 0, err
	}
	var states []HeldState
	for _, h := range held {
		if n := len(states); n > 0 && states[n-1].State == h.State { // the same state, judged by another map
			states[n-1].Orders = min(states[n-1].Orders+h.Orders, limit)
			continue
		}
		states = append(states, HeldState{State: h.State, Orders: h.Orders})
	}
	return states, versions.Applied, nil
}

// Remapped is what a new version of a state map changed.
type Remapped struct{ MeaningChanged, BecameReady int }

func (r *Remapped) count(d Decision) {
	if d.Outcome == Updated {
		r.MeaningChanged++
	}
	if d.BecameReady {
		r.BecameReady++
	}
}

// remapBatch is how many orders one transaction judges: few enough that nobody waits long for a lock, many enough that twenty
// thousand orders are forty transactions.
const remapBatch = 500

// Remap judges a store's orders anew by m and answers what this call changed. It works in transactions of [remapBatch] orders: an
// order that was judged is left alone when an interrupted call is repeated, and the version counts as applied when the last is
// done. Rows that are ingested meanwhile are judged by m already, so no order slips from a state still to be judged into one
// that is done. A version older than the one begun last changes nothing.
func (s *Service) Remap(ctx context.Context, storeID string, m StateMap) (Remapped, error) {
	var total Remapped
	begun, err := s.store.BeginRemap(ctx, storeID, m)
	if err != nil || !begun {
		return total, err
	}
	err = s.eachSlice(ctx, storeID, m, func(sl Slice, in *Ingester) error {
		judge := func(stored *Order) Decision { return in.rejudge(stored, m.Meanings[sl.State]) }
		for after := int64(0); ; {
			decisions, err := s.store.Remap(ctx, sl, after, remapBatch, judge)
			if err != nil || len(decisions) == 0 {
				return err
			}
			for _, d := range decisions {
				total.count(d)
			}
			after = decisions[len(decisions)-1].OrderID
		}
	})
	if errors.Is(err, ErrMapReplaced) {
		return total, nil
	}
	if err != nil {
		return total, err
	}
	return total, s.store.FinishRemap(ctx, storeID, m.Version)
}

// PreviewRemap counts what Remap would change, by the same judgement, and neither locks nor writes.
func (s *Service) PreviewRemap(ctx context.Context, storeID string, m StateMap) (Remapped, error) {
	var total Remapped
	err := s.eachSlice(ctx, storeID, m, func(sl Slice, in *Ingester) error {
		for after := int64(0); ; {
			stored, err := s.store.Slice(ctx, sl, after, remapBatch)
			if err != nil || len(stored) == 0 {
				return err
			}
			for _, o := range stored {
				total.count(in.rejudge(o, m.Meanings[sl.State]))
			}
			after = stored[len(stored)-1].ID
		}
	})
	return total, err
}

// eachSlice walks over what m judges otherwise than it was judged; over nothing when a newer version was begun.
func (s *Service) eachSlice(ctx context.Context, storeID string, m StateMap, do func(Slice, *Ingester) error) error {
	held, versions, err := s.store.States(ctx, storeID, 1)
	if err != nil || m.Version < versions.Target {
		return err
	}
	atlas, err := s.gazetteer(ctx)
	if err != nil {
		return err
	}
	_, courierKnows, err := s.store.Known(ctx, storeID, nil)
	if err != nil {
		return err
	}
	in := &Ingester{
		StoreID: storeID, Trigger: MapEdit, StateMapVersion: m.Version, CourierKnows: courierKnows,
		Gazetteer: atlas, Zone: s.zone, Now: s.now(),
	}
	for _, h := range held {
		if meaning, named := m.Meanings[h.State]; !named || meaning == h.Meaning {
			continue
		}
		if err := do(Slice{StoreID: storeID, State: h.State, Meaning: h.Meaning, Before: m.Version}, in); err != nil {
			return err
		}
	}
	return nil
}

// happened is when a stored order came to be as its shop shows it, as [Row.happened] has it; now when no shop ever showed it.
func (o *Order) happened(now time.Time) time.Time {
	if o.ObservedAt == nil {
		return now
	}
	r := Row{ObservedAt: *o.ObservedAt}
	if o.UpstreamUpdatedAt != nil {
		r.UpdatedAt = *o.UpstreamUpdatedAt
	}
	return r.happened()
}

// rejudge hears the state that is stored as the new version of the map means it. What the shop showed, and when, stays.
func (in *Ingester) rejudge(stored *Order, m Meaning) Decision {
	o := *stored
	o.StateMapVersion = in.StateMapVersion
	o.hear(m, in.hearing(stored.happened(in.Now)))
	return changed(stored, &o, in.Trigger)
}
