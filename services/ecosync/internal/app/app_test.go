package app_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
)

func (w *world) refused(err error, code codes.Code, reason string) {
	w.Helper()
	if c, _, r := rpcerr.Reason(err); c != code || r != reason {
		w.Errorf("got %s %s (%v), want %s %s", c, r, err, code, reason)
	}
}

func TestStoresAreSyncedAndASecondSyncWritesNothing(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 60)
	w.shop.fill(tokenB, "DEMOB", 40) // the same numbers: another shop of the tenant (lesson P5)
	a, err := w.create("AAA", tokenA)
	w.must(err)
	b, err := w.create("BBB", tokenB)
	w.must(err)
	if a.GetBaseUrl() != w.shop.URL+"/api/shop/v2" || a.GetReferencePrefix() != "DEMOA" || a.GetTimeZone() != "Africa/Algiers" ||
		a.GetApiTokenLastFour() != "0001" || a.GetState() != ecosyncv1.StoreState_ACTIVE || a.GetEtag() != "1" {
		t.Errorf("%v", a)
	}
	w.shop.asked(tokenA)

	last := w.sync()
	for store, n := range map[*ecosyncv1.Store]int32{a: 60, b: 40} {
		p := last[store.GetId()]
		if p.GetResult() != ecosyncv1.PassResult_SUCCEEDED || p.GetCounts().GetCreated() != n || p.GetCounts().GetBecameReady() != n || p.GetId() == "" {
			t.Errorf("%s: %v", store.GetIdentifier(), p)
		}
	}
	row := w.orders.rows[a.GetId()][700200]
	if row.GetReference() != "DEMOA700200" || row.GetMeaning() != ordersv1.Meaning_FOLLOW_UP ||
		row.GetDue().GetUnits() != 3600 || row.GetItems()[0].GetUnitPrice().GetNanos() != 500_000_000 || row.GetItems()[0].GetProductId() != "55" ||
		row.GetObservedAt().AsTime().Before(time.Now().Add(-time.Minute)) {
		t.Errorf("%v", row)
	}
	if age := time.Since(row.GetPlacedAt().AsTime()); age < time.Minute || age > 3*time.Minute {
		t.Errorf("an order of a minute ago in Algiers was placed %v ago", age)
	}

	if w.shop.asked(tokenA); w.shop.asked(tokenB) == 0 {
		t.Fatal("nothing was asked")
	}
	last = w.sync()
	if n := w.shop.asked(tokenA); n != 1 || last[a.GetId()].GetCounts().GetUnchanged() != 60 || last[a.GetId()].GetCounts().GetCreated() != 0 {
		t.Errorf("the second sync: %d requests, %v", n, last[a.GetId()])
	}

	list, err := w.ListStores(w.as("MANAGER"), &ecosyncv1.ListStoresRequest{PageSize: 1})
	w.must(err)
	if len(list.GetStores()) != 1 || list.GetStores()[0].GetLastPass().GetCounts().GetUnchanged() != 60 || list.GetStores()[0].GetLastSuccessAt() == nil {
		t.Errorf("%v", list)
	}
	rest, err := w.ListStores(w.as("MANAGER"), &ecosyncv1.ListStoresRequest{PageSize: 1, PageToken: list.GetNextPageToken()})
	w.must(err)
	if len(rest.GetStores()) != 1 || rest.GetStores()[0].GetIdentifier() != "BBB" || rest.GetNextPageToken() != "" {
		t.Errorf("%v", rest)
	}
	_, err = w.ListStores(w.as("ADMIN"), &ecosyncv1.ListStoresRequest{PageSize: 1, PageToken: list.GetNextPageToken()})
	w.refused(err, codes.InvalidArgument, "PAGE_TOKEN_INVALID")
}

func TestAStoreThatIsNotThereHoldsNoOtherUp(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 5)
	a, err := w.create("AAA", tokenA)
	w.must(err)
	const gone = "0198c0de-0000-7000-8000-000000000000"
	last := w.sync(gone, a.GetId())
	if last[a.GetId()].GetCounts().GetCreated() != 5 || last[gone].GetResult() != ecosyncv1.PassResult_SKIPPED {
		t.Errorf("%v (lesson P12)", last)
	}
	stream, err := w.SyncStores(w.asScheduler(), &ecosyncv1.SyncStoresRequest{StoreIds: []string{gone}})
	w.must(err)
	_, err = stream.Recv()
	w.refused(err, codes.NotFound, "STORE_NOT_FOUND")
}

