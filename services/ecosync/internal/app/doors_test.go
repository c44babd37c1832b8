package app_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
)

func TestAStateMapIsPreviewedSavedAndApplied(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 5)
	a, err := w.create("AAA", tokenA)
	w.must(err)
	w.sync(a.GetId())
	admin := w.as("ADMIN")
	states, err := w.GetStateMap(admin, &ecosyncv1.GetStateMapRequest{StoreId: a.GetId()})
	w.must(err)
	req := &ecosyncv1.UpdateStateMapRequest{StoreId: a.GetId(), Version: states.GetVersion(), ValidateOnly: true}
	req.Rules = []*ecosyncv1.StateRule{{State: "EN DISPATCH", Meaning: ordersv1.Meaning_CANCELLED}}
	preview, err := w.UpdateStateMap(admin, req)
	if w.must(err); preview.GetVersion() != 1 || preview.GetMeaningChanged() != 5 {
		t.Errorf("preview: %v", preview)
	}
	req.ValidateOnly = false
	for range 2 { // the same call again changes nothing more
		done, err := w.UpdateStateMap(admin, req)
		if w.must(err); done.GetVersion() != 2 {
			t.Errorf("saved: %v", done)
		}
	}
	for _, row := range w.orders.rows[a.GetId()] {
		if row.GetMeaning() != ordersv1.Meaning_CANCELLED {
			t.Errorf("order %d still means %s", row.GetUpstreamId(), row.GetMeaning())
		}
	}
	req.Rules[0].Meaning = ordersv1.Meaning_NONE
	_, err = w.UpdateStateMap(admin, req)
	w.refused(err, codes.Aborted, "ETAG_STALE")
	req.Rules = append(req.Rules, &ecosyncv1.StateRule{State: "en dispatch", Meaning: ordersv1.Meaning_DELIVERED})
	_, err = w.UpdateStateMap(admin, req)
	w.refused(err, codes.InvalidArgument, "STATE_MAP_INVALID")
	if details := fmt.Sprint(status.Convert(err).Details()...); !strings.Contains(details, "rules[1]") {
		t.Errorf("the refusal does not name the rule: %s", details)
	}
}

func TestAQuarantinedRowIsRetriedUnderTheQuota(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 3)
	a, err := w.create("AAA", tokenA)
	w.must(err)
	price := w.shop.orders[tokenA][1]["total"]
	w.shop.orders[tokenA][1]["total"] = nil
	w.sync(a.GetId())
	admin := w.as("ADMIN")
	list, err := w.ListQuarantine(admin, &ecosyncv1.ListQuarantineRequest{StoreId: a.GetId()})
	if w.must(err); len(list.GetRows()) != 1 || !strings.Contains(list.GetRows()[0].GetRaw(), "DEMOA") {
		t.Fatalf("%v", list)
	}
	retry := &ecosyncv1.RetryQuarantineRequest{StoreId: a.GetId(), QuarantineId: list.GetRows()[0].GetId()}
	still, err := w.RetryQuarantine(admin, retry)
	if w.must(err); still.GetRow().GetResolvedAt() != nil || still.GetRow().GetTimes() != 2 {
		t.Errorf("a row that is still bad: %v", still)
	}
	w.shop.gone[tokenA] = 503
	_, err = w.RetryQuarantine(admin, retry)
	w.refused(err, codes.FailedPrecondition, "CONNECTION_FAILED")
	delete(w.shop.gone, tokenA)
	w.shop.orders[tokenA][1]["total"] = price
	good, err := w.RetryQuarantine(admin, retry)
	if w.must(err); good.GetRow().GetResolvedAt() == nil {
		t.Errorf("a row that is good: %v", good)
	}
	retry.QuarantineId = "999999"
	_, err = w.RetryQuarantine(admin, retry)
	w.refused(err, codes.NotFound, "QUARANTINE_NOT_FOUND")
	limits, err := w.GetRateLimits(w.as("MANAGER"), &ecosyncv1.GetRateLimitsRequest{StoreId: a.GetId()})
	if w.must(err); len(limits.GetWindows()) != 4 || limits.GetWindows()[3].GetLimit() != 8000 || limits.GetWindows()[3].GetSpent() < 4 {
		t.Errorf("the connection test and three single reads are counted: %v", limits)
	}
	passes, err := w.ListPasses(w.as("MANAGER"), &ecosyncv1.ListPassesRequest{StoreId: a.GetId(), PageSize: 1})
	if w.must(err); len(passes.GetPasses()) != 1 || passes.GetNextPageToken() != "" {
		t.Errorf("%v", passes)
	}
	_, err = w.ListPasses(admin, &ecosyncv1.ListPassesRequest{StoreId: "0195d0c0-0000-7000-8000-000000000000"})
	w.refused(err, codes.NotFound, "STORE_NOT_FOUND")
	_, err = w.PauseStore(admin, &ecosyncv1.PauseStoreRequest{StoreId: a.GetId(), Reason: "holiday"})
	w.must(err)
	conditions, err := w.ListConditions(w.asScheduler(), &ecosyncv1.ListConditionsRequest{})
	if w.must(err); len(conditions.GetConditions()) != 1 || conditions.GetConditions()[0].GetKind() != "store.paused" {
		t.Errorf("%v", conditions)
	}
}
