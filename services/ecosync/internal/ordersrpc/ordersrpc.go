// Package ordersrpc reaches the orders service.
//
// It implements what internal/pass and internal/store need of orders and is the
// one place where this service's nouns become the contract of orders. It never
// decides: each row's verdict is that of orders. Start reading at Client.Ingest.
package ordersrpc

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// currency of the shops: their payload names none.
const currency = "DZD"

// describeTime bounds a question that a person waits for.
const describeTime = 5 * time.Second

// Client implements pass.Orders and store.Orders.
type Client struct{ orders ordersv1.OrdersServiceClient }

// New works on a connection, which may be down.
func New(conn grpc.ClientConnInterface) *Client {
	return &Client{ordersv1.NewOrdersServiceClient(conn)}
}

// Ingest implements pass.Orders.
func (c *Client) Ingest(ctx context.Context, b pass.Batch) ([]pass.Outcome, error) {
	request := &ordersv1.IngestOrdersRequest{
		StoreId:         b.StoreID,
		Source:          ordersv1.IngestSource_Value(ordersv1.IngestSource_Value_value[string(b.Source)]),
		StateMapVersion: int32(b.MapVersion), //nolint:gosec // G115: versions count edits by people
		Orders:          make([]*ordersv1.IngestOrder, len(b.Rows)),
	}
	for i, seen := range b.Rows {
		request.Orders[i] = order(seen)
	}
	answer, err := c.orders.IngestOrders(ctx, request)
	if err != nil {
		if unavailable(err) {
			return nil, fmt.Errorf("%w: %w", pass.ErrOrdersUnavailable, err)
		}
		return nil, fmt.Errorf("ingest orders: %w", err)
	}
	// One result per row, in the order of the rows: a row that occurs twice has two
	// verdicts.
	results := answer.GetResults()
	if len(results) != len(b.Rows) {
		return nil, fmt.Errorf("ingest orders: %d results for %d rows", len(results), len(b.Rows))
	}
	outcomes := make([]pass.Outcome, len(b.Rows))
	for i, seen := range b.Rows {
		r := results[i]
		if r.GetUpstreamId() != seen.Order.ID {
			return nil, fmt.Errorf("ingest orders: the result of upstream id %d stands where that of %d belongs", r.GetUpstreamId(), seen.Order.ID)
		}
		verdict := pass.Verdict(r.GetOutcome().String())
		if !verdict.Known() {
			// Taken for "stored", a verdict of a newer release would move the head
			// over a row that is nowhere.
			return nil, fmt.Errorf("ingest orders: outcome %s of upstream id %d is none we know", verdict, seen.Order.ID)
		}
		outcomes[i] = pass.Outcome{
			UpstreamID: r.GetUpstreamId(), Verdict: verdict,
			Detail: r.GetMessage(), BecameReady: r.GetBecameReady(),
		}
		if outcomes[i].Verdict == pass.Rejected {
			outcomes[i].Reason = r.GetReason().String()
		}
	}
	return outcomes, nil
}

// unavailable tells what a repetition may cure.
func unavailable(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.DeadlineExceeded:
		// Not ResourceExhausted: gRPC says so of a call that is too large, and the
		// same call is too large again.
		return true
	}
	return false
}

func order(seen pass.Observation) *ordersv1.IngestOrder {
	o := seen.Order
	items := make([]*ordersv1.IngestItem, len(o.Items))
	for i, item := range o.Items {
		items[i] = &ordersv1.IngestItem{
			UpstreamId: item.LineID, ProductId: item.ProductID, Sku: item.SKU, Title: item.Title,
			Quantity: item.Quantity, UnitPrice: amount(item.UnitPrice),
		}
	}
	return &ordersv1.IngestOrder{
		UpstreamId: o.ID, Reference: o.Reference, ObservedAt: timestamppb.New(seen.ObservedAt),
		UpstreamState:     o.State,
		Meaning:           ordersv1.Meaning_Value(ordersv1.Meaning_Value_value[string(seen.Meaning)]),
		ConfirmationState: o.ConfirmationState,
		CustomerName:      o.Customer, Phone: o.Phone, Wilaya: o.Wilaya, Commune: o.Commune,
		Items:      items,
		GoodsTotal: amount(o.GoodsTotal), ShippingFee: amount(o.Shipping), Due: amount(o.Due),
		PlacedAt: timestamp(o.PlacedAt), UpstreamUpdatedAt: timestamp(o.UpdatedAt),
		Raw: seen.Raw,
	}
}

// amount splits centimes into the units and nanos of google.type.Money.
func amount(c *shop.Centimes) *money.Money {
	if c == nil {
		return nil
	}
	const nanosPerCentime = 10_000_000
	return &money.Money{CurrencyCode: currency, Units: int64(*c / 100), Nanos: int32(*c%100) * nanosPerCentime}
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// Describe implements store.Orders.
func (c *Client) Describe(ctx context.Context, storeID string) (store.Known, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	answer, err := c.orders.DescribeStore(ctx, &ordersv1.DescribeStoreRequest{StoreId: storeID})
	if err != nil {
		return store.Known{}, fmt.Errorf("%w: %w", store.ErrOrdersUnavailable, err)
	}
	known := store.Known{Count: int64(answer.GetOrderCount()), References: make(map[int64]string, len(answer.GetNewest()))}
	for _, o := range answer.GetNewest() {
		known.References[o.GetUpstreamId()] = o.GetReference()
	}
	return known, nil
}
