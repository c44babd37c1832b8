package audit_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const schema = "example"

func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return pg.Migrate(ctx, pool, schema, pg.KitMigrations)
}

func write(t *testing.T, ctx context.Context, pool *pgxpool.Pool, e audit.Event) {
	t.Helper()
	err := pg.InTx(ctx, pool, func(tx pgx.Tx) error { return audit.NewLog(schema).Write(ctx, tx, e) })
	if err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, pool *pgxpool.Pool, f audit.Filter) []audit.Event {
	t.Helper()
	events, _, err := audit.NewLog(schema).List(t.Context(), pool, f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestTheActingPersonIsTakenFromTheContext(t *testing.T) {
	pool := pgtest.New(t, migrate)
	person := auth.Principal{Kind: auth.User, Subject: "u-1", Role: "ADMIN", Address: "192.0.2.7"}
	for name, c := range map[string]struct {
		caller      auth.Principal
		actor, role string
	}{
		"a person":                        {person, "u-1", "ADMIN"},
		"a service acting for the person": {auth.Principal{Kind: auth.Service, Subject: "scheduler", Service: "scheduler", Actor: &person}, "u-1", "ADMIN"},
		"a service by itself":             {auth.Principal{Kind: auth.Service, Subject: "ecosync", Service: "ecosync"}, "ecosync", "SERVICE"},
	} {
		t.Run(name, func(t *testing.T) {
			resource := "stores/" + strings.ReplaceAll(name, " ", "-")
			ctx := obs.WithRequestID(auth.With(t.Context(), c.caller), "req-1")
			write(t, ctx, pool, audit.Event{Action: "store.update", Resource: resource, Before: json.RawMessage(`{"name": "Old"}`), After: json.RawMessage(`{"name": "New"}`), Reason: "renamed"})
			got := list(t, pool, audit.Filter{Resource: resource})
			if len(got) != 1 {
				t.Fatalf("%d events; want 1", len(got))
			}
			want := []string{c.actor, c.role, "req-1", "store.update", `{"name": "Old"}`, `{"name": "New"}`, "renamed"}
			e := got[0]
			if diff := cmp.Diff(want, []string{e.Actor, e.Role, e.RequestID, e.Action, string(e.Before), string(e.After), e.Reason}); diff != "" {
				t.Error(diff)
			}
			if e.At.IsZero() || e.At.Location() != time.UTC {
				t.Errorf("at is %v; want the transaction's time in UTC", e.At)
			}
		})
	}
}

func TestSecretsAreMaskedInWhatIsKept(t *testing.T) {
	pool := pgtest.New(t, migrate)
	write(t, t.Context(), pool, audit.Event{Action: "store.update", Resource: "stores/1", After: json.RawMessage(`{"apiToken": "hunter2", "name": "Natu"}`)})
	var kept string
	if err := pool.QueryRow(t.Context(), "SELECT after::text FROM example.audit_event").Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(kept, "hunter2") || !strings.Contains(kept, "Natu") {
		t.Errorf("kept: %s", kept)
	}
}

func TestAnEventGoesWithItsTransaction(t *testing.T) {
	pool := pgtest.New(t, migrate)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := audit.NewLog(schema).Write(t.Context(), tx, audit.Event{Action: "store.delete", Resource: "stores/1"}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := list(t, pool, audit.Filter{}); len(got) != 0 {
		t.Errorf("%d events of a change that never happened", len(got))
	}
}

func TestTheDatabaseRefusesToChangeOrRemoveAnEvent(t *testing.T) {
	pool := pgtest.New(t, migrate)
	write(t, t.Context(), pool, audit.Event{Action: "store.update", Resource: "stores/1"})
	for _, statement := range []string{
		"UPDATE example.audit_event SET actor = 'nobody'",
		"UPDATE example.audit_event SET actor = 'nobody' WHERE false",
		"DELETE FROM example.audit_event",
		"TRUNCATE example.audit_event",
	} {
		if _, err := pool.Exec(t.Context(), statement); !pg.Violates(err, "audit_event_append_only") {
			t.Errorf("%s: %v; want the refusal of audit_event_append_only", statement, err)
		}
	}
}

func TestPagesFollowEachOtherWithoutGapOrRepeat(t *testing.T) {
	pool := pgtest.New(t, migrate)
	for range 7 {
		write(t, t.Context(), pool, audit.Event{Actor: "u-1", Action: "store.update", Resource: "stores/1"})
	}
	write(t, t.Context(), pool, audit.Event{Actor: "u-2", Action: "store.update", Resource: "stores/1"})
	var ids []int64
	f := audit.Filter{Actor: "u-1", PageSize: 3, From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
	for {
		events, next, err := audit.NewLog(schema).List(t.Context(), pool, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		if next == 0 {
			break
		}
		f.After = next
	}
	if diff := cmp.Diff([]int64{7, 6, 5, 4, 3, 2, 1}, ids); diff != "" {
		t.Error(diff)
	}
}
