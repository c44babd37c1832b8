// Package rpc answers OrdersService: convert in, call the domain, convert out.
//
// It holds no rule. Who may call what stands in the contract and is enforced before a method here runs; what an agent may
// see is decided by package order; what the domain refuses becomes a status by the one table in errors.go.
// Start reading at [Server].
package rpc

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// Server implements OrdersService.
type Server struct {
	ordersv1.UnimplementedOrdersServiceServer

	orders   *order.Service
	trail    AuditTrail
	zone     *time.Location
	now      func() time.Time
	ingested *prometheus.CounterVec
}

// Deps is what a Server works with.
type Deps struct {
	Orders *order.Service
	Trail  AuditTrail
	Zone   *time.Location   // of business days
	Now    func() time.Time // for what is true at the moment of reading: late, stale
	// Metrics gets orders_ingested_total, by outcome.
	Metrics prometheus.Registerer
}

// NewServer puts a Server together.
func NewServer(d Deps) (*Server, error) {
	ingested := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "orders_ingested_total", Help: "Rows that shops showed, by trigger and by what became of them.",
	}, []string{"trigger", "outcome"})
	if err := d.Metrics.Register(ingested); err != nil {
		return nil, err
	}
	return &Server{orders: d.Orders, trail: d.Trail, zone: d.Zone, now: d.Now, ingested: ingested}, nil
}

// IngestOrders writes what a shop said.
func (s *Server) IngestOrders(ctx context.Context, req *ordersv1.IngestOrdersRequest) (*ordersv1.IngestOrdersResponse, error) {
	batch := fromIngest(req)
	decisions, err := s.orders.Ingest(ctx, batch)
	if err != nil {
		return nil, err
	}
	res := &ordersv1.IngestOrdersResponse{}
	for _, d := range decisions {
		s.ingested.WithLabelValues(string(batch.Trigger), string(d.Outcome)).Inc()
		res.Results = append(res.Results, toResult(d))
	}
	return res, nil
}

// Bounds of what DescribeStore tells: counting stops where the list's counting stops, and a probe of a shop's page compares
// a handful of references.
const (
	countedOrders = order.MaxTotal
	probedOrders  = 20
)

// DescribeStore tells what is known of a store's orders.
func (s *Server) DescribeStore(ctx context.Context, req *ordersv1.DescribeStoreRequest) (*ordersv1.DescribeStoreResponse, error) {
	count, newest, err := s.orders.Describe(ctx, req.GetStoreId(), countedOrders, probedOrders)
	if err != nil {
		return nil, err
	}
	res := &ordersv1.DescribeStoreResponse{OrderCount: int32(count)} //nolint:gosec // G115: bounded above
	for _, k := range newest {
		res.Newest = append(res.Newest, &ordersv1.KnownOrder{UpstreamId: k.UpstreamID, Reference: k.Reference})
	}
	return res, nil
}

// CreateOrder makes an order by hand.
func (s *Server) CreateOrder(ctx context.Context, req *ordersv1.CreateOrderRequest) (*ordersv1.CreateOrderResponse, error) {
	draft, err := fromDraft(req)
	if err != nil {
		return nil, err
	}
	request, err := once(ctx, "CreateOrder", req.GetRequestId(), req, func(m *ordersv1.CreateOrderRequest) { m.RequestId = "" })
	if err != nil {
		return nil, err
	}
	o, err := s.orders.Create(ctx, draft, request)
	if err != nil {
		return nil, err
	}
	return &ordersv1.CreateOrderResponse{Order: toOrder(o, s.now())}, nil
}

// GetOrder answers one order.
func (s *Server) GetOrder(ctx context.Context, req *ordersv1.GetOrderRequest) (*ordersv1.GetOrderResponse, error) {
	o, err := s.orders.Order(ctx, actor(ctx), fromID(req.GetOrderId()))
	if err != nil {
		return nil, err
	}
	return &ordersv1.GetOrderResponse{Order: toOrder(o, s.now())}, nil
}

// UpdateOrder changes the fields that are present.
func (s *Server) UpdateOrder(ctx context.Context, req *ordersv1.UpdateOrderRequest) (*ordersv1.UpdateOrderResponse, error) {
	o, err := s.orders.Update(ctx, actor(ctx), fromID(req.GetOrderId()), fromPatch(req))
	if err != nil {
		return nil, err
	}
	return &ordersv1.UpdateOrderResponse{Order: toOrder(o, s.now())}, nil
}

