package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

const selectKnown = `
	SELECT o.id, o.upstream_id, o.reference, coalesce(o.raw_hash, ''::bytea) AS raw_hash, o.meaning, o.upstream_state_key, o.state_map_version,
		o.upstream_deleted_at, o.deleted_at
	FROM orders.sales_order o
	WHERE o.store_id = $1 AND o.upstream_id = ANY($2::bigint[])`

const selectCourier = `SELECT EXISTS (SELECT FROM orders.store_courier WHERE store_id = $1)`

// Known reads what is stored under the upstream ids, without a lock: rows that say nothing new end here, so that a store
// read again and again costs one read and moves no row version.
func (s *Store) Known(ctx context.Context, storeID string, upstreamIDs []int64) (map[int64]order.Known, bool, error) {
	var batch pgx.Batch
	batch.Queue(selectKnown, storeID, upstreamIDs)
	batch.Queue(selectCourier, storeID)
	results := s.pool.SendBatch(ctx, &batch)
	known, courier, err := collectKnown(results)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, false, fmt.Errorf("read known orders: %w", err)
	}
	return known, courier, nil
}

func collectKnown(results pgx.BatchResults) (map[int64]order.Known, bool, error) {
	rows, err := results.Query()
	if err != nil {
		return nil, false, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[order.Known])
	if err != nil {
		return nil, false, err
	}
	known := make(map[int64]order.Known, len(list))
	for _, k := range list {
		known[k.UpstreamID] = k
	}
	var courier bool
	err = results.QueryRow().Scan(&courier)
	return known, courier, err
}

// errOvertaken: an order that was not there was inserted by another stream meanwhile. Its row must be judged again.
var errOvertaken = errors.New("another stream stored an order of this batch first")

// A batch that was overtaken finds the other's rows at the next attempt, so twice is rare and more means that the same rows
// are poured in from many sides at once.
const (
	ingestAttempts = 10
	overtakenPause = 5 * time.Millisecond
)

