package app

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	"github.com/libertaphonix/libertaphonix/proto/access"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
)

func dzd(units int64, nanos int32) *money.Money {
	return &money.Money{CurrencyCode: "DZD", Units: units, Nanos: nanos}
}

// shown is an order as ecosync sends it.
func shown(id int64) *ordersv1.IngestOrder {
	at := tuesday.Add(-24 * time.Hour)
	return &ordersv1.IngestOrder{
		UpstreamId: id, Reference: fmt.Sprintf("DEMOA%d", id), ObservedAt: timestamppb.New(at.Add(time.Minute)),
		UpstreamState: "En dispatch", Meaning: ordersv1.Meaning_FOLLOW_UP, ConfirmationState: "Confirmé",
		CustomerName: "Amina Exemple", Phone: "0550 00 00 01", Wilaya: "Alger", Commune: "Bab Ezzouar",
		Items: []*ordersv1.IngestItem{
			{UpstreamId: 910001, ProductId: "55", Sku: "SKU-1", Title: "Montre", Quantity: 2, UnitPrice: dzd(1600, 0)},
			{Title: "Cadeau", Quantity: 1},
		},
		GoodsTotal: dzd(3200, 0), ShippingFee: dzd(400, 500_000_000), Due: dzd(3600, 500_000_000),
		PlacedAt: timestamppb.New(at.Add(-time.Hour)), UpstreamUpdatedAt: timestamppb.New(at), Raw: []byte(`{"id":1}`),
	}
}

