package rpc

import (
	"context"

	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// ListHeldOrders tells a rescan what is held and how far down it has to read.
func (s *Server) ListHeldOrders(ctx context.Context, req *ordersv1.ListHeldOrdersRequest) (*ordersv1.ListHeldOrdersResponse, error) {
	held, err := s.orders.Held(ctx, req.GetStoreId(), order.Span{From: req.GetFromUpstreamId(), To: req.GetToUpstreamId(), Limit: int(req.GetLimit())})
	if err != nil {
		return nil, err
	}
	return &ordersv1.ListHeldOrdersResponse{UpstreamIds: held.UpstreamIDs, OldestOpenUpstreamId: held.OldestOpen}, nil
}

// MarkUpstreamDeleted marks orders that are gone from their shop.
func (s *Server) MarkUpstreamDeleted(ctx context.Context, req *ordersv1.MarkUpstreamDeletedRequest) (*ordersv1.MarkUpstreamDeletedResponse, error) {
	marked, err := s.orders.MarkDeleted(ctx, req.GetStoreId(), req.GetUpstreamIds(), fromTime(req.GetObservedAt()))
	if err != nil {
		return nil, err
	}
	return &ordersv1.MarkUpstreamDeletedResponse{Marked: int32(marked)}, nil //nolint:gosec // G115: at most the ids that were named
}

// ListUpstreamStates answers every state that a store's orders hold.
func (s *Server) ListUpstreamStates(ctx context.Context, req *ordersv1.ListUpstreamStatesRequest) (*ordersv1.ListUpstreamStatesResponse, error) {
	states, applied, err := s.orders.States(ctx, req.GetStoreId(), countedOrders)
	if err != nil {
		return nil, err
	}
	res := &ordersv1.ListUpstreamStatesResponse{AppliedVersion: applied}
	for _, state := range states {
		res.States = append(res.States, &ordersv1.UpstreamState{State: state.State, Orders: int32(state.Orders)}) //nolint:gosec // G115: counting stops
	}
	return res, nil
}

// RemapStore judges a store's orders by a new version of its state map.
func (s *Server) RemapStore(ctx context.Context, req *ordersv1.RemapStoreRequest) (*ordersv1.RemapStoreResponse, error) {
	remap := s.orders.Remap
	if req.GetValidateOnly() {
		remap = s.orders.PreviewRemap
	}
	remapped, err := remap(ctx, req.GetStoreId(), fromStateMap(req))
	if err != nil {
		return nil, err
	}
	return &ordersv1.RemapStoreResponse{
		MeaningChanged: int32(min(remapped.MeaningChanged, maxCount)), //nolint:gosec // G115: bounded here
		BecameReady:    int32(min(remapped.BecameReady, maxCount)),    //nolint:gosec // G115: bounded here
	}, nil
}

// fromStateMap reads a map; of a state that is named twice the last meaning holds.
func fromStateMap(req *ordersv1.RemapStoreRequest) order.StateMap {
	m := order.StateMap{Version: req.GetVersion(), Meanings: make(map[string]order.Meaning, len(req.GetMeanings()))}
	for _, entry := range req.GetMeanings() {
		m.Meanings[entry.GetState()] = fromMeaning(entry.GetMeaning())
	}
	return m
}
