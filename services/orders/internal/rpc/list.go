package rpc

import (
	"context"
	"fmt"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// ListOrders lists the orders that the caller may see.
func (s *Server) ListOrders(ctx context.Context, req *ordersv1.ListOrdersRequest) (*ordersv1.ListOrdersResponse, error) {
	if due := req.GetDueBefore(); due != nil && fromTime(due).IsZero() {
		return nil, order.ErrDateInvalid // a filter that cannot be read must not be dropped (lesson P52)
	}
	listing, err := s.orders.List(ctx, actor(ctx), fromList(req))
	if err != nil {
		return nil, err
	}
	res := &ordersv1.ListOrdersResponse{NextPageToken: listing.NextPageToken, Refine: listing.Refine}
	if listing.Total != nil {
		total := int32(*listing.Total) //nolint:gosec // G115: counting stops at 10,001
		res.TotalSize = &total
	}
	now := s.now()
	for _, o := range listing.Orders {
		res.Orders = append(res.Orders, toOrder(o, now))
	}
	return res, nil
}

func fromList(req *ordersv1.ListOrdersRequest) order.ListRequest {
	r := order.ListRequest{
		Q: req.GetQ(), PlacedFrom: req.GetPlacedFrom(), PlacedTo: req.GetPlacedTo(), Sort: order.Sort(req.GetOrderBy()),
		PageSize: int(req.GetPageSize()), PageToken: req.GetPageToken(), WithTotal: req.GetWithTotal(),
		Filter: order.Filter{
			StoreIDs: req.GetStoreId(), AgentIDs: req.GetAgentId(), Unassigned: req.GetUnassigned(), DueBefore: fromTime(req.GetDueBefore()),
			Late: req.GetLate(), Duplicate: req.GetDuplicate(), Stale: req.GetStale(), Disagreement: req.GetDisagreement(), Tags: req.GetTag(),
		},
	}
	for _, status := range req.GetStatus() {
		r.Filter.Statuses = append(r.Filter.Statuses, order.Status(status.String()))
	}
	for _, state := range req.GetCourierState() {
		r.Filter.CourierStates = append(r.Filter.CourierStates, state.String())
	}
	for _, code := range req.GetWilaya() {
		r.Filter.Wilayas = append(r.Filter.Wilayas, int(code))
	}
	return r
}

// ListWilayas lists the provinces.
func (s *Server) ListWilayas(ctx context.Context, _ *ordersv1.ListWilayasRequest) (*ordersv1.ListWilayasResponse, error) {
	wilayas, err := s.orders.Wilayas(ctx)
	if err != nil {
		return nil, err
	}
	res := &ordersv1.ListWilayasResponse{}
	for _, w := range wilayas {
		res.Wilayas = append(res.Wilayas, &ordersv1.Wilaya{
			Code: int32(w.Code), Name: w.NameFr, NameAr: w.NameAr, Aliases: w.Aliases, MaxDeliveryDays: int32(w.MaxDeliveryDays), //nolint:gosec // G115: smallints in the table
		})
	}
	return res, nil
}

// AuditTrail reads what was written with each change.
type AuditTrail interface {
	// AuditEvents answers a page, newest first, and the position of the next; 0 when there is none.
	AuditEvents(ctx context.Context, f audit.Filter) ([]audit.Event, int64, error)
}

// ListAuditEvents lists changes of orders by managers and admins, newest first.
func (s *Server) ListAuditEvents(ctx context.Context, req *ordersv1.ListAuditEventsRequest) (*ordersv1.ListAuditEventsResponse, error) {
	from, before, err := order.Days(req.GetFrom(), req.GetTo(), s.zone)
	if err != nil {
		return nil, err
	}
	scope := fmt.Sprintf("audit %s %q %q %s %s", actor(ctx).ID, req.GetActorId(), req.GetResource(), req.GetFrom(), req.GetTo())
	cursor, err := order.ParsePageToken(req.GetPageToken(), scope)
	if err != nil {
		return nil, err
	}
	filter := audit.Filter{Actor: req.GetActorId(), Resource: req.GetResource(), From: from, To: before, PageSize: int(req.GetPageSize())}
	if cursor != nil {
		filter.After = cursor.ID
	}
	events, next, err := s.trail.AuditEvents(ctx, filter)
	if err != nil {
		return nil, err
	}
	res := &ordersv1.ListAuditEventsResponse{}
	if next != 0 {
		res.NextPageToken = order.PageToken(order.Cursor{ID: next}, scope)
	}
	res.Events, err = suite.AuditEvents(events)
	return res, err
}