func (f *fixture) ingest(rows ...*ordersv1.IngestOrder) []*ordersv1.IngestResult {
	f.t.Helper()
	res, err := f.IngestOrders(f.by("ecosync"), &ordersv1.IngestOrdersRequest{
		StoreId: storeA, Source: ordersv1.IngestSource_PASS, StateMapVersion: 1, Orders: rows,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return res.GetResults()
}

// onDesk gives an order to an agent, as the assignment of a later issue will.
func (f *fixture) onDesk(id, agent string) {
	f.t.Helper()
	if _, err := f.pool.Exec(f.t.Context(), `UPDATE orders.sales_order SET agent_id = $2, status = 'ASSIGNED' WHERE id = $1::bigint`, id, agent); err != nil {
		f.t.Fatal(err)
	}
}

func TestAnOrderOfAShopIsServedAsItWasShown(t *testing.T) {
	f := serve(t)
	result := f.ingest(shown(700123))[0]
	if result.GetOutcome() != ordersv1.IngestOutcome_CREATED || !result.GetBecameReady() {
		t.Fatalf("got %v", result)
	}
	res, err := f.GetOrder(f.as(boss, "MANAGER"), &ordersv1.GetOrderRequest{OrderId: result.GetOrderId()})
	if err != nil {
		t.Fatal(err)
	}
	at := tuesday.Add(-24 * time.Hour)
	want := &ordersv1.Order{
		Id: result.GetOrderId(), Etag: "v1", StoreId: storeA, UpstreamId: "700123", Reference: "DEMOA700123",
		Origin: ordersv1.Origin_SHOP, Status: ordersv1.OrderStatus_PENDING, UpstreamState: "En dispatch", UpstreamMeaning: ordersv1.Meaning_FOLLOW_UP,
		ConfirmationState: "Confirmé", CustomerName: "Amina Exemple", PhoneRaw: "0550 00 00 01", Phone: "+213550000001",
		WilayaCode: 16, WilayaRaw: "Alger", Commune: "Bab Ezzouar",
		Items: []*ordersv1.Item{
			{UpstreamId: "910001", ProductId: "55", Sku: "SKU-1", Title: "Montre", Quantity: 2, UnitPrice: dzd(1600, 0)}, // lesson P13
			{Title: "Cadeau", Quantity: 1},
		},
		GoodsTotal: dzd(3200, 0), ShippingFee: dzd(400, 500_000_000), Due: dzd(3600, 500_000_000),
		PlacedAt: timestamppb.New(at.Add(-time.Hour)), UpstreamUpdatedAt: timestamppb.New(at), DispatchedAt: timestamppb.New(at), ReadyAt: timestamppb.New(tuesday),
		DeliverBy: timestamppb.New(time.Date(2026, 3, 4, 23, 0, 0, 0, time.UTC)), // Monday and two days, to the end of the day in Algiers
	}
	ours := []string{"customer_id", "ingested_at", "updated_at"}
	ignored := protocmp.IgnoreFields(&ordersv1.Order{}, "customer_id", "ingested_at", "updated_at")
	if diff := cmp.Diff(want, res.GetOrder(), protocmp.Transform(), ignored); diff != "" {
		t.Error(diff)
	}
	for _, name := range ours {
		if field := res.GetOrder().ProtoReflect().Descriptor().Fields().ByTextName(name); !res.GetOrder().ProtoReflect().Has(field) {
			t.Errorf("%s is absent", name)
		}
	}
}

func TestBadRowsAreAnsweredAloneAndTheEnvelopeAsAWhole(t *testing.T) {
	f := serve(t)
	finer, foreign, missing, free := shown(1), shown(2), shown(3), shown(4)
	finer.Due = dzd(1, 1)
	foreign.ShippingFee = &money.Money{CurrencyCode: "EUR", Units: 1}
	missing.Due = nil
	free.Items, free.GoodsTotal, free.ShippingFee, free.Meaning = nil, nil, nil, ordersv1.Meaning_VALUE_UNSPECIFIED
	placed := shown(5)
	placed.PlacedAt = &timestamppb.Timestamp{Seconds: -1 << 62}
	var got []string
	for _, r := range f.ingest(finer, foreign, missing, free, placed) {
		got = append(got, fmt.Sprint(r.GetUpstreamId(), " ", r.GetOutcome(), " ", r.GetReason(), " ", r.GetMessage() != ""))
	}
	want := []string{
		"1 REJECTED MONEY_INVALID true", "2 REJECTED MONEY_INVALID true", "3 REJECTED MONEY_INVALID true",
		"4 CREATED VALUE_UNSPECIFIED false", "5 REJECTED PLACED_AT_INVALID true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err := f.IngestOrders(f.by("ecosync"), &ordersv1.IngestOrdersRequest{StoreId: storeA, Source: ordersv1.IngestSource_PASS, StateMapVersion: 1})
	if code, _, reason := rpcerr.Reason(err); code != codes.InvalidArgument || reason != "INVALID_REQUEST" {
		t.Errorf("an empty envelope: %v", err)
	}
}

func TestRefusalsCarryTheirReason(t *testing.T) {
	f := serve(t)
	id := f.ingest(shown(1))[0].GetOrderId()
	manager, agent, other := f.as(boss, "MANAGER"), f.as(agent1, "AGENT_SUIVI"), f.as(agent2, "AGENT_SUIVI")
	f.onDesk(id, agent1)
	name, priority := "Somebody", int32(3)
	_, err := f.GetOrder(other, &ordersv1.GetOrderRequest{OrderId: id})
	refused(t, err, codes.NotFound, ordersv1.ErrorReason_ORDER_NOT_FOUND)
	_, err = f.GetOrder(manager, &ordersv1.GetOrderRequest{OrderId: "999"})
	refused(t, err, codes.NotFound, ordersv1.ErrorReason_ORDER_NOT_FOUND)
	_, err = f.UpdateOrder(manager, &ordersv1.UpdateOrderRequest{OrderId: id, CustomerName: &name})
	refused(t, err, codes.FailedPrecondition, ordersv1.ErrorReason_FIELD_OWNED_BY_SHOP)
	_, err = f.UpdateOrder(agent, &ordersv1.UpdateOrderRequest{OrderId: id, Priority: &priority})
	refused(t, err, codes.PermissionDenied, ordersv1.ErrorReason_FIELD_NOT_ALLOWED)
	_, err = f.UpdateOrder(manager, &ordersv1.UpdateOrderRequest{OrderId: id, Priority: &priority, Etag: "v0"})
	refused(t, err, codes.Aborted, ordersv1.ErrorReason_ETAG_STALE)
	_, err = f.ChangeStatus(agent, &ordersv1.ChangeStatusRequest{OrderId: id, Status: ordersv1.OrderStatus_CANCELLED})
	refused(t, err, codes.InvalidArgument, ordersv1.ErrorReason_REASON_REQUIRED)
	_, err = f.ChangeStatus(agent, &ordersv1.ChangeStatusRequest{OrderId: id, Status: ordersv1.OrderStatus_SHIPPED, Reason: "I saw it leave"})
	refused(t, err, codes.FailedPrecondition, ordersv1.ErrorReason_TRANSITION_NOT_ALLOWED)
	if m := rpcerr.Metadata(err); m["from"] != "ASSIGNED" || m["to"] != "SHIPPED" {
		t.Errorf("metadata %v", m)
	}
	_, err = f.ListNotes(manager, &ordersv1.ListNotesRequest{OrderId: id, PageToken: "AAAA"})
	refused(t, err, codes.InvalidArgument, ordersv1.ErrorReason_PAGE_TOKEN_INVALID)
}

func draft() *ordersv1.CreateOrderRequest {
	return &ordersv1.CreateOrderRequest{
		StoreId: storeA, CustomerName: "Karim Exemple", Phone: "0770000009", WilayaCode: 31, Note: "calls after five", RequestId: "one",
		Items: []*ordersv1.NewItem{{Sku: "SKU-2", Title: "Sac", Quantity: 2, UnitPrice: dzd(2500, 0)}}, ShippingFee: dzd(600, 0),
	}
}

func TestAManualOrderIsMadeOnceWhetherTheIdIsAFieldOrAHeader(t *testing.T) {
	f := serve(t)
	ctx := f.as(boss, "MANAGER")
	made, err := f.CreateOrder(ctx, draft())
	if err != nil {
		t.Fatal(err)
	}
	if o := made.GetOrder(); o.GetReadyAt() == nil || o.GetDue().GetUnits() != 5600 || o.GetOrigin() != ordersv1.Origin_MANUAL || o.GetUpstreamId() != "" {
		t.Errorf("got %v", o)
	}
	req := draft()
	req.RequestId = ""
	again, err := f.CreateOrder(metadata.AppendToOutgoingContext(ctx, "idempotency-key", "one"), req)
	if err != nil || again.GetOrder().GetId() != made.GetOrder().GetId() {
		t.Errorf("by the header: order %s, %v", again.GetOrder().GetId(), err)
	}
	req = draft()
	req.Commune = "Es Senia"
	_, err = f.CreateOrder(ctx, req)
	if code, domain, reason := rpcerr.Reason(err); code != codes.InvalidArgument || domain != "libertaphonix" || reason != "REQUEST_ID_REUSED" {
		t.Errorf("with another body: %v", err)
	}
	for _, c := range []struct {
		want  ordersv1.ErrorReason_Value
		spoil func(*ordersv1.CreateOrderRequest)
	}{
		{ordersv1.ErrorReason_PHONE_INVALID, func(r *ordersv1.CreateOrderRequest) { r.Phone = "12" }},
		{ordersv1.ErrorReason_MONEY_INVALID, func(r *ordersv1.CreateOrderRequest) { r.ShippingFee = dzd(-1, 0) }},
	} {
		req := draft()
		req.RequestId = ""
		c.spoil(req)
		_, err := f.CreateOrder(ctx, req)
		refused(t, err, codes.InvalidArgument, c.want)
	}
}

func TestNotesAndHistoryArePagedWithinTheirOrder(t *testing.T) {
	f := serve(t)
	results := f.ingest(shown(1), shown(2))
	ctx, id := f.as(boss, "ADMIN"), results[0].GetOrderId()
	for n := range 3 {
		if _, err := f.AddNote(ctx, &ordersv1.AddNoteRequest{OrderId: id, Text: fmt.Sprint("note ", n)}); err != nil {
			t.Fatal(err)
		}
	}
	var texts []string
	token := ""
	for {
		page, err := f.ListNotes(ctx, &ordersv1.ListNotesRequest{OrderId: id, PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range page.GetNotes() {
			texts = append(texts, n.GetText())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
		_, err = f.ListNotes(ctx, &ordersv1.ListNotesRequest{OrderId: results[1].GetOrderId(), PageToken: token})
		refused(t, err, codes.InvalidArgument, ordersv1.ErrorReason_PAGE_TOKEN_INVALID)
	}
	if !slices.Equal(texts, []string{"note 2", "note 1", "note 0"}) {
		t.Errorf("got %q", texts)
	}
	if _, err := f.ChangeStatus(ctx, &ordersv1.ChangeStatusRequest{OrderId: id, Status: ordersv1.OrderStatus_CANCELLED, Reason: "wrong number"}); err != nil {
		t.Fatal(err)
	}
	history, err := f.ListHistory(ctx, &ordersv1.ListHistoryRequest{OrderId: id})
	if err != nil || len(history.GetEntries()) != 2 {
		t.Fatalf("%d entries, %v", len(history.GetEntries()), err)
	}
	last := history.GetEntries()[0]
	if last.GetKind() != "STATUS" || last.GetReason() != "wrong number" || last.GetActorId() != boss || last.GetSource() != ordersv1.ChangeSource_PERSON ||
		last.GetAfter().GetFields()["status"].GetStringValue() != "CANCELLED" || last.GetRequestId() == "" {
		t.Errorf("got %v", last)
	}
}

func TestAStoreIsDescribedAndCleanupCounts(t *testing.T) {
	f := serve(t)
	f.ingest(shown(1), shown(5))
	res, err := f.DescribeStore(f.by("ecosync"), &ordersv1.DescribeStoreRequest{StoreId: storeA})
	if err != nil || res.GetOrderCount() != 2 || res.GetNewest()[0].GetReference() != "DEMOA5" {
		t.Errorf("got %v, %v", res, err)
	}
	cleaned, err := f.Cleanup(f.by("scheduler"), &ordersv1.CleanupRequest{})
	if err != nil || len(cleaned.GetRemoved()) != 1 || cleaned.GetRemoved()[0].GetKind() != "idempotency_key" {
		t.Errorf("got %v, %v", cleaned, err)
	}
}

// Every method lets in whom the contract names, and nobody else (lessons P79 to P81).
func TestEveryMethodLetsInWhomTheContractNames(t *testing.T) {
	f := serve(t)
	rules, err := access.Rules(suite.Services(ordersv1.File_libertaphonix_orders_v1_orders_proto)...)
	if err != nil {
		t.Fatal(err)
	}
	callers := map[string]context.Context{"nobody": t.Context()}
	for _, role := range []string{"ADMIN", "MANAGER", "AGENT_SUIVI"} {
		callers[role] = f.as(boss, role)
	}
	for _, service := range []string{"identity", "orders", "ecosync", "shipping", "assignment", "scheduler"} {
		callers[service] = f.by(service)
	}
	methods := ordersv1.File_libertaphonix_orders_v1_orders_proto.Services().Get(0).Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		full := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
		for name, ctx := range callers {
			input, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
			if err != nil {
				t.Fatal(err)
			}
			output, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
			if err != nil {
				t.Fatal(err)
			}
			var in, out proto.Message = input.New().Interface(), output.New().Interface()
			code, _, _ := rpcerr.Reason(f.conn.Invoke(ctx, full, in, out))
			want := slices.Contains(rules[full].Roles, name) || slices.Contains(rules[full].Services, name)
			if let := code != codes.PermissionDenied && code != codes.Unauthenticated; let != want {
				t.Errorf("%s by %s: %s; let in: want %v", m.Name(), name, code, want)
			}
		}
	}
}
