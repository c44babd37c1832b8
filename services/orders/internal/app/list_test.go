package app

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
)

func references(orders []*ordersv1.Order) []string {
	list := make([]string, 0, len(orders))
	for _, o := range orders {
		list = append(list, o.GetReference())
	}
	return list
}

func TestAListIsPagedSearchedAndNarrowedToWhoAsks(t *testing.T) {
	f := serve(t)
	var rows []*ordersv1.IngestOrder
	for n := range int64(5) {
		r := shown(n + 1)
		r.PlacedAt = timestamppb.New(tuesday.Add(-time.Duration(n+2) * time.Hour))
		r.ObservedAt = timestamppb.New(tuesday)
		r.Phone = fmt.Sprintf("0550 00 00 %02d", n)
		rows = append(rows, r)
	}
	rows[3].CustomerName = "أَحمد بن صالح"
	results := f.ingest(rows...)
	f.onDesk(results[1].GetOrderId(), agent1)
	manager, agent := f.as(boss, "MANAGER"), f.as(agent1, "AGENT_SUIVI")

	var all []string
	token := ""
	for {
		page, err := f.ListOrders(manager, &ordersv1.ListOrdersRequest{PageSize: 2, PageToken: token, WithTotal: true})
		if err != nil {
			t.Fatal(err)
		}
		if page.GetTotalSize() != 5 {
			t.Errorf("total %d", page.GetTotalSize())
		}
		all = append(all, references(page.GetOrders())...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
		_, err = f.ListOrders(agent, &ordersv1.ListOrdersRequest{PageSize: 2, PageToken: token})
		refused(t, err, codes.InvalidArgument, ordersv1.ErrorReason_PAGE_TOKEN_INVALID)
	}
	if want := []string{"DEMOA1", "DEMOA2", "DEMOA3", "DEMOA4", "DEMOA5"}; !slices.Equal(all, want) {
		t.Errorf("pages hold %v, want %v", all, want)
	}

	for name, c := range map[string]struct {
		req  *ordersv1.ListOrdersRequest
		want []string
	}{
		"a telephone with the country":  {&ordersv1.ListOrdersRequest{Q: "+213 550-00-00-02"}, []string{"DEMOA3"}},
		"a telephone in Arabic digits":  {&ordersv1.ListOrdersRequest{Q: "٠٥٥٠٠٠٠٠٠٢"}, []string{"DEMOA3"}},
		"an Arabic name, spelled alike": {&ordersv1.ListOrdersRequest{Q: "احمد بن صالح"}, []string{"DEMOA4"}},
		"a reference":                   {&ordersv1.ListOrdersRequest{Q: "demoa5"}, []string{"DEMOA5"}},
		"the longest ready":             {&ordersv1.ListOrdersRequest{OrderBy: "readyAt asc", Unassigned: true, PageSize: 1}, []string{"DEMOA1"}},
		"by status and store": {&ordersv1.ListOrdersRequest{
			Status: []ordersv1.OrderStatus_Value{ordersv1.OrderStatus_ASSIGNED}, StoreId: []string{storeA}, Wilaya: []int32{16},
		}, []string{"DEMOA2"}},
	} {
		page, err := f.ListOrders(manager, c.req)
		if err != nil || !slices.Equal(references(page.GetOrders()), c.want) {
			t.Errorf("%s: %v, %v; want %v", name, references(page.GetOrders()), err, c.want)
		}
	}
	for name, req := range map[string]*ordersv1.ListOrdersRequest{
		"own":            {},
		"asked for more": {AgentId: []string{agent1, agent2}},
	} {
		page, err := f.ListOrders(agent, req)
		if err != nil || !slices.Equal(references(page.GetOrders()), []string{"DEMOA2"}) {
			t.Errorf("an agent's list, %s: %v, %v", name, references(page.GetOrders()), err)
		}
	}
	_, err := f.ListOrders(manager, &ordersv1.ListOrdersRequest{Q: "ab"})
	refused(t, err, codes.InvalidArgument, ordersv1.ErrorReason_QUERY_TOO_SHORT)
	_, err = f.ListOrders(manager, &ordersv1.ListOrdersRequest{PlacedFrom: "2026-02-30"})
	refused(t, err, codes.InvalidArgument, ordersv1.ErrorReason_DATE_INVALID)
}

func TestTheAuditTrailIsPagedAndFiltered(t *testing.T) {
	f := serve(t)
	results := f.ingest(shown(1), shown(2))
	manager, admin := f.as(boss, "MANAGER"), f.as(agent2, "ADMIN")
	for n, r := range results {
		tags := &ordersv1.TagSet{Values: []string{fmt.Sprint("tag", n)}}
		if _, err := f.UpdateOrder(manager, &ordersv1.UpdateOrderRequest{OrderId: r.GetOrderId(), Tags: tags}); err != nil {
			t.Fatal(err)
		}
	}
	first, err := f.ListAuditEvents(admin, &ordersv1.ListAuditEventsRequest{PageSize: 1, ActorId: boss})
	if err != nil || len(first.GetEvents()) != 1 || first.GetEvents()[0].GetResource() != "order/"+results[1].GetOrderId() || first.GetEvents()[0].GetAction() != "UpdateOrder" {
		t.Fatalf("got %v, %v", first, err)
	}
	second, err := f.ListAuditEvents(admin, &ordersv1.ListAuditEventsRequest{PageSize: 1, ActorId: boss, PageToken: first.GetNextPageToken()})
	if err != nil || len(second.GetEvents()) != 1 || second.GetNextPageToken() != "" {
		t.Errorf("got %v, %v", second, err)
	}
	_, err = f.ListAuditEvents(admin, &ordersv1.ListAuditEventsRequest{PageToken: first.GetNextPageToken()})
	refused(t, err, codes.InvalidArgument, ordersv1.ErrorReason_PAGE_TOKEN_INVALID)
}

func TestAllWilayasAreListedWithTheirNames(t *testing.T) {
	f := serve(t)
	res, err := f.ListWilayas(f.as(agent1, "AGENT_SUIVI"), &ordersv1.ListWilayasRequest{})
	if err != nil || len(res.GetWilayas()) != 69 {
		t.Fatalf("%d wilayas, %v", len(res.GetWilayas()), err)
	}
	if w := res.GetWilayas()[5]; w.GetName() != "Béjaïa" || w.GetNameAr() != "بجاية" || w.GetMaxDeliveryDays() != 2 || len(w.GetAliases()) == 0 {
		t.Errorf("got %v", w)
	}
}

// Lesson P52: filters that were dropped in silence.
func TestAMomentThatNoCalendarHasIsRefused(t *testing.T) {
	f := serve(t)
	for _, seconds := range []int64{1 << 60, -62135596800} {
		_, err := f.ListOrders(f.as(boss, "ADMIN"), &ordersv1.ListOrdersRequest{DueBefore: &timestamppb.Timestamp{Seconds: seconds}})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%d: %v", seconds, err)
		}
	}
}

func TestOneRowWithAnUnknownMeaningHoldsUpNoOther(t *testing.T) {
	f := serve(t)
	shown := func(id int64, m ordersv1.Meaning_Value) *ordersv1.IngestOrder {
		return &ordersv1.IngestOrder{
			UpstreamId: id, Reference: "DEMOA1", ObservedAt: timestamppb.New(tuesday), PlacedAt: timestamppb.New(tuesday.Add(-time.Hour)),
			Meaning: m, Due: &money.Money{CurrencyCode: "DZD", Units: 10},
		}
	}
	res, err := f.IngestOrders(f.by("ecosync"), &ordersv1.IngestOrdersRequest{
		StoreId: storeA, Source: ordersv1.IngestSource_PASS, StateMapVersion: 1,
		Orders: []*ordersv1.IngestOrder{shown(1, 77), shown(2, ordersv1.Meaning_FOLLOW_UP)},
	})
	if err != nil {
		t.Fatal(err)
	}
	bad, good := res.GetResults()[0], res.GetResults()[1]
	if bad.GetReason() != ordersv1.RejectReason_MEANING_INVALID || good.GetOutcome() != ordersv1.IngestOutcome_CREATED {
		t.Errorf("got %v and %v", bad, good)
	}
}
