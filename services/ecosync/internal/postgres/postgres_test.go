package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass/passtest"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/postgres"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func open(t *testing.T) (*postgres.DB, *pgxpool.Pool) {
	pool := pgtest.New(t, postgres.Migrate)
	return postgres.New(pool), pool
}

func asAdmin(t *testing.T) context.Context {
	return auth.With(t.Context(), auth.Principal{Kind: auth.User, Subject: "admin-1", Role: "ADMIN", Address: "203.0.113.7"})
}

func draft(identifier, fingerprint string) (store.Store, store.Sealed) {
	sealed := store.Sealed{
		Credential: store.Credential{Version: 1, LastFour: "0001"}, Ciphertext: []byte("ciphertext"), Fingerprint: []byte(fingerprint),
	}
	return store.Store{
		ID: uuid.Must(uuid.NewV7()).String(), Identifier: identifier, Name: "Store " + identifier,
		BaseURL: "https://demo.ecomanager.dz/api/shop/v2", Tenant: "demo.ecomanager.dz", TimeZone: "Africa/Algiers",
		Credential: sealed.Credential, Active: true, ReferencePrefixes: []string{"DEMOA"},
	}, sealed
}

func insert(t *testing.T, db *postgres.DB, identifier string) store.Store {
	t.Helper()
	s, sealed := draft(identifier, identifier)
	saved, err := db.Insert(asAdmin(t), s, sealed, statemap.Default(), store.Request{Action: "CreateStore"})
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func TestAStoreIsReadAsItWasSaved(t *testing.T) {
	db, _ := open(t)
	s, sealed := draft("NATU", "f")
	saved, err := db.Insert(asAdmin(t), s, sealed, statemap.Default(), store.Request{Action: "CreateStore"})
	if err != nil {
		t.Fatal(err)
	}
	s.Version, s.StateMapVersion = 1, 1
	if diff := cmp.Diff(s, saved, cmpopts.IgnoreFields(store.Store{}, "CreatedAt", "UpdatedAt")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	states, err := db.StateMap(t.Context(), s.ID)
	if meaning, _ := states.Meaning("Livrées"); err != nil || meaning != statemap.Delivered {
		t.Errorf("the state map: %v, %s", err, meaning)
	}
	if _, err := db.Store(t.Context(), uuid.NewString()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown store: %v", err)
	}
}

func TestOneTokenIsOneStore(t *testing.T) {
	db, _ := open(t)
	first := insert(t, db, "ONE")
	insert(t, db, "TWO")
	s, sealed := draft("THREE", "ONE")
	if _, err := db.Insert(asAdmin(t), s, sealed, nil, store.Request{}); !errors.Is(err, store.ErrTokenInUse) {
		t.Errorf("a token in two stores (lessons P5 to P7): %v", err)
	}
	s, sealed = draft("ONE", "other")
	if _, err := db.Insert(asAdmin(t), s, sealed, nil, store.Request{}); !errors.Is(err, store.ErrIdentifierTaken) {
		t.Errorf("an identifier twice: %v", err)
	}
	sealed.Version, sealed.Fingerprint = 2, []byte("TWO")
	if _, err := db.Replace(asAdmin(t), store.Replacement{Store: first, Token: &sealed}, store.Request{}); !errors.Is(err, store.ErrTokenInUse) {
		t.Errorf("rotating to another store's token: %v", err)
	}
}

func TestARepeatedCreationAnswersTheFirstStore(t *testing.T) {
	db, _ := open(t)
	var wg sync.WaitGroup
	ids := make([]string, 4)
	for i := range ids {
		wg.Go(func() {
			s, sealed := draft("NATU", "f")
			saved, err := db.Insert(asAdmin(t), s, sealed, statemap.Default(), store.Request{Action: "CreateStore", ID: "r1", Hash: []byte("h")})
			if err != nil {
				t.Error(err)
			}
			ids[i] = saved.ID
		})
	}
	wg.Wait()
	if ids[0] != ids[1] || ids[1] != ids[2] || ids[2] != ids[3] || ids[0] == "" {
		t.Errorf("%v", ids)
	}
	s, sealed := draft("NATU", "f")
	if _, err := db.Insert(asAdmin(t), s, sealed, nil, store.Request{Action: "CreateStore", ID: "r1", Hash: []byte("other")}); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("the same id with another body: %v", err)
	}
}

func TestSettingsChangeByVersionAndAreAudited(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	changed := s
	changed.Name = "New name"
	sealed := store.Sealed{Credential: store.Credential{Version: 2, LastFour: "9999"}, Ciphertext: []byte("c2"), Fingerprint: []byte("f2")}
	saved, err := db.Replace(asAdmin(t), store.Replacement{Store: changed, Token: &sealed, Moved: true}, store.Request{Action: "UpdateStore"})
	if err != nil || saved.Version != 2 || saved.Name != "New name" || saved.Credential != sealed.Credential {
		t.Fatalf("%+v, %v", saved, err)
	}
	if _, err := db.Replace(asAdmin(t), store.Replacement{Store: changed}, store.Request{}); !errors.Is(err, store.ErrStale) {
		t.Errorf("a stale write: %v", err)
	}
	if token, err := db.SealedToken(t.Context(), s.ID, 2); err != nil || string(token) != "c2" {
		t.Errorf("token %q, %v", token, err)
	}
	if _, err := db.SealedToken(t.Context(), s.ID, 1); !errors.Is(err, store.ErrStale) {
		t.Errorf("an old version: %v", err)
	}
	for range 2 { // the second writes nothing
		if saved, err = db.SetPaused(asAdmin(t), s.ID, "holiday", store.Request{Action: "PauseStore", Reason: "holiday"}); err != nil || saved.State() != store.Paused || saved.Version != 3 {
			t.Fatalf("paused: %+v, %v", saved, err)
		}
	}
	for range 2 {
		if saved, err = db.SetPaused(asAdmin(t), s.ID, "", store.Request{Action: "ResumeStore"}); err != nil || saved.State() != store.Active || saved.Version != 4 {
			t.Fatalf("resumed: %+v, %v", saved, err)
		}
	}
	events, _, err := db.Audit(t.Context(), audit.Filter{})
	var actions []string
	for _, e := range events {
		actions = append(actions, e.Action)
		if e.Actor != "admin-1" || e.Role != "ADMIN" || e.Resource != "store/"+s.ID || strings.Contains(string(e.After), "ciphertext") {
			t.Errorf("event %+v", e)
		}
	}
	if diff := cmp.Diff([]string{"ResumeStore", "PauseStore", "UpdateStore", "CreateStore"}, actions); diff != "" || err != nil {
		t.Errorf("%v, %s", err, diff)
	}
}

func TestStoresAreListedByIdentifierAndState(t *testing.T) {
	db, _ := open(t)
	for _, identifier := range []string{"CCC", "AAA", "BBB"} {
		insert(t, db, identifier)
	}
	all, err := db.Stores(t.Context(), store.Filter{Limit: 2})
	if err != nil || len(all) != 2 || all[0].Identifier != "AAA" || all[1].Identifier != "BBB" {
		t.Fatalf("%v, %+v", err, all)
	}
	if _, err := db.SetPaused(asAdmin(t), all[0].ID, "x", store.Request{}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		filter store.Filter
		want   string
	}{
		{store.Filter{Limit: 9, After: "BBB"}, "CCC"},
		{store.Filter{Limit: 9, States: []store.State{store.Paused}}, "AAA"},
		{store.Filter{Limit: 9, States: []store.State{store.Active}}, "BBB CCC"},
		{store.Filter{Limit: 9, States: []store.State{store.Inactive}}, ""},
	} {
		found, err := db.Stores(t.Context(), tc.filter)
		var names []string
		for _, s := range found {
			names = append(names, s.Identifier)
		}
		if err != nil || strings.Join(names, " ") != tc.want {
			t.Errorf("%+v: %v, %v", tc.filter, names, err)
		}
	}
}

func TestTheJournalInPostgresKeepsTheContract(t *testing.T) {
	passtest.JournalSuite(t, func(t *testing.T) passtest.Subject {
		db, pool := open(t)
		s := insert(t, db, "NATU")
		exec := func(sql string) func() {
			return func() {
				if _, err := pool.Exec(context.WithoutCancel(t.Context()), sql, s.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		return passtest.Subject{
			Journal: db, StoreID: s.ID,
			Expire: exec(`UPDATE ecosync.sync_position SET held_until = now() WHERE store_id = $1`),
			Pause:  exec(`UPDATE ecosync.store SET paused_at = now(), pause_reason = 'x' WHERE id = $1`),
			Resume: exec(`UPDATE ecosync.store SET paused_at = NULL, pause_reason = '' WHERE id = $1`),
		}
	})
}

func TestOfManyPassesThatBeginAtOnceOneIsMade(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	var wg sync.WaitGroup
	results := make(chan error, 16)
	for range cap(results) {
		wg.Go(func() {
			_, err := db.Begin(t.Context(), s.ID, time.Minute)
			results <- err
		})
	}
	wg.Wait()
	close(results)
	begun := 0
	for err := range results {
		switch {
		case err == nil:
			begun++
		case !errors.Is(err, pass.ErrAlreadyRunning):
			t.Error(err)
		}
	}
	if begun != 1 {
		t.Errorf("%d passes began", begun)
	}
}

func TestACheckpointKeepsWhatCouldNotBecomeAnOrder(t *testing.T) {
	db, pool := open(t)
	s := insert(t, db, "NATU")
	ticket, err := db.Begin(t.Context(), s.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	bad := func(id int64, raw string) pass.Quarantined {
		return pass.Quarantined{Problem: shop.Problem{Reason: shop.BadMoney, Field: "total", Detail: "not an amount", ID: id, Reference: "DEMOA7"}, Raw: []byte(raw)}
	}
	point := pass.Checkpoint{
		Counts: pass.Counts{Rows: 25, Created: 20, Quarantined: 3}, Position: ticket.Position,
		// One order twice, one row without an id that is no JSON and no UTF-8.
		Quarantine: []pass.Quarantined{bad(7, "{}"), bad(7, "{ }"), bad(0, "\x00\xff")},
		Unknown:    map[string]int64{"Expédié": 2}, Prefixes: []string{"NEW"},
	}
	for range 2 {
		if err := db.Checkpoint(t.Context(), ticket, point); err != nil {
			t.Fatal(err)
		}
	}
	saved, err := db.Store(t.Context(), s.ID)
	if err != nil || saved.Quarantined != 2 || strings.Join(saved.ReferencePrefixes, " ") != "DEMOA NEW" || saved.Version != 1 {
		t.Errorf("%+v, %v", saved, err)
	}
	unknown, err := db.UnknownStates(t.Context(), s.ID)
	if err != nil || len(unknown) != 1 || unknown[0].State != "Expédié" || unknown[0].Rows != 4 {
		t.Errorf("%+v, %v", unknown, err)
	}
	var raw []byte
	var times int64
	if err := pool.QueryRow(t.Context(), `SELECT raw, times FROM ecosync.quarantine WHERE upstream_id IS NULL`).Scan(&raw, &times); err != nil || string(raw) != "\x00\xff" || times != 2 {
		t.Errorf("raw %q, %d times, %v", raw, times, err)
	}
	// The shop repaired the row: it became an order, and its quarantine is over.
	if err := db.Checkpoint(t.Context(), ticket, pass.Checkpoint{Position: ticket.Position, Settled: []int64{7, 8}}); err != nil {
		t.Fatal(err)
	}
	if saved, _ = db.Store(t.Context(), s.ID); saved.Quarantined != 1 {
		t.Errorf("%d in quarantine", saved.Quarantined)
	}
}

func TestUnknownStatesAreBounded(t *testing.T) {
	db, pool := open(t)
	s := insert(t, db, "NATU")
	ticket, err := db.Begin(t.Context(), s.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	// Batches of 25, as passes write them.
	for batch := range 44 {
		states := map[string]int64{"Expédié": 1}
		for i := range 24 {
			states[fmt.Sprintf("note %d", batch*24+i)] = 1
		}
		if err := db.Checkpoint(t.Context(), ticket, pass.Checkpoint{Unknown: states, Position: ticket.Position}); err != nil {
			t.Fatal(err)
		}
	}
	unknown, err := db.UnknownStates(t.Context(), s.ID)
	if err != nil || len(unknown) != 1000 || unknown[0].State != "Expédié" || unknown[0].Rows != 44 {
		t.Errorf("%d states, first %+v, %v", len(unknown), unknown[0], err)
	}
	var all int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM ecosync.unknown_state`).Scan(&all); err != nil || all > 1024 {
		t.Errorf("%d are stored, %v", all, err)
	}
}

func TestARefusedTokenPausesTheStoreUnlessItWasReplacedMeanwhile(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	refuse := func(version int64) store.Store {
		ticket, err := db.Begin(t.Context(), s.ID, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Finish(t.Context(), ticket, pass.Ending{Result: pass.Failed, Failure: shop.TokenRefused, Message: "401", Position: ticket.Position, Pause: true, TokenVersion: version}); err != nil {
			t.Fatal(err)
		}
		saved, err := db.Store(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		return saved
	}
	if saved := refuse(0); saved.State() != store.Active {
		t.Errorf("paused for a token that was replaced: %+v", saved)
	}
	if saved := refuse(1); saved.State() != store.Paused || saved.PauseReason != "401" {
		t.Errorf("%+v", saved)
	}
	last, err := db.LastPasses(t.Context(), []string{s.ID, uuid.NewString()})
	if p := last[s.ID]; err != nil || len(last) != 1 || p.Failure != shop.TokenRefused || p.EndedAt.IsZero() {
		t.Errorf("%+v, %v", last, err)
	}
}

func TestAStoreIsDeletedUnlessAPassIsRunning(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	ticket, err := db.Begin(t.Context(), s.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Delete(asAdmin(t), s.ID, 1, store.Request{Action: "DeleteStore"}); !errors.Is(err, store.ErrBusy) {
		t.Errorf("during a pass: %v", err)
	}
	if err := db.Finish(t.Context(), ticket, pass.Ending{Result: pass.Succeeded, Position: ticket.Position}); err != nil {
		t.Fatal(err)
	}
	if err := db.Delete(asAdmin(t), s.ID, 1, store.Request{Action: "DeleteStore"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Delete(asAdmin(t), s.ID, 1, store.Request{Action: "DeleteStore"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
}

func TestAStoreIsNotDeletedBehindAPassThatRanMeanwhile(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	before, err := db.Term(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := db.Begin(t.Context(), s.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Finish(t.Context(), ticket, pass.Ending{Result: pass.Succeeded, Position: pass.Position{Mode: pass.ByChange}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Delete(asAdmin(t), s.ID, before, store.Request{}); !errors.Is(err, store.ErrBusy) {
		t.Errorf("%v: the pass may have made orders since they were counted", err)
	}
	if _, err := db.Term(t.Context(), uuid.NewString()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown store: %v", err)
	}
}

func TestAStoreDoesNotMoveUnderARunningPassAndForgetsTheOtherShop(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	ticket, err := db.Begin(t.Context(), s.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	moved := store.Replacement{Store: s, Moved: true, Anew: true}
	moved.Store.BaseURL = "https://other.ecomanager.dz/api/shop/v2"
	if _, err := db.Replace(asAdmin(t), moved, store.Request{}); !errors.Is(err, store.ErrBusy) {
		t.Errorf("during a pass: %v", err)
	}
	named := store.Replacement{Store: s}
	named.Store.Name = "New name"
	renamed, err := db.Replace(asAdmin(t), named, store.Request{})
	if err != nil {
		t.Fatalf("a name waits for no pass: %v", err)
	}
	at := time.Date(2025, 11, 18, 9, 2, 44, 0, time.UTC)
	position := pass.Position{Mode: pass.ByChange, Head: &shop.Key{At: at, ID: 700123}, Settled: true, Floor: at.AddDate(0, 0, -30)}
	if err := db.Finish(t.Context(), ticket, pass.Ending{Result: pass.Succeeded, Position: position}); err != nil {
		t.Fatal(err)
	}
	moved.Store.Version = renamed.Version
	saved, err := db.Replace(asAdmin(t), moved, store.Request{})
	if err != nil || len(saved.ReferencePrefixes) != 0 {
		t.Fatalf("%+v, %v", saved, err)
	}
	next, err := db.Begin(t.Context(), s.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pass.Position{Mode: pass.ByChange}, next.Position); diff != "" || next.Store.BaseURL != moved.Store.BaseURL {
		t.Errorf("the head of another shop would hide this one (lessons P6, P7):\n%s", diff)
	}
}

func TestALookForARequestIDClaimsNothing(t *testing.T) {
	db, _ := open(t)
	r := store.Request{Action: "CreateStore", ID: "r1", Hash: []byte("h")}
	if _, err := db.Created(asAdmin(t), r); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a new id: %v", err)
	}
	s, sealed := draft("NATU", "f")
	if _, err := db.Insert(asAdmin(t), s, sealed, statemap.Default(), r); err != nil {
		t.Fatal(err)
	}
	if made, err := db.Created(asAdmin(t), r); err != nil || made.ID != s.ID {
		t.Errorf("%+v, %v", made, err)
	}
	r.Hash = []byte("other")
	if _, err := db.Created(asAdmin(t), r); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("the same id with another body: %v", err)
	}
}

func TestCleanupKeepsTheLastPassAndTheLastSuccess(t *testing.T) {
	db, pool := open(t)
	s := insert(t, db, "NATU")
	for _, result := range []pass.Result{pass.Succeeded, pass.Succeeded, pass.Failed, pass.Failed} {
		ticket, err := db.Begin(t.Context(), s.ID, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Finish(t.Context(), ticket, pass.Ending{Result: result, Position: ticket.Position}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), `UPDATE ecosync.pass SET started_at = now() - interval '40 days'`); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{2, 0} {
		removed, err := db.Cleanup(t.Context(), 30*24*time.Hour)
		if err != nil || removed[0] != (store.Removed{Kind: "pass", Count: want}) {
			t.Errorf("%v, %v", removed, err)
		}
	}
	var results string
	if err := pool.QueryRow(t.Context(), `SELECT string_agg(result, ' ' ORDER BY id) FROM ecosync.pass`).Scan(&results); err != nil || results != "SUCCEEDED FAILED" {
		t.Errorf("%q, %v", results, err)
	}
}

func TestTheFirstFingerprintKeyStays(t *testing.T) {
	db, _ := open(t)
	var wg sync.WaitGroup
	keys := make([]string, 8)
	for i := range keys {
		wg.Go(func() {
			key, err := db.FingerprintKey(t.Context(), []byte(fmt.Sprint("key ", i)))
			if err != nil {
				t.Error(err)
			}
			keys[i] = string(key)
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] || k == "" {
			t.Fatalf("%q", keys)
		}
	}
}