func TestEveryOutcomeOfOrdersIsTakenForWhatItIs(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 6)
	a, err := w.create("AAA", tokenA)
	w.must(err)
	w.orders.judge = map[int64]*ordersv1.IngestResult{
		700200: {Outcome: ordersv1.IngestOutcome_STALE},
		700199: {Outcome: ordersv1.IngestOutcome_DELETED},
		700198: {Outcome: ordersv1.IngestOutcome_REJECTED, Reason: ordersv1.RejectReason_IDENTITY_MISMATCH},
	}
	p := w.sync(a.GetId())[a.GetId()]
	if c := p.GetCounts(); p.GetResult() != ecosyncv1.PassResult_SUCCEEDED || c.GetStale() != 1 || c.GetDeleted() != 1 || c.GetQuarantined() != 1 || c.GetCreated() != 3 {
		t.Errorf("%v", p)
	}
	got, err := w.GetStore(w.as("MANAGER"), &ecosyncv1.GetStoreRequest{StoreId: a.GetId()})
	w.must(err)
	success := got.GetStore().GetLastSuccessAt().AsTime()
	w.orders.judge = map[int64]*ordersv1.IngestResult{700197: {Outcome: 99}}
	if p := w.sync(a.GetId())[a.GetId()]; p.GetResult() != ecosyncv1.PassResult_FAILED {
		t.Errorf("an outcome of a newer release: %v", p)
	}
	got, err = w.GetStore(w.as("MANAGER"), &ecosyncv1.GetStoreRequest{StoreId: a.GetId()})
	w.must(err)
	if !got.GetStore().GetLastSuccessAt().AsTime().Equal(success) {
		t.Error("it counts as a success")
	}
}

func TestARefusedTokenPausesItsStoreAloneUntilAPersonActs(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 5)
	w.shop.fill(tokenB, "DEMOB", 5)
	a, err := w.create("AAA", tokenA)
	w.must(err)
	b, err := w.create("BBB", tokenB)
	w.must(err)
	w.shop.gone[tokenA] = 403
	last := w.sync()
	if p := last[a.GetId()]; p.GetFailure() != ecosyncv1.PassFailure_TOKEN_REFUSED || last[b.GetId()].GetResult() != ecosyncv1.PassResult_SUCCEEDED {
		t.Errorf("%v", last)
	}
	got, err := w.GetStore(w.as("MANAGER"), &ecosyncv1.GetStoreRequest{StoreId: a.GetId()})
	w.must(err)
	if s := got.GetStore(); s.GetState() != ecosyncv1.StoreState_PAUSED || s.GetPauseReason() == "" || s.GetPausedAt() == nil {
		t.Errorf("%v", s)
	}
	w.shop.asked(tokenA)
	if last = w.sync(a.GetId()); last[a.GetId()].GetResult() != ecosyncv1.PassResult_SKIPPED || w.shop.asked(tokenA) != 0 {
		t.Errorf("a paused store was asked: %v", last)
	}
	tested, err := w.TestConnection(w.as("ADMIN"), &ecosyncv1.TestConnectionRequest{StoreId: a.GetId()})
	w.must(err)
	if tested.GetOk() || tested.GetFailure() != ecosyncv1.PassFailure_TOKEN_REFUSED || tested.GetMessage() == "" {
		t.Errorf("%v", tested)
	}
	delete(w.shop.gone, tokenA)
	if tested, err = w.TestConnection(w.as("ADMIN"), &ecosyncv1.TestConnectionRequest{StoreId: a.GetId()}); err != nil || !tested.GetOk() {
		t.Errorf("%v, %v", tested, err)
	}
	_, err = w.ResumeStore(w.as("ADMIN"), &ecosyncv1.ResumeStoreRequest{StoreId: a.GetId(), Reason: "the token is good again"})
	w.must(err)
	if last = w.sync(a.GetId()); last[a.GetId()].GetResult() != ecosyncv1.PassResult_SUCCEEDED {
		t.Errorf("%v", last)
	}
}