// Ingest writes what `judge` decides about each row.
//
// Two streams over the same customers and orders cannot deadlock, because every transaction takes its locks in one order:
// stored orders by id, then customers by telephone, then new orders by the order of the rows (sorted by telephone and id),
// and nothing after that. Should PostgreSQL find a deadlock all the same (a person's save, a claim), the transaction runs again.
func (s *Store) Ingest(ctx context.Context, storeID string, rows []*order.Row, judge func(*order.Order, *order.Row) order.Decision) ([]order.Decision, error) {
	for attempt := 1; ; attempt++ {
		var decisions []order.Decision
		err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
			decisions, err = ingest(ctx, tx, storeID, rows, judge)
			return err
		})
		if err == nil {
			return decisions, nil
		}
		if !errors.Is(err, errOvertaken) || attempt == ingestAttempts {
			return nil, fmt.Errorf("ingest %d rows: %w", len(rows), err)
		}
		select {
		case <-time.After(time.Duration(attempt) * rand.N(overtakenPause)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func ingest(ctx context.Context, tx pgx.Tx, storeID string, rows []*order.Row, judge func(*order.Order, *order.Row) order.Decision) ([]order.Decision, error) {
	stored, err := lockStored(ctx, tx, storeID, rows)
	if err != nil {
		return nil, err
	}
	decisions := make([]order.Decision, len(rows))
	var w ingestWrite
	for n, row := range rows {
		decisions[n] = judge(stored[row.UpstreamID], row)
		w.add(&decisions[n])
	}
	if w.empty() {
		return decisions, nil
	}
	ids, err := w.send(ctx, tx, storeID)
	if err != nil {
		return nil, err
	}
	for n := range decisions {
		if decisions[n].Outcome == order.Created {
			decisions[n].OrderID = ids[decisions[n].Row.UpstreamID]
		}
	}
	return decisions, nil
}

// lockStoredOrders takes the first locks of an ingest: the rows sort before they are locked, so every writer waits in the
// same order.
const lockStoredOrders = `
	SELECT o.id FROM orders.sales_order o
	WHERE o.store_id = $1 AND o.upstream_id = ANY($2::bigint[])
	ORDER BY o.id
	FOR UPDATE`

// lockStored locks and reads the stored orders of the rows. The lock comes in a statement of its own: the one that reads
// begins after it and sees what the last holder wrote.
func lockStored(ctx context.Context, tx pgx.Tx, storeID string, rows []*order.Row) (map[int64]*order.Order, error) {
	upstream := make([]int64, len(rows))
	for n, row := range rows {
		upstream[n] = row.UpstreamID
	}
	locked, err := tx.Query(ctx, lockStoredOrders, storeID, upstream)
	if err != nil {
		return nil, fmt.Errorf("lock stored orders: %w", err)
	}
	ids, err := pgx.CollectRows(locked, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("lock stored orders: %w", err)
	}
	stored := make(map[int64]*order.Order, len(ids))
	if len(ids) == 0 {
		return stored, nil
	}
	orders, err := load(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		stored[o.UpstreamID] = o
	}
	return stored, nil
}

// The statements of one ingest, sent in one round trip. Later ones find the ids of orders that earlier ones made by their
// identity.
const insertCustomers = `
	INSERT INTO orders.customer (phone_e164, full_name)
	SELECT r.phone_e164, r.full_name
	FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r(phone_e164, full_name, n)
	ORDER BY r.n
	ON CONFLICT ON CONSTRAINT customer_phone_e164_key DO NOTHING`

var insertOrders = `
	INSERT INTO orders.sales_order (customer_id, ` + names(madeSet) + `)
	SELECT c.id, ` + joined(madeSet, func(_ int, c column) string { return "r." + c.name }) + `
	FROM unnest(` + arrays(madeSet, 1) + `) WITH ORDINALITY AS r(` + names(madeSet) + `, n)
	LEFT JOIN orders.customer c ON c.phone_e164 = r.phone_e164
	ORDER BY r.n
	ON CONFLICT ON CONSTRAINT sales_order_store_upstream_key DO NOTHING
	RETURNING upstream_id, id`

var updateOrders = `
	UPDATE orders.sales_order o SET updated_at = now(),
		customer_id = (SELECT c.id FROM orders.customer c WHERE c.phone_e164 = r.phone_e164), ` +
	joined(keptSet, func(_ int, c column) string { return c.name + " = r." + c.name }) + `
	FROM unnest($1::bigint[], ` + arrays(keptSet, 2) + `) AS r(id, ` + names(keptSet) + `)
	WHERE o.id = r.id`

const deleteItems = `DELETE FROM orders.order_item WHERE order_id = ANY($1::bigint[])`

const insertItemsByUpstream = `
	INSERT INTO orders.order_item (order_id, line, upstream_line_id, upstream_product_id, sku, title, quantity, unit_price)
	SELECT o.id, r.line, r.upstream_line_id, r.upstream_product_id, r.sku, r.title, r.quantity, r.unit_price
	FROM unnest($2::bigint[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::bigint[])
		AS r(upstream_id, line, upstream_line_id, upstream_product_id, sku, title, quantity, unit_price)
	JOIN orders.sales_order o ON o.store_id = $1 AND o.upstream_id = r.upstream_id`

const upsertRaw = `
	INSERT INTO orders.order_raw (order_id, payload)
	SELECT o.id, r.payload
	FROM unnest($2::bigint[], $3::bytea[]) AS r(upstream_id, payload)
	JOIN orders.sales_order o ON o.store_id = $1 AND o.upstream_id = r.upstream_id
	ON CONFLICT ON CONSTRAINT order_raw_pkey DO UPDATE SET payload = EXCLUDED.payload`

const insertHistory = `
	INSERT INTO orders.order_history (order_id, kind, source, trigger, status_before, status_after, before, after, request_id)
	SELECT o.id, r.kind, $2, $3, r.status_before, r.status_after, r.before::jsonb, r.after::jsonb, $4
	FROM unnest($5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
		AS r(upstream_id, kind, status_before, status_after, before, after)
	JOIN orders.sales_order o ON o.store_id = $1 AND o.upstream_id = r.upstream_id`

// ingestWrite gathers what a batch writes, in the order of its rows.
type ingestWrite struct {
	news, changed []*order.Order
	updatedIDs    []int64
	phones, named []string // customers, sorted by telephone because the rows are
	itemsOf       []int64  // stored orders whose items are replaced
	lines         lineArrays
	upstream      []int64 // of every row written
	raw           [][]byte
	source        order.Source
	trigger       order.Trigger
	kinds         []string
	statusBefore  []string
	statusAfter   []string
	before, after []string
}

func (w *ingestWrite) empty() bool { return len(w.upstream) == 0 }

func (w *ingestWrite) add(d *order.Decision) {
	o := d.Order
	switch d.Outcome {
	case order.Created:
		w.news = append(w.news, o)
	case order.Updated:
		w.changed, w.updatedIDs = append(w.changed, o), append(w.updatedIDs, o.ID)
		if d.ItemsChanged {
			w.itemsOf = append(w.itemsOf, o.ID)
		}
	case order.Unchanged, order.Stale, order.Deleted, order.Rejected:
		return
	}
	if o.PhoneE164 != "" && (len(w.phones) == 0 || w.phones[len(w.phones)-1] != o.PhoneE164) {
		w.phones, w.named = append(w.phones, o.PhoneE164), append(w.named, o.FullName)
	}
	if d.ItemsChanged {
		w.lines.add(o.UpstreamID, o.Items)
	}
	w.upstream, w.raw = append(w.upstream, o.UpstreamID), append(w.raw, append([]byte{}, d.Row.Raw...))
	w.source, w.trigger = d.Entry.Source, d.Entry.Trigger
	w.kinds = append(w.kinds, string(d.Entry.Kind))
	w.statusBefore, w.statusAfter = append(w.statusBefore, string(d.Entry.StatusBefore)), append(w.statusAfter, string(d.Entry.StatusAfter))
	w.before, w.after = append(w.before, object(d.Entry.Before)), append(w.after, object(d.Entry.After))
}

// send writes everything in one round trip and answers the ids of the new orders by their upstream ids.
func (w *ingestWrite) send(ctx context.Context, tx pgx.Tx, storeID string) (map[int64]int64, error) {
	ids := make(map[int64]int64, len(w.news))
	var batch pgx.Batch
	if len(w.phones) > 0 {
		batch.Queue(insertCustomers, w.phones, w.named)
	}
	if len(w.news) > 0 {
		batch.Queue(insertOrders, perColumn(madeSet, w.news)...).Query(func(rows pgx.Rows) error {
			var upstreamID, id int64
			_, err := pgx.ForEachRow(rows, []any{&upstreamID, &id}, func() error {
				ids[upstreamID] = id
				return nil
			})
			if err == nil && len(ids) < len(w.news) {
				return errOvertaken
			}
			return err
		})
	}
	if len(w.changed) > 0 {
		batch.Queue(updateOrders, append([]any{w.updatedIDs}, perColumn(keptSet, w.changed)...)...)
	}
	if len(w.itemsOf) > 0 {
		batch.Queue(deleteItems, w.itemsOf)
	}
	if w.lines.len() > 0 {
		batch.Queue(insertItemsByUpstream, append([]any{storeID, w.lines.upstream}, w.lines.args()...)...)
	}
	batch.Queue(upsertRaw, storeID, w.upstream, w.raw)
	batch.Queue(insertHistory, storeID, string(w.source), string(w.trigger), obs.RequestID(ctx),
		w.upstream, w.kinds, w.statusBefore, w.statusAfter, w.before, w.after)
	return ids, tx.SendBatch(ctx, &batch).Close()
}

// lineArrays is items as arrays for unnest.
type lineArrays struct {
	upstream []int64
	line     []int16
	lineID   []*int64
	product  []string
	sku      []string
	title    []string
	quantity []int32
	price    []*int64
}

func (l *lineArrays) len() int { return len(l.line) }

func (l *lineArrays) add(upstreamID int64, items []order.Item) {
	for n, item := range items {
		var lineID *int64
		if item.UpstreamLineID != 0 {
			lineID = &item.UpstreamLineID
		}
		l.upstream = append(l.upstream, upstreamID)
		l.line = append(l.line, int16(n+1))                   //nolint:gosec // G115: an order has at most 200 lines
		l.quantity = append(l.quantity, int32(item.Quantity)) //nolint:gosec // G115: checked to be at most 100,000
		l.lineID, l.price = append(l.lineID, lineID), append(l.price, item.UnitPrice)
		l.product, l.sku, l.title = append(l.product, item.UpstreamProductID), append(l.sku, item.SKU), append(l.title, item.Title)
	}
}

func (l *lineArrays) args() []any {
	return []any{l.line, l.lineID, l.product, l.sku, l.title, l.quantity, l.price}
}

const countOrders = `SELECT count(*) FROM (SELECT FROM orders.sales_order WHERE store_id = $1 LIMIT $2) counted`

const selectNewest = `
	SELECT o.id, o.upstream_id, o.reference, coalesce(o.raw_hash, ''::bytea) AS raw_hash, o.meaning, o.upstream_state_key, o.state_map_version,
		o.upstream_deleted_at, o.deleted_at
	FROM orders.sales_order o
	WHERE o.store_id = $1 AND o.upstream_id IS NOT NULL
	ORDER BY o.upstream_id DESC
	LIMIT $2`

// Describe counts a store's orders and reads the newest by the shop's id.
func (s *Store) Describe(ctx context.Context, storeID string, limit, newest int) (int, []order.Known, error) {
	var count int
	if err := s.pool.QueryRow(ctx, countOrders, storeID, limit).Scan(&count); err != nil {
		return 0, nil, fmt.Errorf("count a store's orders: %w", err)
	}
	rows, err := s.pool.Query(ctx, selectNewest, storeID, newest)
	if err != nil {
		return 0, nil, fmt.Errorf("read a store's newest orders: %w", err)
	}
	known, err := pgx.CollectRows(rows, pgx.RowToStructByName[order.Known])
	if err != nil {
		return 0, nil, fmt.Errorf("read a store's newest orders: %w", err)
	}
	return count, known, nil
}