// ChangeStatus moves an order along its life.
func (s *Server) ChangeStatus(ctx context.Context, req *ordersv1.ChangeStatusRequest) (*ordersv1.ChangeStatusResponse, error) {
	o, err := s.orders.ChangeStatus(ctx, actor(ctx), fromID(req.GetOrderId()), order.Status(req.GetStatus().String()), req.GetReason(), req.GetEtag())
	if err != nil {
		return nil, err
	}
	return &ordersv1.ChangeStatusResponse{Order: toOrder(o, s.now())}, nil
}

// AddNote adds a note.
func (s *Server) AddNote(ctx context.Context, req *ordersv1.AddNoteRequest) (*ordersv1.AddNoteResponse, error) {
	request, err := once(ctx, "AddNote", req.GetRequestId(), req, func(m *ordersv1.AddNoteRequest) { m.RequestId = "" })
	if err != nil {
		return nil, err
	}
	note, err := s.orders.AddNote(ctx, fromID(req.GetOrderId()), req.GetText(), request)
	if err != nil {
		return nil, err
	}
	return &ordersv1.AddNoteResponse{Note: toNote(note)}, nil
}

// ListNotes lists an order's notes.
func (s *Server) ListNotes(ctx context.Context, req *ordersv1.ListNotesRequest) (*ordersv1.ListNotesResponse, error) {
	page, err := newPaging(ctx, "notes", req)
	if err != nil {
		return nil, err
	}
	notes, err := s.orders.Notes(ctx, actor(ctx), fromID(req.GetOrderId()), page.after, page.size+1)
	if err != nil {
		return nil, err
	}
	notes, next := cut(page, notes, func(n order.Note) int64 { return n.ID })
	res := &ordersv1.ListNotesResponse{NextPageToken: next}
	for _, n := range notes {
		res.Notes = append(res.Notes, toNote(n))
	}
	return res, nil
}

// ListHistory lists every change of an order.
func (s *Server) ListHistory(ctx context.Context, req *ordersv1.ListHistoryRequest) (*ordersv1.ListHistoryResponse, error) {
	page, err := newPaging(ctx, "history", req)
	if err != nil {
		return nil, err
	}
	entries, err := s.orders.History(ctx, actor(ctx), fromID(req.GetOrderId()), page.after, page.size+1)
	if err != nil {
		return nil, err
	}
	entries, next := cut(page, entries, func(e order.Entry) int64 { return e.ID })
	res := &ordersv1.ListHistoryResponse{NextPageToken: next}
	for _, e := range entries {
		entry, err := toEntry(e)
		if err != nil {
			return nil, err
		}
		res.Entries = append(res.Entries, entry)
	}
	return res, nil
}

// Cleanup removes what is remembered beyond its time.
func (s *Server) Cleanup(ctx context.Context, _ *ordersv1.CleanupRequest) (*ordersv1.CleanupResponse, error) {
	removed, err := s.orders.Cleanup(ctx)
	if err != nil {
		return nil, err
	}
	res := &ordersv1.CleanupResponse{}
	for _, r := range removed {
		res.Removed = append(res.Removed, &ordersv1.CleanupCount{Kind: r.Kind, Count: int32(min(r.Count, maxCount))}) //nolint:gosec // G115: bounded here
	}
	return res, nil
}

const maxCount = 1<<31 - 1

// actor is who is behind the call: the person, also when a service calls for one, or else the service itself, which has no role.
func actor(ctx context.Context) order.Actor {
	who := auth.From(ctx).Person()
	if who.Kind == auth.User {
		return order.Person(who.Subject, order.Role(who.Role))
	}
	return order.Actor{ID: who.Subject}
}

// paging is one page of a list of what belongs to an order.
type paging struct {
	after int64
	size  int
	scope string
}

// paged is a request for such a page.
type paged interface {
	GetOrderId() string
	GetPageSize() int32
	GetPageToken() string
}

// newPaging reads a page token, which is bound to the list, the order and the user it was made for.
func newPaging(ctx context.Context, list string, req paged) (paging, error) {
	p := paging{size: int(req.GetPageSize()), scope: list + " " + req.GetOrderId() + " " + actor(ctx).ID}
	if p.size == 0 {
		p.size = order.DefaultPageSize
	}
	cursor, err := order.ParsePageToken(req.GetPageToken(), p.scope)
	if err != nil {
		return paging{}, err
	}
	if cursor != nil {
		p.after = cursor.ID
	}
	return p, nil
}

// cut takes the row that was read beyond the page and makes the token of the next one.
func cut[T any](p paging, rows []T, id func(T) int64) ([]T, string) {
	if len(rows) <= p.size {
		return rows, ""
	}
	rows = rows[:p.size]
	return rows, order.PageToken(order.Cursor{ID: id(rows[p.size-1])}, p.scope)
}

// fromID reads an id that the contract has checked to be a decimal of at most 18 digits.
func fromID(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}
