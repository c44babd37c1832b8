package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quarantine"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// met puts rows of a pass into quarantine.
func met(problems ...shop.Problem) (rows []pass.Quarantined) {
	for _, p := range problems {
		rows = append(rows, pass.Quarantined{Problem: p, Raw: []byte(strings.Repeat("é", 40<<10) + "\x00\xff")})
	}
	return rows
}

func TestQuarantineIsReadInPagesAndRowsAreResolvedOnce(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	other := insert(t, db, "OTHER")
	ticket, err := db.Begin(t.Context(), s.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	rows := met(shop.Problem{Reason: shop.BadMoney, ID: 1}, shop.Problem{Reason: shop.BadTime, ID: 2}, shop.Problem{Reason: shop.NotAnObject})
	if err := db.Checkpoint(t.Context(), ticket, pass.Checkpoint{Quarantine: rows, Position: ticket.Position}); err != nil {
		t.Fatal(err)
	}
	first, err := db.Quarantine(t.Context(), s.ID, false, 0, 2)
	if err != nil || len(first) != 2 || first[0].ID < first[1].ID {
		t.Fatalf("%d rows, %v", len(first), err)
	}
	if raw := first[0].Raw; len(raw) > quarantine.MostShown || len(raw) < quarantine.MostShown-4 || !utf8.ValidString(raw) {
		t.Errorf("%d bytes of raw, valid: %t", len(raw), utf8.ValidString(raw))
	}
	rest, err := db.Quarantine(t.Context(), s.ID, false, first[1].ID, 2)
	if err != nil || len(rest) != 1 {
		t.Fatalf("%d rows on the second page, %v", len(rest), err)
	}
	if _, err := db.Quarantined(t.Context(), other.ID, rest[0].ID); !errors.Is(err, quarantine.ErrNotFound) {
		t.Errorf("another store's row: %v", err)
	}
	again, err := db.MetAgain(t.Context(), s.ID, rest[0].ID, pass.Quarantined{Problem: shop.Problem{Reason: shop.Rejected, Field: "PHONE"}, Raw: []byte("{}")})
	if err != nil || again.Times != 2 || again.Reason != "REJECTED" || again.Raw != "{}" || !again.ResolvedAt.IsZero() {
		t.Errorf("%+v, %v", again, err)
	}
	for range 2 {
		if done, err := db.Resolve(asAdmin(t), s.ID, rest[0].ID, "Expédié"); err != nil || done.ResolvedAt.IsZero() {
			t.Errorf("%+v, %v", done, err)
		}
	}
	if unknown, err := db.UnknownStates(t.Context(), s.ID); err != nil || len(unknown) != 1 || unknown[0].Rows != 1 {
		t.Errorf("an unknown state is counted once: %+v, %v", unknown, err)
	}
	open, err := db.Quarantine(t.Context(), s.ID, false, 0, 10)
	all, err2 := db.Quarantine(t.Context(), s.ID, true, 0, 10)
	if err != nil || err2 != nil || len(open) != 2 || len(all) != 3 {
		t.Errorf("%d open of %d, %v, %v", len(open), len(all), err, err2)
	}
}

func TestFactsAreReadOfEveryStoreThatIsNotSwitchedOff(t *testing.T) {
	db, pool := open(t)
	s := insert(t, db, "NATU")
	off := insert(t, db, "OFF")
	for sql, id := range map[string]string{
		`UPDATE ecosync.store SET active = false WHERE id = $1`: off.ID,
		`UPDATE ecosync.sync_position SET mode = 'ID_ONLY', gaps =
		 '[{"failures": 3, "since": "2026-03-01T12:00:00Z"}, {"failures": 1, "since": "2026-02-01T12:00:00Z"}]' WHERE store_id = $1`: s.ID,
		`INSERT INTO ecosync.unknown_state (store_id, state, rows) VALUES ($1, 'Expédié', 2), ($1, 'Livrées', 1)`: s.ID,
	} {
		if _, err := pool.Exec(t.Context(), sql, id); err != nil {
			t.Fatal(err)
		}
	}
	facts, err := db.Facts(t.Context())
	if err != nil || len(facts) != 1 {
		t.Fatalf("%+v, %v", facts, err)
	}
	f := facts[0]
	if !f.IDOnly || f.StuckGaps != 1 || f.StuckSince.Month() != time.March || len(f.Unknown) != 1 || f.UnknownSince.IsZero() || f.LastSuccessAt.IsZero() {
		t.Errorf("%+v", f)
	}
	if saved, err := db.Store(t.Context(), s.ID); err != nil || !saved.IDOnly || saved.Gaps != 2 {
		t.Errorf("%+v, %v", saved, err)
	}
}

func TestPassesAreListedNewestFirst(t *testing.T) {
	db, _ := open(t)
	s := insert(t, db, "NATU")
	var ids []int64
	for range 3 {
		ticket, err := db.Begin(t.Context(), s.ID, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, ticket.PassID)
		if err := db.Finish(t.Context(), ticket, pass.Ending{Result: pass.Succeeded, Position: ticket.Position}); err != nil {
			t.Fatal(err)
		}
	}
	first, err := db.Passes(t.Context(), s.ID, 0, 2)
	if err != nil || len(first) != 2 || first[0].ID != ids[2] || first[0].Result != pass.Succeeded {
		t.Fatalf("%+v, %v", first, err)
	}
	if rest, err := db.Passes(t.Context(), s.ID, first[1].ID, 2); err != nil || len(rest) != 1 || rest[0].ID != ids[0] {
		t.Errorf("%+v, %v", rest, err)
	}
}

func TestWhatWasCountedOfATokenNobodyHasIsForgotten(t *testing.T) {
	db, _ := open(t)
	insert(t, db, "NATU")
	old := db.Quota(func() time.Time { return time.Now().AddDate(0, 0, -2) })
	for _, token := range []string{"NATU", "nobody's"} {
		if _, err := old.ReserveToken(t.Context(), []byte(token), quota.Live); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := db.Cleanup(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range removed {
		if r.Kind == "quota" && r.Count != 1 {
			t.Errorf("%d rows of tokens", r.Count)
		}
	}
}
