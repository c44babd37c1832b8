package app

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
)

func TestAChangedStateMapIsPreviewedAppliedAndKnown(t *testing.T) {
	f := serve(t)
	ctx := f.by("ecosync")
	unmapped, other := shown(1), shown(2)
	unmapped.UpstreamState, unmapped.Meaning = "Parti chez le livreur", ordersv1.Meaning_VALUE_UNSPECIFIED
	f.ingest(unmapped, other)
	want := &ordersv1.ListUpstreamStatesResponse{States: []*ordersv1.UpstreamState{{State: "En dispatch", Orders: 1}, {State: "Parti chez le livreur", Orders: 1}}}
	res, err := f.ListUpstreamStates(ctx, &ordersv1.ListUpstreamStatesRequest{StoreId: storeA})
	if diff := cmp.Diff(want, res, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	req := &ordersv1.RemapStoreRequest{StoreId: storeA, Version: 2, ValidateOnly: true, Meanings: []*ordersv1.StateMeaning{
		{State: "Parti chez le livreur", Meaning: ordersv1.Meaning_FOLLOW_UP}, {State: "En dispatch", Meaning: ordersv1.Meaning_FOLLOW_UP},
	}}
	changes := &ordersv1.RemapStoreResponse{MeaningChanged: 1, BecameReady: 1}
	for _, step := range []struct {
		only    bool
		want    *ordersv1.RemapStoreResponse
		applied int32
	}{{true, changes, 0}, {false, changes, 2}, {false, &ordersv1.RemapStoreResponse{}, 2}} {
		req.ValidateOnly = step.only
		res, err := f.RemapStore(ctx, req)
		if diff := cmp.Diff(step.want, res, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("validate only %v: %v %s", step.only, err, diff)
		}
		if states, err := f.ListUpstreamStates(ctx, &ordersv1.ListUpstreamStatesRequest{StoreId: storeA}); err != nil || states.GetAppliedVersion() != step.applied {
			t.Errorf("applied %d, %v; want %d", states.GetAppliedVersion(), err, step.applied)
		}
	}
	for name, spoil := range map[string]func(*ordersv1.RemapStoreRequest){
		"a version that is none":   func(r *ordersv1.RemapStoreRequest) { r.Version = 0 },
		"a meaning that is none":   func(r *ordersv1.RemapStoreRequest) { r.Meanings[0].Meaning = 0 },
		"a state beyond any shop":  func(r *ordersv1.RemapStoreRequest) { r.Meanings[0].State = strings.Repeat("x", 201) },
		"a text nobody can store":  func(r *ordersv1.RemapStoreRequest) { r.Version, r.Meanings[0].State = 3, "a\x00b" },
		"a store that cannot be":   func(r *ordersv1.RemapStoreRequest) { r.StoreId = "NATU" },
		"more states than allowed": func(r *ordersv1.RemapStoreRequest) { r.Meanings = make([]*ordersv1.StateMeaning, 1001) },
	} {
		bad := &ordersv1.RemapStoreRequest{StoreId: storeA, Version: 2, Meanings: []*ordersv1.StateMeaning{{State: "x", Meaning: ordersv1.Meaning_NONE}}}
		spoil(bad)
		_, err := f.RemapStore(ctx, bad)
		if code, _, reason := rpcerr.Reason(err); code != codes.InvalidArgument || reason != "INVALID_REQUEST" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsGoneFromItsShopIsMarkedAndNoLongerHeld(t *testing.T) {
	f := serve(t)
	ctx := f.by("ecosync")
	results := f.ingest(shown(1), shown(2), shown(3))
	held := func(req *ordersv1.ListHeldOrdersRequest) *ordersv1.ListHeldOrdersResponse {
		t.Helper()
		req.StoreId = storeA
		res, err := f.ListHeldOrders(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	mark := &ordersv1.MarkUpstreamDeletedRequest{StoreId: storeA, UpstreamIds: []int64{2, 9}, ObservedAt: timestamppb.New(tuesday)}
	for _, want := range []int32{1, 0} {
		if res, err := f.MarkUpstreamDeleted(ctx, mark); err != nil || res.GetMarked() != want {
			t.Errorf("got %v, %v; want %d", res, err, want)
		}
	}
	want := &ordersv1.ListHeldOrdersResponse{UpstreamIds: []int64{3, 1}, OldestOpenUpstreamId: 1}
	if diff := cmp.Diff(want, held(&ordersv1.ListHeldOrdersRequest{Limit: 1000}), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	o, err := f.GetOrder(ctx, &ordersv1.GetOrderRequest{OrderId: results[1].GetOrderId()})
	if err != nil || !o.GetOrder().GetUpstreamDeletedAt().AsTime().Equal(tuesday) {
		t.Errorf("got %v, %v", o, err)
	}
	again := shown(2)
	again.ObservedAt = timestamppb.New(tuesday.Add(time.Second))
	if r := f.ingest(again)[0]; r.GetOutcome() != ordersv1.IngestOutcome_UPDATED {
		t.Errorf("the shop shows it again: %v", r)
	}
	if got := held(&ordersv1.ListHeldOrdersRequest{FromUpstreamId: 2, ToUpstreamId: 3, Limit: 1}).GetUpstreamIds(); !cmp.Equal(got, []int64{3}) {
		t.Errorf("got %v", got)
	}
	if got := held(&ordersv1.ListHeldOrdersRequest{ToUpstreamId: 2, Limit: 9}).GetUpstreamIds(); !cmp.Equal(got, []int64{2, 1}) {
		t.Errorf("got %v", got)
	}
	for name, call := range map[string]func() error{
		"no moment": func() error {
			_, err := f.MarkUpstreamDeleted(ctx, &ordersv1.MarkUpstreamDeletedRequest{StoreId: storeA, UpstreamIds: []int64{1}})
			return err
		},
		"no ids": func() error {
			_, err := f.MarkUpstreamDeleted(ctx, &ordersv1.MarkUpstreamDeletedRequest{StoreId: storeA, ObservedAt: timestamppb.New(tuesday)})
			return err
		},
		"no limit": func() error {
			_, err := f.ListHeldOrders(ctx, &ordersv1.ListHeldOrdersRequest{StoreId: storeA})
			return err
		},
	} {
		if code, _, reason := rpcerr.Reason(call()); code != codes.InvalidArgument || reason != "INVALID_REQUEST" {
			t.Errorf("%s: %s %s", name, code, reason)
		}
	}
}
