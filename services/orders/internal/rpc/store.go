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
