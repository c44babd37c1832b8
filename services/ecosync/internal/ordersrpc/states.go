package ordersrpc

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// remapTime bounds one call that judges a store's orders anew: each of them is
// touched. What it did not reach is reached by the repetition.
const remapTime = 2 * time.Minute

// remapStates go into one call (the contract's bound).
const remapStates = 1_000

// UpstreamStates implements store.Orders.
func (c *Client) UpstreamStates(ctx context.Context, storeID string) (store.HeldStates, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	answer, err := c.orders.ListUpstreamStates(ctx, &ordersv1.ListUpstreamStatesRequest{StoreId: storeID})
	if err != nil {
		return store.HeldStates{}, away("list the states of a store", err)
	}
	held := store.HeldStates{Applied: int64(answer.GetAppliedVersion())}
	for _, s := range answer.GetStates() {
		held.States = append(held.States, s.GetState())
	}
	return held, nil
}

// Remap implements store.Orders.
func (c *Client) Remap(ctx context.Context, storeID string, version int64, meanings []store.StateMeaning, validateOnly bool) (store.Remapped, error) {
	var total store.Remapped
	// No states at all are one call too: it makes the version known.
	for rest := meanings; ; {
		n := min(len(rest), remapStates)
		request := &ordersv1.RemapStoreRequest{
			StoreId: storeID, Version: int32(version), ValidateOnly: validateOnly, //nolint:gosec // G115: versions count edits by people
			Meanings: make([]*ordersv1.StateMeaning, n),
		}
		for i, m := range rest[:n] {
			request.Meanings[i] = &ordersv1.StateMeaning{
				State: m.State, Meaning: ordersv1.Meaning_Value(ordersv1.Meaning_Value_value[string(m.Meaning)]),
			}
		}
		limited, cancel := context.WithTimeout(ctx, remapTime)
		answer, err := c.orders.RemapStore(limited, request)
		cancel()
		if err != nil {
			return total, away("judge a store's orders anew", err)
		}
		total.MeaningChanged += int64(answer.GetMeaningChanged())
		total.BecameReady += int64(answer.GetBecameReady())
		if rest = rest[n:]; len(rest) == 0 {
			return total, nil
		}
	}
}

// Held implements pass.Orders: it answers the ids of a store's orders between two ids, both included and to
// 0 for no bound, newest first, and the oldest id of an order that has not
// ended: 0 when all have.
func (c *Client) Held(ctx context.Context, storeID string, from, to int64, limit int) (ids []int64, oldestOpen int64, err error) {
	answer, err := c.orders.ListHeldOrders(ctx, &ordersv1.ListHeldOrdersRequest{
		StoreId: storeID, FromUpstreamId: from, ToUpstreamId: to, Limit: int32(limit), //nolint:gosec // G115: at most 1,000
	})
	if err != nil {
		return nil, 0, away("list held orders", err)
	}
	return answer.GetUpstreamIds(), answer.GetOldestOpenUpstreamId(), nil
}

// MarkDeleted implements pass.Orders: it marks orders that their shop did not know at that moment, and
// answers how many carry the mark now and did not before.
func (c *Client) MarkDeleted(ctx context.Context, storeID string, ids []int64, observedAt time.Time) (marked int64, err error) {
	const most = 100 // the contract's bound
	for chunk := range slices.Chunk(ids, most) {
		answer, err := c.orders.MarkUpstreamDeleted(ctx, &ordersv1.MarkUpstreamDeletedRequest{
			StoreId: storeID, UpstreamIds: chunk, ObservedAt: timestamppb.New(observedAt),
		})
		if err != nil {
			return marked, away("mark orders deleted upstream", err)
		}
		marked += int64(answer.GetMarked())
	}
	return marked, nil
}

// away tells in the words of both callers' ports that orders could not be
// reached; what is no matter of reaching stays what it is.
func away(doing string, err error) error {
	if unavailable(err) {
		return fmt.Errorf("%s: %w: %w: %w", doing, store.ErrOrdersUnavailable, pass.ErrOrdersUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