func TestAStoreIsOnlySavedWhenItIsThisShop(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 5)
	w.shop.fill(tokenB, "DEMOB", 5)
	admin := w.as("ADMIN")
	_, err := w.create("NONE", "FAKEtokenThatNobodyKnows0009")
	w.refused(err, codes.FailedPrecondition, "CONNECTION_FAILED")
	if rpcerr.Metadata(err)["failure"] != "TOKEN_REFUSED" {
		t.Errorf("metadata %v", rpcerr.Metadata(err))
	}
	for url, reason := range map[string]string{
		"http://127.0.0.1:1":             "BASE_URL_NOT_ALLOWED",
		"https://169.254.169.254":        "BASE_URL_NOT_ALLOWED",
		"https://elsewhere.example":      "BASE_URL_NOT_ALLOWED",
		"ftp://" + w.shop.URL[7:]:        "BASE_URL_INVALID",
		"http://u:p@" + w.shop.URL[7:]:   "BASE_URL_INVALID",
		w.shop.URL + "/api/shop/v2?page": "BASE_URL_INVALID",
	} {
		_, err := w.CreateStore(admin, &ecosyncv1.CreateStoreRequest{Identifier: "XX", Name: "x", BaseUrl: url, ApiToken: tokenA})
		w.refused(err, codes.InvalidArgument, reason)
	}
	a, err := w.create("AAA", tokenA)
	w.must(err)
	_, err = w.create("AAA", tokenB)
	w.refused(err, codes.AlreadyExists, "IDENTIFIER_TAKEN")
	_, err = w.create("CCC", tokenA)
	w.refused(err, codes.AlreadyExists, "TOKEN_IN_USE")
	w.sync()

	update := func(change *ecosyncv1.UpdateStoreRequest) (*ecosyncv1.Store, error) {
		change.StoreId = a.GetId()
		res, err := w.UpdateStore(admin, change)
		return res.GetStore(), err
	}
	// Another shop's token shows other references under the same numbers.
	_, err = update(&ecosyncv1.UpdateStoreRequest{ApiToken: proto.String(tokenB)})
	w.refused(err, codes.FailedPrecondition, "OTHER_SHOP")
	_, err = update(&ecosyncv1.UpdateStoreRequest{TimeZone: proto.String("Europe/Paris")})
	w.refused(err, codes.FailedPrecondition, "TIME_ZONE_FIXED")
	_, err = update(&ecosyncv1.UpdateStoreRequest{Name: proto.String("x"), Etag: "77"})
	w.refused(err, codes.Aborted, "ETAG_STALE")
	// A rotated token of the same shop is another secret and the same orders.
	const rotated = "FAKErotatedTokenOfShopAFAKErotatedToken7777"
	w.shop.mu.Lock()
	w.shop.orders[rotated] = w.shop.orders[tokenA]
	delete(w.shop.orders, tokenA)
	w.shop.mu.Unlock()
	changed, err := update(&ecosyncv1.UpdateStoreRequest{ApiToken: proto.String(rotated), Name: proto.String("Renamed")})
	w.must(err)
	if changed.GetApiTokenLastFour() != "7777" || changed.GetName() != "Renamed" {
		t.Errorf("%v", changed)
	}
	if last := w.sync(); last[a.GetId()].GetResult() != ecosyncv1.PassResult_SUCCEEDED || w.shop.asked(rotated) == 0 {
		t.Errorf("the rotated token is not used: %v", last)
	}

	_, err = w.DeleteStore(admin, &ecosyncv1.DeleteStoreRequest{StoreId: a.GetId()})
	w.refused(err, codes.FailedPrecondition, "STORE_HAS_ORDERS")
	if rpcerr.Metadata(err)["orders"] != "5" {
		t.Errorf("metadata %v", rpcerr.Metadata(err))
	}
	_, err = w.GetStore(admin, &ecosyncv1.GetStoreRequest{StoreId: "0198f000-0000-7000-8000-000000000000"})
	w.refused(err, codes.NotFound, "STORE_NOT_FOUND")
	events, err := w.ListAuditEvents(admin, &ecosyncv1.ListAuditEventsRequest{Resource: "store/" + a.GetId()})
	w.must(err)
	if n := len(events.GetEvents()); n != 2 || events.GetEvents()[0].GetAction() != "UpdateStore" || events.GetEvents()[0].GetActorId() != "person-ADMIN" {
		t.Errorf("%d events: %v", n, events)
	}
}

func TestRowsWithoutAPriceAreKeptAndShown(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 5)
	w.shop.orders[tokenA][1]["total"] = nil     // orders reject it
	w.shop.orders[tokenA][2]["total"] = "a lot" // the decoder cannot read it
	w.shop.orders[tokenA][3]["order_state_name"] = "Expédié"
	a, err := w.create("AAA", tokenA)
	w.must(err)
	if p := w.sync()[a.GetId()]; p.GetCounts().GetCreated() != 3 || p.GetCounts().GetQuarantined() != 2 || p.GetResult() != ecosyncv1.PassResult_SUCCEEDED {
		t.Errorf("%v", p)
	}
	states, err := w.GetStateMap(w.as("MANAGER"), &ecosyncv1.GetStateMapRequest{StoreId: a.GetId()})
	w.must(err)
	if u := states.GetUnknownStates(); len(u) != 1 || u[0].GetState() != "Expédié" || u[0].GetRows() != 1 || states.GetVersion() != 1 || len(states.GetRules()) == 0 {
		t.Errorf("%v (lesson P15)", states)
	}
	w.shop.orders[tokenA][2]["total"] = "3600"
	w.sync()
	got, err := w.GetStore(w.as("ADMIN"), &ecosyncv1.GetStoreRequest{StoreId: a.GetId()})
	w.must(err)
	if got.GetStore().GetQuarantined() != 1 {
		t.Errorf("a repaired row is still in quarantine: %v", got)
	}
}

