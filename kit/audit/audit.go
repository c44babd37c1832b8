// Package audit writes who changed what into the service's own append-only table, in
// the transaction of the change: an event exists exactly when its change does.
//
// It owns: the table audit_event of each schema (made by pg.KitMigrations, which also
// makes the database refuse UPDATE and DELETE on it) and the masking of secrets in
// what is kept. It never decides who may do what.
//
// Start reading at Log.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/internal/redact"
	"github.com/libertaphonix/libertaphonix/kit/obs"
)

// Event is one change. Before and After hold only what changed, as JSON objects, with
// secrets masked by Write; a creation has no Before, a deletion no After.
type Event struct {
	ID        int64     // set by the database, rising
	At        time.Time // UTC; the transaction's time when left zero
	Actor     string    // user id, or the service's name when it acted by itself
	Role      string    // ADMIN, MANAGER, AGENT_SUIVI, or SERVICE
	Address   string    // of the client, as the gateway saw it
	Action    string    // e.g. store.update
	Resource  string    // e.g. stores/0190…
	Before    json.RawMessage
	After     json.RawMessage
	Reason    string
	RequestID string
}

// Filter narrows a list; empty fields match everything. From is included, To is not.
type Filter struct {
	Actor, Resource string
	From, To        time.Time
	PageSize        int   // 1 to 200; 0 means 50
	After           int64 // the next of the page before; 0 begins at the newest
}

const (
	defaultPage = 50
	maxPage     = 200
)

// Log is the audit of one schema.
type Log struct{ insert, list string }

// NewLog is the audit log of a service's schema.
func NewLog(schema string) *Log {
	table := pgx.Identifier{schema, "audit_event"}.Sanitize()
	return &Log{
		insert: strings.ReplaceAll(insertEvent, "{{table}}", table),
		list:   strings.ReplaceAll(listEvents, "{{table}}", table),
	}
}

const insertEvent = `
	INSERT INTO {{table}} (at, actor, role, address, action, resource, before, after, reason, request_id)
	VALUES (coalesce($1, now()), $2, $3, $4, $5, $6, $7, $8, $9, $10)`

// Write records e in the caller's transaction. Actor, role, address and request id
// are taken from the context where e leaves them empty; the actor is the person, also
// when a service acted for one.
func (l *Log) Write(ctx context.Context, tx pgx.Tx, e Event) error {
	who := auth.From(ctx).Person()
	if e.Actor == "" {
		e.Actor = who.Subject
	}
	if e.Role == "" {
		e.Role = who.Role
		if who.Kind == auth.Service {
			e.Role = "SERVICE"
		}
	}
	if e.Address == "" {
		e.Address = who.Address
	}
	if e.RequestID == "" {
		e.RequestID = obs.RequestID(ctx)
	}
	var at *time.Time
	if !e.At.IsZero() {
		at = &e.At
	}
	before, err := masked(e.Before)
	if err != nil {
		return fmt.Errorf("audit %s: before: %w", e.Action, err)
	}
	after, err := masked(e.After)
	if err != nil {
		return fmt.Errorf("audit %s: after: %w", e.Action, err)
	}
	_, err = tx.Exec(ctx, l.insert, at, e.Actor, e.Role, e.Address, e.Action, e.Resource, before, after, e.Reason, e.RequestID)
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}

// masked takes secrets out of a JSON document; nothing stays nothing (SQL NULL).
func masked(doc json.RawMessage) ([]byte, error) {
	if len(doc) == 0 {
		return nil, nil
	}
	return redact.JSON(doc)
}

// Querier is a pool, a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// One statement for every filter: each branch is decided when the plan is made for
// the given values, and id carries the keyset.
const listEvents = `
	SELECT id, at, actor, role, address, action, resource, before, after, reason, request_id
	FROM {{table}}
	WHERE ($1 = '' OR actor = $1)
	  AND ($2 = '' OR resource = $2)
	  AND ($3::timestamptz IS NULL OR at >= $3)
	  AND ($4::timestamptz IS NULL OR at < $4)
	  AND ($5 = 0 OR id < $5)
	ORDER BY id DESC
	LIMIT $6`

// List answers the events that match, newest first, and the After of the next page,
// 0 when there is none.
func (l *Log) List(ctx context.Context, db Querier, f Filter) ([]Event, int64, error) {
	size := f.PageSize
	if size <= 0 {
		size = defaultPage
	}
	size = min(size, maxPage)
	// Planned for these values, not for any: a generic plan could not drop the
	// branches that an empty filter makes true.
	rows, err := db.Query(ctx, l.list, pgx.QueryExecModeExec,
		f.Actor, f.Resource, orNil(f.From), orNil(f.To), f.After, size+1)
	if err != nil {
		return nil, 0, fmt.Errorf("list audit events: %w", err)
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Event])
	if err != nil {
		return nil, 0, fmt.Errorf("list audit events: %w", err)
	}
	if len(events) <= size {
		return events, 0, nil
	}
	return events[:size], events[size-1].ID, nil
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
