package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

const selectHeld = `
	SELECT o.upstream_id
	FROM orders.sales_order o
	WHERE o.store_id = $1 AND o.upstream_id BETWEEN $2 AND $3 AND o.deleted_at IS NULL AND o.upstream_deleted_at IS NULL
	ORDER BY o.upstream_id DESC
	LIMIT $4`

// selectOldestOpen reads one entry of an index that holds nothing but what is open.
const selectOldestOpen = `
	SELECT coalesce(min(o.upstream_id), 0)
	FROM orders.sales_order o
	WHERE o.store_id = $1 AND o.upstream_id IS NOT NULL AND NOT o.terminal AND o.deleted_at IS NULL`

// Held reads the ids of a span and the oldest open one in one round trip.
func (s *Store) Held(ctx context.Context, storeID string, span order.Span) (order.Held, error) {
	var held order.Held
	to := span.To
	if to == 0 {
		to = math.MaxInt64 // a bound that is always one, so that a plan made once reads along the index
	}
	var batch pgx.Batch
	batch.Queue(selectHeld, storeID, span.From, to, span.Limit).Query(func(rows pgx.Rows) (err error) {
		held.UpstreamIDs, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	batch.Queue(selectOldestOpen, storeID).QueryRow(func(row pgx.Row) error { return row.Scan(&held.OldestOpen) })
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return order.Held{}, fmt.Errorf("read held orders: %w", err)
	}
	return held, nil
}

// Revise writes what `judge` decides about stored orders. Their locks are taken as an ingest takes them, by id.
func (s *Store) Revise(ctx context.Context, storeID string, upstreamIDs []int64, judge func(*order.Order) order.Decision) ([]order.Decision, error) {
	var decisions []order.Decision
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		stored, err := lockStored(ctx, tx, storeID, upstreamIDs)
		if err != nil {
			return err
		}
		decisions, err = revise(ctx, tx, stored, judge)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revise %d orders: %w", len(upstreamIDs), err)
	}
	return decisions, nil
}

// lockThenLoad locks the orders whose ids a statement selects and reads them. The lock comes in a statement of its own: the one that
// reads begins after it and sees what the last holder wrote.
func lockThenLoad(ctx context.Context, tx pgx.Tx, statement string, args ...any) ([]*order.Order, error) {
	locked, err := tx.Query(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("lock orders: %w", err)
	}
	ids, err := pgx.CollectRows(locked, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("lock orders: %w", err)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return load(ctx, tx, ids)
}

// revise asks about each locked order and writes the changes in one round trip. Customers and items stay: no row of a shop came.
func revise(ctx context.Context, tx pgx.Tx, stored []*order.Order, judge func(*order.Order) order.Decision) ([]order.Decision, error) {
	decisions := make([]order.Decision, len(stored))
	var ids []int64
	var orders []*order.Order
	var entries entryArrays
	for n, o := range stored {
		d := judge(o)
		decisions[n] = d
		if d.Outcome != order.Updated {
			continue
		}
		ids, orders = append(ids, d.OrderID), append(orders, d.Order)
		entries.add(d.Entry)
	}
	if len(ids) == 0 {
		return decisions, nil
	}
	var batch pgx.Batch
	batch.Queue(updateOrders, append([]any{ids}, perColumn(keptSet, orders)...)...)
	entries.queue(ctx, &batch)
	return decisions, tx.SendBatch(ctx, &batch).Close()
}

const insertHistory = `
	INSERT INTO orders.order_history (order_id, kind, source, trigger, status_before, status_after, before, after, request_id)
	SELECT r.order_id, r.kind, $1, $2, r.status_before, r.status_after, r.before::jsonb, r.after::jsonb, $3
	FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
		AS r(order_id, kind, status_before, status_after, before, after)`

// entryArrays is history rows of one source and one trigger as arrays for unnest.
type entryArrays struct {
	source        order.Source
	trigger       order.Trigger
	orders        []int64
	kinds         []string
	statusBefore  []string
	statusAfter   []string
	before, after []string
}

func (a *entryArrays) add(e *order.Entry) {
	a.source, a.trigger = e.Source, e.Trigger
	a.orders, a.kinds = append(a.orders, e.OrderID), append(a.kinds, string(e.Kind))
	a.statusBefore, a.statusAfter = append(a.statusBefore, string(e.StatusBefore)), append(a.statusAfter, string(e.StatusAfter))
	a.before, a.after = append(a.before, object(e.Before)), append(a.after, object(e.After))
}

func (a *entryArrays) queue(ctx context.Context, batch *pgx.Batch) {
	batch.Queue(insertHistory, string(a.source), string(a.trigger), obs.RequestID(ctx),
		a.orders, a.kinds, a.statusBefore, a.statusAfter, a.before, a.after)
}
