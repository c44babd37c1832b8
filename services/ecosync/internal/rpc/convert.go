package rpc

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// Enums are spelled alike in the contract and in the domain; what the contract
// does not know is shown as unspecified.

func toState(s store.State) ecosyncv1.StoreState_Value {
	return ecosyncv1.StoreState_Value(ecosyncv1.StoreState_Value_value[string(s)])
}

func toFailure(f shop.Failure) ecosyncv1.PassFailure_Value {
	return ecosyncv1.PassFailure_Value(ecosyncv1.PassFailure_Value_value[string(f)])
}

func toResult(r pass.Result) ecosyncv1.PassResult_Value {
	return ecosyncv1.PassResult_Value(ecosyncv1.PassResult_Value_value[string(r)])
}

func toKind(k pass.Kind) ecosyncv1.PassKind_Value {
	return ecosyncv1.PassKind_Value(ecosyncv1.PassKind_Value_value[string(k)])
}

func toStore(s store.Store) *ecosyncv1.Store {
	return &ecosyncv1.Store{
		Id: s.ID, Identifier: s.Identifier, Name: s.Name, BaseUrl: s.BaseURL,
		ApiTokenLastFour: s.Credential.LastFour,
		State:            toState(s.State()), PauseReason: s.PauseReason, PausedAt: timestamp(s.PausedAt),
		TimeZone: s.TimeZone, ReferencePrefix: strings.Join(s.ReferencePrefixes, ", "),
		StateMapVersion: count(s.StateMapVersion), LastSuccessAt: timestamp(s.LastSuccessAt), Quarantined: count(s.Quarantined),
		IdOnly: s.IDOnly, Gaps: count(s.Gaps),
		CreatedAt: timestamp(s.CreatedAt), UpdatedAt: timestamp(s.UpdatedAt), Etag: strconv.FormatInt(s.Version, 10),
	}
}

func toPass(p pass.Pass) *ecosyncv1.Pass {
	c := p.Counts
	shown := &ecosyncv1.Pass{
		StartedAt: timestamp(p.StartedAt), EndedAt: timestamp(p.EndedAt),
		Result: toResult(p.Result), Failure: toFailure(p.Failure), Message: p.Message, Kind: toKind(p.Kind),
		WaitingUntil: timestamp(p.WaitingUntil), ResumeAt: timestamp(p.ResumeAt),
		Counts: &ecosyncv1.PassCounts{
			Requests: count(c.Requests), Pages: count(c.Pages), Rows: count(c.Rows),
			Created: count(c.Created), Updated: count(c.Updated), Unchanged: count(c.Unchanged),
			Stale: count(c.Stale), Deleted: count(c.Deleted), Quarantined: count(c.Quarantined), BecameReady: count(c.BecameReady),
			Gaps: count(c.Gaps), UpstreamDeleted: count(c.UpstreamDeleted),
		},
	}
	if p.ID != 0 { // SKIPPED and ALREADY_RUNNING made none
		shown.Id = strconv.FormatInt(p.ID, 10)
	}
	return shown
}

func toProgress(p pass.Progress) *ecosyncv1.SyncStoresResponse {
	return &ecosyncv1.SyncStoresResponse{StoreId: p.StoreID, Identifier: p.Identifier, Pass: toPass(p.Pass)}
}

func toStateMap(m statemap.Map, unknown []store.UnknownState) *ecosyncv1.GetStateMapResponse {
	res := &ecosyncv1.GetStateMapResponse{Version: count(m.Version)}
	for _, e := range m.Entries {
		res.Rules = append(res.Rules, &ecosyncv1.StateRule{
			State: e.State, Prefix: e.Prefix, Meaning: ordersv1.Meaning_Value(ordersv1.Meaning_Value_value[string(e.Meaning)]),
		})
	}
	for _, u := range unknown {
		res.UnknownStates = append(res.UnknownStates, &ecosyncv1.UnknownState{
			State: u.State, Rows: count(u.Rows), FirstSeenAt: timestamp(u.FirstSeenAt), LastSeenAt: timestamp(u.LastSeenAt),
		})
	}
	return res
}

func fromListStores(ctx context.Context, req *ecosyncv1.ListStoresRequest) (f store.Filter, bound string) {
	f.Limit = pageSize(req.GetPageSize()) + 1
	for _, s := range req.GetState() {
		f.States = append(f.States, store.State(s.String()))
	}
	return f, scope(ctx, "stores", fmt.Sprint(f.States))
}

func fromCreateStore(req *ecosyncv1.CreateStoreRequest) store.Draft {
	return store.Draft{
		Identifier: req.GetIdentifier(), Name: req.GetName(), BaseURL: req.GetBaseUrl(),
		Token: shop.Token(req.GetApiToken()), TimeZone: req.GetTimeZone(),
	}
}

func fromUpdateStore(req *ecosyncv1.UpdateStoreRequest) (store.Change, error) {
	//nolint:protogetter // nil is "unchanged"
	c := store.Change{Name: req.Name, BaseURL: req.BaseUrl, Active: req.Active, TimeZone: req.TimeZone}
	if req.ApiToken != nil { //nolint:protogetter // as above
		token := shop.Token(req.GetApiToken())
		c.Token = &token
	}
	if etag := req.GetEtag(); etag != "" {
		version, err := strconv.ParseInt(etag, 10, 64)
		if err != nil || version < 1 {
			return c, store.ErrStale // what is no etag of ours cannot be the present one
		}
		c.Version = version
	}
	return c, nil
}

// creation reads the request id, from the request or the header, and what it is
// bound to. The token is left out of the hash: a plain hash of it, kept for a
// day, would be the one place where it could be tried fast.
func creation(ctx context.Context, req *ecosyncv1.CreateStoreRequest) (store.Request, error) {
	key, err := idempotency.KeyFrom(ctx, req.GetRequestId())
	r := store.Request{Action: "CreateStore", ID: key}
	if err != nil {
		return r, err
	}
	bound := proto.CloneOf(req)
	bound.ApiToken, bound.RequestId = "", ""
	r.Hash, err = idempotency.Hash(bound)
	return r, err
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// count is a number as the contract carries it; what does not fit is shown as
// the most that does.
func count(n int64) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // G115: bounded above, and never negative
