package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

const selectKnown = `
	SELECT o.id, o.upstream_id, o.reference, coalesce(o.raw_hash, ''::bytea) AS raw_hash, o.meaning, o.upstream_state_key, o.state_map_version,
		o.upstream_deleted_at, o.deleted_at, coalesce(o.disagreement, '') AS disagreement
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
var errOvertaken = order.ErrOvertaken

// A batch that was overtaken finds the other's rows at the next attempt, so twice is rare and more means that the same rows
// are poured in from many sides at once.
const (
	ingestAttempts = 10
	overtakenPause = 5 * time.Millisecond
)

// Ingest writes what `judge` decides about each row.
//
// Two streams over the same customers and orders cannot deadlock, because every transaction takes its locks in one order:
// the store's map (shared between ingests), stored orders by id, then customers by telephone, then new orders by the order of the rows (sorted by telephone and id),
// and nothing after that. Should PostgreSQL find a deadlock all the same (a person's save, a claim), the transaction runs again.
func (s *Store) Ingest(ctx context.Context, b order.Batch, judge judgement) ([]order.Decision, error) {
	for attempt := 1; ; attempt++ {
		var decisions []order.Decision
		err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
			decisions, err = ingest(ctx, tx, b, judge)
			return err
		})
		if err == nil {
			return decisions, nil
		}
		if !errors.Is(err, errOvertaken) || attempt == ingestAttempts {
			return nil, fmt.Errorf("ingest %d rows: %w", len(b.Rows), err)
		}
		select {
		case <-time.After(time.Duration(attempt) * rand.N(overtakenPause)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// judgement is [order.Ingester.Judge].
type judgement = func(stored *order.Order, r *order.Row, newest order.StateMap) order.Decision

func ingest(ctx context.Context, tx pgx.Tx, b order.Batch, judge judgement) ([]order.Decision, error) {
	rows := b.Rows
	upstream := make([]int64, len(rows))
	for n, row := range rows {
		upstream[n] = row.UpstreamID
	}
	newest, err := holdMap(ctx, tx, b.StoreID, b.StateMapVersion)
	if err != nil {
		return nil, err
	}
	locked, err := lockStored(ctx, tx, b.StoreID, upstream)
	if err != nil {
		return nil, err
	}
	stored := make(map[int64]*order.Order, len(locked))
	for _, o := range locked {
		stored[o.UpstreamID] = o
	}
	decisions := make([]order.Decision, len(rows))
	var news []*order.Decision
	for n, row := range rows {
		decisions[n] = judge(stored[row.UpstreamID], row, newest)
		if decisions[n].Outcome == order.Created {
			news = append(news, &decisions[n])
		}
	}
	if err := number(ctx, tx, news); err != nil {
		return nil, err
	}
	var w ingestWrite
	for n := range decisions {
		w.add(&decisions[n])
	}
	return decisions, w.send(ctx, tx)
}

const nextOrderIDs = `SELECT nextval(pg_get_serial_sequence('orders.sales_order', 'id')) FROM generate_series(1, $1)`

// number gives the new orders their ids before they are written, so that no statement has to find them by their identity: a
// join of a hundred rows with a store's whole history is what a planner without statistics makes of that.
func number(ctx context.Context, tx pgx.Tx, news []*order.Decision) error {
	if len(news) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, nextOrderIDs, len(news))
	if err != nil {
		return fmt.Errorf("take order ids: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("take order ids: %w", err)
	}
	for n, d := range news {
		d.OrderID, d.Order.ID, d.Entry.OrderID = ids[n], ids[n], ids[n]
	}
	return nil
}

// lockStoredOrders takes the first locks of an ingest: the rows sort before they are locked, so every writer waits in the
// same order.
const lockStoredOrders = `
	SELECT o.id FROM orders.sales_order o
	WHERE o.store_id = $1 AND o.upstream_id = ANY($2::bigint[])
	ORDER BY o.id
	FOR UPDATE`

// lockStored locks and reads the orders that are stored under the upstream ids.
func lockStored(ctx context.Context, tx pgx.Tx, storeID string, upstream []int64) ([]*order.Order, error) {
	return lockThenLoad(ctx, tx, lockStoredOrders, storeID, upstream)
}

// The statements of one ingest, sent in one round trip.
const insertCustomers = `
	INSERT INTO orders.customer (phone_e164, full_name)
	SELECT r.phone_e164, r.full_name
	FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r(phone_e164, full_name, n)
	ORDER BY r.n
	ON CONFLICT ON CONSTRAINT customer_phone_e164_key DO NOTHING`

var insertOrders = `
	INSERT INTO orders.sales_order (id, customer_id, ` + names(madeSet) + `)
	OVERRIDING SYSTEM VALUE
	SELECT r.id, (SELECT c.id FROM orders.customer c WHERE c.phone_e164 = r.phone_e164), ` +
	joined(madeSet, func(_ int, c column) string { return "r." + c.name }) + `
	FROM unnest($1::bigint[], ` + arrays(madeSet, 2) + `) WITH ORDINALITY AS r(id, ` + names(madeSet) + `, n)
	ORDER BY r.n
	ON CONFLICT ON CONSTRAINT sales_order_store_upstream_key DO NOTHING`

var updateOrders = `
	UPDATE orders.sales_order o SET updated_at = now(),
		customer_id = (SELECT c.id FROM orders.customer c WHERE c.phone_e164 = r.phone_e164), ` +
	joined(keptSet, func(_ int, c column) string { return c.name + " = r." + c.name }) + `
	FROM unnest($1::bigint[], ` + arrays(keptSet, 2) + `) AS r(id, ` + names(keptSet) + `)
	WHERE o.id = r.id`

const deleteItems = `DELETE FROM orders.order_item WHERE order_id = ANY($1::bigint[])`

const insertItems = `
	INSERT INTO orders.order_item (order_id, line, upstream_line_id, upstream_product_id, sku, title, quantity, unit_price)
	SELECT r.order_id, r.line, r.upstream_line_id, r.upstream_product_id, r.sku, r.title, r.quantity, r.unit_price
	FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::bigint[])
		AS r(order_id, line, upstream_line_id, upstream_product_id, sku, title, quantity, unit_price)`

const upsertRaw = `
	INSERT INTO orders.order_raw (order_id, payload)
	SELECT r.order_id, r.payload FROM unnest($1::bigint[], $2::bytea[]) AS r(order_id, payload)
	ON CONFLICT ON CONSTRAINT order_raw_pkey DO UPDATE SET payload = EXCLUDED.payload`

// ingestWrite gathers what a batch writes, in the order of its rows.
type ingestWrite struct {
	news, changed []*order.Order
	newIDs        []int64
	changedIDs    []int64
	phones, named []string // customers, sorted by telephone because the rows are
	itemsOf       []int64  // stored orders whose items are replaced
	lines         lineArrays
	written       []int64 // ids of every order written
	raw           [][]byte
	entries       entryArrays
}

func (w *ingestWrite) add(d *order.Decision) {
	o := d.Order
	switch d.Outcome {
	case order.Created:
		w.news, w.newIDs = append(w.news, o), append(w.newIDs, o.ID)
	case order.Updated:
		w.changed, w.changedIDs = append(w.changed, o), append(w.changedIDs, o.ID)
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
		w.lines.add(o.ID, o.Items)
	}
	w.written, w.raw = append(w.written, o.ID), append(w.raw, append([]byte{}, d.Row.Raw...))
	if d.Entry != nil {
		w.entries.add(d.Entry)
	}
}

// send writes everything in one round trip.
func (w *ingestWrite) send(ctx context.Context, tx pgx.Tx) error {
	if len(w.written) == 0 {
		return nil
	}
	var batch pgx.Batch
	if len(w.phones) > 0 {
		batch.Queue(insertCustomers, w.phones, w.named)
	}
	if len(w.news) > 0 {
		batch.Queue(insertOrders, append([]any{w.newIDs}, perColumn(madeSet, w.news)...)...).Exec(func(inserted pgconn.CommandTag) error {
			if inserted.RowsAffected() < int64(len(w.news)) {
				return errOvertaken
			}
			return nil
		})
	}
	if len(w.changed) > 0 {
		batch.Queue(updateOrders, append([]any{w.changedIDs}, perColumn(keptSet, w.changed)...)...)
	}
	if len(w.itemsOf) > 0 {
		batch.Queue(deleteItems, w.itemsOf)
	}
	if w.lines.len() > 0 {
		batch.Queue(insertItems, w.lines.args()...)
	}
	batch.Queue(upsertRaw, w.written, w.raw)
	w.entries.queue(ctx, &batch)
	return tx.SendBatch(ctx, &batch).Close()
}

// lineArrays is items as arrays for unnest.
type lineArrays struct {
	order    []int64
	line     []int16
	lineID   []*int64
	product  []string
	sku      []string
	title    []string
	quantity []int32
	price    []*int64
}

func (l *lineArrays) len() int { return len(l.line) }

func (l *lineArrays) add(orderID int64, items []order.Item) {
	for n, item := range items {
		var lineID *int64
		if item.UpstreamLineID != 0 {
			lineID = &item.UpstreamLineID
		}
		l.order = append(l.order, orderID)
		l.line = append(l.line, int16(n+1))                   // an order has at most 200 lines
		l.quantity = append(l.quantity, int32(item.Quantity)) //nolint:gosec // G115: checked to be at most 100,000
		l.lineID, l.price = append(l.lineID, lineID), append(l.price, item.UnitPrice)
		l.product, l.sku, l.title = append(l.product, item.UpstreamProductID), append(l.sku, item.SKU), append(l.title, item.Title)
	}
}

func (l *lineArrays) args() []any {
	return []any{l.order, l.line, l.lineID, l.product, l.sku, l.title, l.quantity, l.price}
}

const countOrders = `SELECT count(*) FROM (SELECT FROM orders.sales_order WHERE store_id = $1 LIMIT $2) counted`

const selectNewest = `
	SELECT o.id, o.upstream_id, o.reference, coalesce(o.raw_hash, ''::bytea) AS raw_hash, o.meaning, o.upstream_state_key, o.state_map_version,
		o.upstream_deleted_at, o.deleted_at, coalesce(o.disagreement, '') AS disagreement
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