func TestTheContractSaysWhoMayCall(t *testing.T) {
	w := start(t)
	for _, role := range []string{"MANAGER", "AGENT_SUIVI"} {
		_, err := w.CreateStore(w.as(role), &ecosyncv1.CreateStoreRequest{Identifier: "AAA", Name: "x", BaseUrl: w.shop.URL, ApiToken: tokenA})
		w.refused(err, codes.PermissionDenied, "PERMISSION_DENIED")
	}
	_, err := w.ListStores(w.as("AGENT_SUIVI"), &ecosyncv1.ListStoresRequest{})
	w.refused(err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = w.ListStores(t.Context(), &ecosyncv1.ListStoresRequest{})
	w.refused(err, codes.Unauthenticated, "TOKEN_MISSING")
	_, err = w.ListStores(w.asScheduler(), &ecosyncv1.ListStoresRequest{})
	w.must(err)
}

func TestRedisMayVanishAndHoldsNoSecretInClear(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 5)
	a, err := w.create("AAA", tokenA)
	w.must(err)
	w.sync()
	key := "credentials:ecosync:" + a.GetId()
	if !w.redis.Exists(key) {
		t.Error("the ciphertext is not cached")
	}
	if value, _ := w.redis.Get(key); strings.Contains(value, tokenA) {
		t.Error("Redis holds a token in clear")
	}
	// Whatever somebody writes there, PostgreSQL's version decides.
	w.redis.Set(key, "rubbish")
	if p := w.sync()[a.GetId()]; p.GetResult() != ecosyncv1.PassResult_SUCCEEDED {
		t.Errorf("%v", p)
	}
	w.redis.Close()
	if p := w.sync()[a.GetId()]; p.GetResult() != ecosyncv1.PassResult_SUCCEEDED {
		t.Errorf("without Redis: %v (lesson P75)", p)
	}
}

func TestNoSecretAndNoForeignBodyIsEverShown(t *testing.T) {
	w := start(t)
	w.shop.fill(tokenA, "DEMOA", 5)
	a, err := w.create("AAA", tokenA)
	w.must(err)
	_, err = w.create("BBB", tokenA)
	w.refused(err, codes.AlreadyExists, "TOKEN_IN_USE")
	_, _ = w.create("CCC", "FAKEtokenThatNobodyKnows0009")
	w.sync()
	w.shop.gone[tokenA] = 401
	w.sync()
	_, err = w.TestConnection(w.as("ADMIN"), &ecosyncv1.TestConnectionRequest{StoreId: a.GetId()})
	w.must(err)
	_, err = w.ListAuditEvents(w.as("ADMIN"), &ecosyncv1.ListAuditEventsRequest{})
	w.must(err)
	_, err = w.ListPasses(w.as("MANAGER"), &ecosyncv1.ListPassesRequest{StoreId: a.GetId()})
	w.must(err)
	_, err = w.GetRateLimits(w.as("MANAGER"), &ecosyncv1.GetRateLimitsRequest{StoreId: a.GetId()})
	w.must(err)
	_, err = w.ListQuarantine(w.as("ADMIN"), &ecosyncv1.ListQuarantineRequest{StoreId: a.GetId()})
	w.must(err)
	_, err = w.ListConditions(w.as("ADMIN"), &ecosyncv1.ListConditionsRequest{})
	w.must(err)

	var stored string
	w.must(w.pool.QueryRow(t.Context(), `
		SELECT (SELECT string_agg(s::text, ' ') FROM ecosync.store s) || (SELECT string_agg(e::text, ' ') FROM ecosync.audit_event e)
		    || (SELECT string_agg(p::text, ' ') FROM ecosync.pass p) || (SELECT string_agg(q::text, ' ') FROM ecosync.quota q)
		    || (SELECT string_agg(m::text, ' ') FROM ecosync.state_map m)`).Scan(&stored))
	logged, err := os.ReadFile(w.log)
	w.must(err)
	for place, text := range map[string]string{"an answer": w.seen.String(), "the log": string(logged), "the database": stored, "Redis": w.redis.Dump()} {
		for _, secret := range []string{tokenA, "FAKEtokenThatNobodyKnows0009", "SECRET-BODY"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s (lessons P77, P78)", place, secret)
			}
		}
		if place == "the log" && strings.Contains(text, "0550000000") {
			t.Error("a phone is in the log")
		}
	}
}
