package rpc

import (
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// The domain and the contract spell every enum alike, so a value is found by its name; what the contract does not know is
// its zero value, which says "never stored". A test holds the two vocabularies together.
func enum[E ~int32](values map[string]int32, name string) E { return E(values[name]) }

// toOrder shows an order as it is at the moment of reading.
func toOrder(o *order.Order, now time.Time) *ordersv1.Order {
	out := &ordersv1.Order{
		Id: toID(o.ID), Etag: o.ETag(), StoreId: o.StoreID, UpstreamId: toID(o.UpstreamID), Reference: o.Reference,
		Origin:            enum[ordersv1.Origin_Value](ordersv1.Origin_Value_value, string(o.Origin)),
		Status:            enum[ordersv1.OrderStatus_Value](ordersv1.OrderStatus_Value_value, string(o.Status)),
		UpstreamState:     o.UpstreamState,
		UpstreamMeaning:   enum[ordersv1.Meaning_Value](ordersv1.Meaning_Value_value, string(o.Meaning)),
		ConfirmationState: o.ConfirmationState,
		CustomerId:        toID(o.CustomerID), CustomerName: o.FullName, PhoneRaw: o.Phone, Phone: o.PhoneE164,
		PhoneProblem: enum[ordersv1.PhoneProblem_Value](ordersv1.PhoneProblem_Value_value, string(o.PhoneProblem)),
		WilayaCode:   int32(o.WilayaCode), WilayaRaw: o.Wilaya, Commune: o.Commune, Address: o.Address, //nolint:gosec // G115: smallint in the table
		GoodsTotal: toMoney(o.GoodsTotal, o.Currency), ShippingFee: toMoney(o.ShippingFee, o.Currency), Due: toMoney(o.Due, o.Currency),
		AgentId: o.AgentID, Priority: int32(o.Priority), Tags: o.Tags, //nolint:gosec // G115: 0 to 9
		NextAction:   enum[ordersv1.NextAction_Value](ordersv1.NextAction_Value_value, o.NextAction),
		NextActionAt: toTime(o.NextActionAt), CallCount: int32(o.CallCount), //nolint:gosec // G115: integer in the table
		Courier:      toMirror(o),
		Disagreement: enum[ordersv1.Disagreement_Value](ordersv1.Disagreement_Value_value, string(o.Disagreement)),
		DuplicateOf:  toID(o.DuplicateOf), Late: o.Late(now), Stale: o.Stale(now),
		PlacedAt: timestamppb.New(o.PlacedAt), UpstreamUpdatedAt: toTime(o.UpstreamUpdatedAt), IngestedAt: timestamppb.New(o.IngestedAt),
		DispatchedAt: toTime(o.DispatchedAt), ReadyAt: toTime(o.ReadyAt), AssignedAt: toTime(o.AssignedAt), FirstCallAt: toTime(o.FirstCallAt),
		ConfirmedAt: toTime(o.ConfirmedAt), ShippedAt: toTime(o.ShippedAt), DeliveredAt: toTime(o.DeliveredAt), ReturnedAt: toTime(o.ReturnedAt),
		CancelledAt: toTime(o.CancelledAt), DeliverBy: toTime(o.DeliverBy), UpstreamDeletedAt: toTime(o.UpstreamDeletedAt),
		UpdatedAt: timestamppb.New(o.UpdatedAt),
	}
	for _, item := range o.Items {
		out.Items = append(out.Items, toItem(item, o.Currency))
	}
	return out
}

func toItem(i order.Item, currency string) *ordersv1.Item {
	item := &ordersv1.Item{
		UpstreamId: toID(i.UpstreamLineID), ProductId: i.UpstreamProductID, Sku: i.SKU, Title: i.Title,
		Quantity: int32(i.Quantity), //nolint:gosec // G115: integer in the table
	}
	if i.UnitPrice != nil {
		item.UnitPrice = toMoney(*i.UnitPrice, currency)
	}
	return item
}

func toMirror(o *order.Order) *ordersv1.CourierMirror {
	if o.ParcelID == "" {
		return nil
	}
	return &ordersv1.CourierMirror{
		ParcelId: o.ParcelID, TrackingNumber: o.TrackingNumber, Code: int32(o.CourierCode), //nolint:gosec // G115: integer in the table
		State:      enum[ordersv1.CourierState_Value](ordersv1.CourierState_Value_value, o.CourierState),
		OccurredAt: toTime(o.CourierAt), Attempts: int32(o.CourierAttempts), PostponedTo: o.CourierPostponedTo, Reason: o.CourierReason, //nolint:gosec // G115: integer in the table
	}
}

func toNote(n order.Note) *ordersv1.Note {
	return &ordersv1.Note{Id: toID(n.ID), AuthorId: n.AuthorID, Text: n.Body, CreatedAt: timestamppb.New(n.CreatedAt)}
}

func toEntry(e order.Entry) (*ordersv1.HistoryEntry, error) {
	before, err := suite.Struct(e.Before)
	if err != nil {
		return nil, fmt.Errorf("history %d: %w", e.ID, err)
	}
	after, err := suite.Struct(e.After)
	if err != nil {
		return nil, fmt.Errorf("history %d: %w", e.ID, err)
	}
	return &ordersv1.HistoryEntry{
		Id: toID(e.ID), At: timestamppb.New(e.At), Source: enum[ordersv1.ChangeSource_Value](ordersv1.ChangeSource_Value_value, string(e.Source)),
		ActorId: e.ActorID, ActorRole: enum[accessv1.Role_Value](accessv1.Role_Value_value, string(e.ActorRole)), Kind: string(e.Kind),
		Before: before, After: after, Reason: e.Reason, RequestId: e.RequestID,
	}, nil
}

func toResult(d order.Decision) *ordersv1.IngestResult {
	return &ordersv1.IngestResult{
		UpstreamId: d.Row.UpstreamID, OrderId: toID(d.OrderID), BecameReady: d.BecameReady, Message: d.Message,
		Outcome: enum[ordersv1.IngestOutcome_Value](ordersv1.IngestOutcome_Value_value, string(d.Outcome)),
		Reason:  enum[ordersv1.RejectReason_Value](ordersv1.RejectReason_Value_value, string(d.Reason)),
	}
}

// toID writes an id in decimal; there is none where it is 0.
func toID(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

func toTime(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

// fromTime reads a time; the zero time where there is none, or none that the calendar has.
func fromTime(t *timestamppb.Timestamp) time.Time {
	if t.CheckValid() != nil {
		return time.Time{}
	}
	return t.AsTime()
}

// A unit is a hundred minor units, a nano is a billionth of a unit.
const (
	minorPerUnit  = 100
	nanosPerMinor = 10_000_000
	maxUnits      = 1 << 53 // beyond any money, and far from overflowing when multiplied
)

func toMoney(minor int64, currency string) *money.Money {
	return &money.Money{CurrencyCode: currency, Units: minor / minorPerUnit, Nanos: int32(minor % minorPerUnit * nanosPerMinor)}
}

// fromMoney reads an amount in the stores' currency, exact to the centime.
func fromMoney(m *money.Money) (minor int64, ok bool) {
	units, nanos := m.GetUnits(), int64(m.GetNanos())
	if m == nil || m.GetCurrencyCode() != order.DZD || units < 0 || units > maxUnits || nanos < 0 || nanos >= minorPerUnit*nanosPerMinor || nanos%nanosPerMinor != 0 {
		return 0, false
	}
	return units*minorPerUnit + nanos/nanosPerMinor, true
}
