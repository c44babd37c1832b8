package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/libertaphonix/libertaphonix/dev/ecomanagersim"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
)

// listed is what the test reads of an order over REST.
type listed struct {
	ID, Etag, Reference, Status, UpstreamState, CustomerName, Phone, StoreID, PlacedAt string
	Due                                                                                struct {
		CurrencyCode, Units string
		Nanos               int
	}
}

type page struct {
	Orders        []listed
	NextPageToken string
	TotalSize     int
}

// TestAManagersFirstHour: list, find, change a status and read its history over REST, and meet the same orders over gRPC.
func TestAManagersFirstHour(t *testing.T) {
	s := business(t)
	stores := s.openShops(t)
	s.sync(t)

	var first page
	s.manager.call(http.MethodGet, "/api/v1/orders?pageSize=3&withTotal=true", "").decode(t, &first)
	if len(first.Orders) != 3 || first.NextPageToken == "" || first.TotalSize < 4*ordersPerShop {
		t.Fatalf("the first page: %+v", first)
	}
	if !slices.IsSortedFunc(first.Orders, func(a, b listed) int { return -compare(a.PlacedAt, b.PlacedAt) }) {
		t.Errorf("not newest first: %+v", first.Orders)
	}
	var second page
	s.manager.call(http.MethodGet, "/api/v1/orders?pageSize=3&withTotal=true&pageToken="+url.QueryEscape(first.NextPageToken), "").decode(t, &second)
	if len(second.Orders) != 3 || second.Orders[0].ID == first.Orders[2].ID {
		t.Errorf("the second page: %+v", second)
	}
	if a := s.admin.call(http.MethodGet, "/api/v1/orders?pageSize=3&pageToken="+url.QueryEscape(first.NextPageToken), ""); a.reason() != "PAGE_TOKEN_INVALID" {
		t.Errorf("another user's page token: HTTP %d %s", a.status, a.body)
	}
	for _, bad := range []string{"state=PENDING", "status=OPEN", "pageSize=many", "page_size=3", "status=PENDING&nope=1"} {
		if a := s.manager.call(http.MethodGet, "/api/v1/orders?"+bad, ""); a.status != http.StatusBadRequest {
			t.Errorf("?%s: HTTP %d %s", bad, a.status, a.body)
		}
	}

	truth, err := s.sim.Orders("hodna", "BETA")
	if err != nil {
		t.Fatal(err)
	}
	one := truth[slices.IndexFunc(truth, func(o ecomanagersim.Order) bool { return o.PhoneE164 != "" && o.Stage == ecomanagersim.Dispatch })]
	for what, q := range map[string]string{"reference": one.Reference, "phone": "0" + one.PhoneE164[4:], "phone in E.164": one.PhoneE164, "name": one.Name} {
		var found page
		s.manager.call(http.MethodGet, "/api/v1/orders?pageSize=200&storeId="+stores["hodna/BETA"]+"&q="+url.QueryEscape(q), "").decode(t, &found)
		if !slices.ContainsFunc(found.Orders, func(o listed) bool { return o.Reference == one.Reference }) {
			t.Errorf("by %s %q: %d orders, none of them %s", what, q, len(found.Orders), one.Reference)
		}
	}

	var order page
	s.manager.call(http.MethodGet, "/api/v1/orders?q="+one.Reference, "").decode(t, &order)
	o := order.Orders[0]
	if want := fmt.Sprint(one.Total / 100); o.Due.Units != want || o.Due.CurrencyCode != "DZD" {
		t.Errorf("due %+v, want %s DZD", o.Due, want)
	}
	path := "/api/v1/orders/" + o.ID
	if a := s.manager.call(http.MethodPost, path+":changeStatus", `{"status":"CANCELLED"}`); a.reason() != "REASON_REQUIRED" {
		t.Errorf("cancelled without a reason: HTTP %d %s", a.status, a.body)
	}
	if a := s.manager.call(http.MethodPatch, path, `{"commune":"Elsewhere"}`); a.reason() != "FIELD_OWNED_BY_SHOP" {
		t.Errorf("the shop's field was changed: HTTP %d %s", a.status, a.body)
	}
	var cancelled listed
	s.manager.call(http.MethodPost, path+":changeStatus", `{"status":"CANCELLED","reason":"the customer changed his mind","etag":"`+o.Etag+`"}`).decode(t, &cancelled)
	if cancelled.Status != "CANCELLED" || cancelled.Etag == o.Etag {
		t.Errorf("after cancelling: %+v", cancelled)
	}
	if a := s.manager.call(http.MethodPost, path+":changeStatus", `{"status":"SHIPPED","reason":"x","etag":"`+o.Etag+`"}`); a.status != http.StatusConflict {
		t.Errorf("a stale etag: HTTP %d %s", a.status, a.body)
	}
	var history struct {
		Entries []struct{ Kind, Reason, ActorID string }
	}
	s.manager.call(http.MethodGet, path+"/history", "").decode(t, &history)
	if len(history.Entries) < 2 || history.Entries[0].Reason != "the customer changed his mind" || history.Entries[0].ActorID != s.manager.id {
		t.Errorf("the history: %+v", history)
	}
	if a := s.agent.call(http.MethodGet, path, ""); a.reason() != "ORDER_NOT_FOUND" {
		t.Errorf("an agent sees somebody else's order: HTTP %d %s (lesson P80)", a.status, a.body)
	}
	var audit struct {
		Events []struct{ ActorID, Action, Resource string }
	}
	s.admin.call(http.MethodGet, "/api/v1/audit/orders?resource=order/"+o.ID, "").decode(t, &audit)
	if len(audit.Events) != 1 || audit.Events[0].Action != "ChangeStatus" || audit.Events[0].ActorID != s.manager.id {
		t.Errorf("the audit: %+v", audit)
	}

	client := ordersv1.NewOrdersServiceClient(s.dial(t, "orders"))
	got, err := client.GetOrder(s.manager.as(t), &ordersv1.GetOrderRequest{OrderId: o.ID})
	if err != nil || got.GetOrder().GetReference() != one.Reference || got.GetOrder().GetStatus() != ordersv1.OrderStatus_CANCELLED {
		t.Errorf("over gRPC: %v, %v", got, err)
	}
}

