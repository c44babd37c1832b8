package order

import (
	"context"
	"time"
)

// Span is some upstream ids of a store.
type Span struct {
	From, To int64 // both included; 0 in To means no bound
	Limit    int   // most ids that are answered
}

// Held is what a store holds within a span.
type Held struct {
	// UpstreamIDs are neither marked deleted upstream nor deleted here, newest first.
	UpstreamIDs []int64
	// OldestOpen is the oldest id, of the whole store, of an order that has not ended; 0 when all have.
	OldestOpen int64
}

// Held tells a rescan what it may find missing, and how far down it has to read.
func (s *Service) Held(ctx context.Context, storeID string, span Span) (Held, error) {
	return s.store.Held(ctx, storeID, span)
}

// MarkDeleted marks orders that their shop denied at a moment, and answers how many carry the mark now and did not before. What
// was seen at that moment or later is left alone; no order is ever removed (lesson P29).
func (s *Service) MarkDeleted(ctx context.Context, storeID string, upstreamIDs []int64, at time.Time) (int, error) {
	decisions, err := s.store.Revise(ctx, storeID, upstreamIDs, func(stored *Order) Decision { return denied(stored, at) })
	if err != nil {
		return 0, err
	}
	marked := 0
	for _, d := range decisions {
		if d.Outcome == Updated {
			marked++
		}
	}
	return marked, nil
}

// denied judges that a shop answered at a moment to have no such order. Only a rescan asks a shop for what is missing.
func denied(stored *Order, at time.Time) Decision {
	d := Decision{OrderID: stored.ID}
	switch {
	case stored.DeletedAt != nil:
		d.Outcome = Deleted
	case stored.UpstreamDeletedAt != nil:
		d.Outcome = Unchanged
	case stored.ObservedAt != nil && !stored.ObservedAt.Before(at):
		d.Outcome = Stale
	default:
		o := *stored
		o.UpstreamDeletedAt = &at
		return changed(stored, &o, Rescan)
	}
	return d
}
