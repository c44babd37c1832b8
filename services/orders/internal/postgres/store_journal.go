package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// Ids rise, so they are both the order of a list and the key of its pages.
const selectNotes = `
	SELECT id, order_id, created_at, author_id, author_role, body
	FROM orders.order_note
	WHERE order_id = $1 AND ($2 = 0 OR id < $2)
	ORDER BY id DESC
	LIMIT $3`

// Notes lists an order's notes, newest first.
func (s *Store) Notes(ctx context.Context, orderID, after int64, limit int) ([]order.Note, error) {
	rows, err := s.pool.Query(ctx, selectNotes, orderID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list notes: %w", err)
	}
	notes, err := pgx.CollectRows(rows, pgx.RowToStructByName[order.Note])
	if err != nil {
		return nil, fmt.Errorf("list notes: %w", err)
	}
	return notes, nil
}

const selectHistory = `
	SELECT id, order_id, at, kind, source, trigger, actor_id, actor_role, status_before, status_after, before, after, reason, request_id
	FROM orders.order_history
	WHERE order_id = $1 AND ($2 = 0 OR id < $2)
	ORDER BY id DESC
	LIMIT $3`

// History lists an order's changes, newest first.
func (s *Store) History(ctx context.Context, orderID, after int64, limit int) ([]order.Entry, error) {
	rows, err := s.pool.Query(ctx, selectHistory, orderID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list history: %w", err)
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByName[order.Entry])
	if err != nil {
		return nil, fmt.Errorf("list history: %w", err)
	}
	return entries, nil
}

// AuditEvents lists what managers and admins changed, newest first, and the position of the next page; 0 when there is none.
func (s *Store) AuditEvents(ctx context.Context, f audit.Filter) ([]audit.Event, int64, error) {
	events, next, err := s.log.List(ctx, s.pool, f)
	return events, next, sayUnstorable(err)
}

const selectWilayas = `SELECT code, name_fr, name_ar, aliases, max_delivery_days FROM orders.wilaya ORDER BY code`

// Wilayas reads the whole table in force: 69 rows.
func (s *Store) Wilayas(ctx context.Context) ([]order.Wilaya, error) {
	rows, err := s.pool.Query(ctx, selectWilayas)
	if err != nil {
		return nil, fmt.Errorf("read the wilayas: %w", err)
	}
	wilayas, err := pgx.CollectRows(rows, pgx.RowToStructByName[order.Wilaya])
	if err != nil {
		return nil, fmt.Errorf("read the wilayas: %w", err)
	}
	return wilayas, nil
}

// busyTables are those whose rows change or go: what history and notes only gain needs no vacuum of ours.
var busyTables = []string{"orders.sales_order", "orders.order_item", "orders.order_raw", "orders.customer", "orders.idempotency_key"}

// resetWithin is long for a statement that touches no table; pgx closes a connection whose statement outlives its context.
const resetWithin = 5 * time.Second

// Cleanup forgets old request ids and vacuums the busy tables. VACUUM waits for nobody and runs as long as it needs, on a
// connection of its own: the statement timeout of the pool is for queries that people wait for.
func (s *Store) Cleanup(ctx context.Context) ([]order.Removed, error) {
	forgotten, err := s.keys.DeleteExpired(ctx, s.pool)
	if err != nil {
		return nil, err
	}
	removed := []order.Removed{{Kind: "idempotency_key", Count: forgotten}}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("vacuum: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SET statement_timeout = 0"); err != nil {
		return nil, fmt.Errorf("vacuum: %w", err)
	}
	defer func() {
		// Also when the caller has gone, but not for ever: a connection that cannot be reset is closed with its own deadline.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetWithin)
		defer cancel()
		_, _ = conn.Exec(ctx, "RESET statement_timeout")
	}()
	for _, table := range busyTables {
		if _, err := conn.Exec(ctx, "VACUUM (ANALYZE) "+table); err != nil {
			return nil, fmt.Errorf("vacuum %s: %w", table, err)
		}
	}
	return removed, nil
}
