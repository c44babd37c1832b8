package store

import (
	"context"
	"slices"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
)

// MapChange is a whole new state map.
type MapChange struct {
	// Version that was read before; 0 writes over whatever is stored.
	Version int64
	Entries []statemap.Entry
	// ValidateOnly counts and changes nothing.
	ValidateOnly bool
}

// UpdateStateMap saves the entries as the next version of the map and has the
// store's orders judged anew by it; it answers the version in force. A map that
// is saved and could not be applied is applied by the repetition of the call,
// and by the next pass before it reads anything. Errors: ErrNotFound,
// ErrMapStale, *statemap.InvalidError, ErrOrdersUnavailable.
func (s *Service) UpdateStateMap(ctx context.Context, id string, c MapChange, r Request) (version int64, done Remapped, err error) {
	stored, err := s.repository.StateMap(ctx, id)
	if err != nil {
		return 0, Remapped{}, err
	}
	next, err := statemap.New(stored.Version+1, c.Entries)
	if err != nil {
		return 0, Remapped{}, err
	}
	// What is stored already is a repetition of the call that stored it: it only
	// has to be applied, whatever version its caller had read.
	same := slices.Equal(stored.Entries, c.Entries)
	if !same && c.Version != 0 && c.Version != stored.Version {
		return 0, Remapped{}, ErrMapStale
	}
	if c.ValidateOnly {
		done, err = s.remap(ctx, id, next, true)
		return stored.Version, done, err
	}
	if same {
		next = stored
	} else if next, err = s.repository.SaveStateMap(ctx, id, stored.Version, c.Entries, r); err != nil {
		return 0, Remapped{}, err
	}
	done, err = s.remap(ctx, id, next, false)
	return next.Version, done, err
}

// ApplyMap brings a store's orders to the present version of its map, unless
// they are there: the first step of every pass, which finishes what a call that
// broke off has begun.
func (s *Service) ApplyMap(ctx context.Context, id string) error {
	present, err := s.repository.StateMap(ctx, id)
	if err != nil {
		return err
	}
	held, err := s.orders.UpstreamStates(ctx, id)
	if err != nil || held.Applied >= present.Version {
		return err
	}
	_, err = s.orders.Remap(ctx, id, present.Version, judged(present, held), false)
	return err
}

func (s *Service) remap(ctx context.Context, id string, m statemap.Map, validateOnly bool) (Remapped, error) {
	held, err := s.orders.UpstreamStates(ctx, id)
	if err != nil {
		return Remapped{}, err
	}
	return s.orders.Remap(ctx, id, m.Version, judged(m, held), validateOnly)
}

// judged names every state: one that lost its entry means NONE again.
func judged(m statemap.Map, held HeldStates) []StateMeaning {
	meanings := make([]StateMeaning, len(held.States))
	for i, state := range held.States {
		meaning, _ := m.Meaning(state)
		meanings[i] = StateMeaning{State: state, Meaning: meaning}
	}
	return meanings
}