// TestAManualOrderIsMadeOnceHoweverOftenItIsSent: a request id makes a repeated POST one order.
func TestAManualOrderIsMadeOnceHoweverOftenItIsSent(t *testing.T) {
	s := business(t)
	store := s.openShops(t)["numidia/ALPH"]
	body := `{"storeId":"` + store + `","customerName":"Amina Exemple","phone":"0550 00 00 00","wilayaCode":16,"requestId":"manual-1",` +
		`"items":[{"title":"Montre","quantity":2,"unitPrice":{"currencyCode":"DZD","units":"1600"}}],"shippingFee":{"currencyCode":"DZD","units":"400"}}`
	var made, again struct {
		ID, Status, Phone, ReadyAt string
		Due                        struct{ Units string }
	}
	s.manager.call(http.MethodPost, "/api/v1/orders", body).decode(t, &made)
	s.manager.call(http.MethodPost, "/api/v1/orders", body).decode(t, &again)
	if made != again || made.Due.Units != "3600" || made.Phone != "+213550000000" || made.ReadyAt == "" {
		t.Errorf("made %+v, again %+v", made, again)
	}
	if a := s.manager.call(http.MethodPost, "/api/v1/orders", `{"requestId":"manual-1",`+body[1:len(body)-1]+`,"note":"another body"}`); a.status == http.StatusOK {
		t.Errorf("a field given twice was taken: %s", a.body)
	}
	other := body[:len(body)-1] + `,"note":"another body"}`
	if a := s.manager.call(http.MethodPost, "/api/v1/orders", other); a.reason() != "REQUEST_ID_REUSED" {
		t.Errorf("the same request id with another body: HTTP %d %s", a.status, a.body)
	}
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// TestTheGatewayAnswersInOneShape: what does not exist, what is not allowed, what is too large.
func TestTheGatewayAnswersInOneShape(t *testing.T) {
	s := business(t)
	for path, want := range map[string]int{
		"GET /api/v1/nothing": http.StatusNotFound, "DELETE /api/v1/orders": http.StatusMethodNotAllowed, "GET /api/v1/orders/": http.StatusNotFound,
		"GET /healthz": http.StatusOK, "GET /readyz": http.StatusOK, "GET /openapi.json": http.StatusOK, "GET /docs": http.StatusOK,
		"GET /.well-known/jwks.json": http.StatusOK, "GET /": http.StatusOK,
	} {
		var method, route string
		_, _ = fmt.Sscanf(path, "%s %s", &method, &route)
		a := s.manager.call(method, route, "")
		if a.status != want {
			t.Errorf("%s: HTTP %d %s, want %d", path, a.status, a.body, want)
		}
		var shape struct {
			Code    int
			Message string
		}
		if want >= 400 && (json.Unmarshal(a.body, &shape) != nil || shape.Code == 0 || shape.Message == "" || a.header.Get("X-Request-Id") == "") {
			t.Errorf("%s: not an error of ours: %s", path, a.body)
		}
	}
	var system struct {
		Services []struct{ Service, Version string }
	}
	s.admin.call(http.MethodGet, "/api/v1/admin/system", "").decode(t, &system)
	if len(system.Services) < 3 {
		t.Errorf("admin/system knows %+v", system)
	}
	if a := s.manager.call(http.MethodGet, "/api/admin/system", ""); a.status != http.StatusForbidden {
		t.Errorf("a manager reads admin/system: HTTP %d", a.status)
	}
}
