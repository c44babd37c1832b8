package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// Store keeps orders in the schema `orders`. It holds no state of its own: any number of replicas may use one database.
type Store struct {
	pool *pgxpool.Pool
	keys *idempotency.Keys
	log  *audit.Log
}

// NewStore makes a store over a migrated database.
func NewStore(pool *pgxpool.Pool) *Store {
	return &Store{pool: pool, keys: idempotency.NewKeys(Schema), log: audit.NewLog(Schema)}
}

// querier is a pool or a transaction.
type querier interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

var selectByID = selectOrder + ` WHERE o.id = ANY($1::bigint[])`

const selectItems = `
	SELECT i.order_id, coalesce(i.upstream_line_id, 0) AS upstream_line_id, i.upstream_product_id, i.sku, i.title, i.quantity, i.unit_price
	FROM orders.order_item i
	WHERE i.order_id = ANY($1::bigint[])
	ORDER BY i.order_id, i.line`

// load reads orders with their items, in the order of the ids; an id without an order is left out. Orders and items are two
// statements in one round trip: between them a sync may replace the items, which a reader without a lock sees as the next
// state of the order a moment early.
func load(ctx context.Context, q querier, ids []int64) ([]*order.Order, error) {
	return read(ctx, q, selectByID, ids)
}

func read(ctx context.Context, q querier, statement string, ids []int64) ([]*order.Order, error) {
	var batch pgx.Batch
	batch.Queue(statement, ids)
	batch.Queue(selectItems, ids)
	results := q.SendBatch(ctx, &batch)
	found, err := collect(results, ids)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	return found, nil
}

func collect(results pgx.BatchResults, ids []int64) ([]*order.Order, error) {
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	orders, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[order.Order])
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*order.Order, len(orders))
	for _, o := range orders {
		byID[o.ID] = o
	}
	if rows, err = results.Query(); err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByName[line])
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if o, found := byID[l.OrderID]; found {
			o.Items = append(o.Items, l.Item)
		}
	}
	found := make([]*order.Order, 0, len(orders))
	for _, id := range ids {
		if o, there := byID[id]; there {
			found = append(found, o)
		}
	}
	return found, nil
}

// line is an item as the table has it.
type line struct {
	OrderID int64 `db:"order_id"`
	order.Item
}

// Order reads one order with its items.
func (s *Store) Order(ctx context.Context, id int64) (*order.Order, error) {
	return one(load(ctx, s.pool, []int64{id}))
}

func one(found []*order.Order, err error) (*order.Order, error) {
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, order.ErrNotFound
	}
	return found[0], nil
}

// lockByID guards one order between the reading of it and the write that follows from what was read.
var lockByID = selectByID + ` FOR UPDATE OF o`

func lock(ctx context.Context, tx pgx.Tx, id int64) (*order.Order, error) {
	return one(read(ctx, tx, lockByID, []int64{id}))
}

// Change locks one order, lets `do` change it, and writes it with its history and audit rows.
func (s *Store) Change(ctx context.Context, id int64, method string, do func(o *order.Order) (*order.Entry, error)) (*order.Order, error) {
	var after *order.Order
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		o, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		entry, err := do(o)
		if err != nil || entry == nil {
			after = o
			return err
		}
		if err := write(ctx, tx, o); err != nil {
			return err
		}
		if err := s.record(ctx, tx, method, entry); err != nil {
			return err
		}
		after, err = one(load(ctx, tx, []int64{id}))
		return err
	})
	if err != nil {
		return nil, sayUnstorable(err)
	}
	return after, nil
}

// SQLSTATEs of a NUL in a text, and of one in a JSON document: the only character that people can send and no column can hold.
const (
	characterNotInRepertoire = "22021"
	untranslatableCharacter  = "22P05"
)

func sayUnstorable(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == characterNotInRepertoire || refused.Code == untranslatableCharacter) {
		return order.ErrTextInvalid
	}
	return err
}

const upsertCustomer = `
	INSERT INTO orders.customer (phone_e164, full_name) VALUES ($1, $2)
	ON CONFLICT ON CONSTRAINT customer_phone_e164_key DO NOTHING`

var updateOrder = `
	UPDATE orders.sales_order SET updated_at = now(),
		customer_id = (SELECT c.id FROM orders.customer c WHERE c.phone_e164 = $2), ` +
	joined(kept, func(n int, c column) string { return fmt.Sprintf("%s = $%d::%s", c.name, n+2, c.sqlType) }) + `
	WHERE id = $1`

// write stores one locked order; items are not people's to change.
func write(ctx context.Context, tx pgx.Tx, o *order.Order) error {
	if err := customer(ctx, tx, o); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, updateOrder, append([]any{o.ID, o.PhoneE164}, perRow(kept, o)...)...); err != nil {
		return fmt.Errorf("update order %d: %w", o.ID, err)
	}
	return nil
}

func customer(ctx context.Context, tx pgx.Tx, o *order.Order) error {
	if o.PhoneE164 == "" || o.CustomerID != 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, upsertCustomer, o.PhoneE164, o.FullName); err != nil {
		return fmt.Errorf("find the customer: %w", err)
	}
	return nil
}

const insertEntry = `
	INSERT INTO orders.order_history
		(order_id, kind, source, trigger, actor_id, actor_role, status_before, status_after, before, after, reason, request_id)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// record writes the history row of a change, and the audit row when a manager or an admin made it.
func (s *Store) record(ctx context.Context, tx pgx.Tx, method string, e *order.Entry) error {
	_, err := tx.Exec(ctx, insertEntry, e.OrderID, string(e.Kind), string(e.Source), string(e.Trigger), e.ActorID, string(e.ActorRole),
		string(e.StatusBefore), string(e.StatusAfter), object(e.Before), object(e.After), e.Reason, obs.RequestID(ctx))
	if err != nil {
		return fmt.Errorf("write the history of order %d: %w", e.OrderID, err)
	}
	if e.ActorRole != order.Admin && e.ActorRole != order.Manager {
		return nil
	}
	return s.log.Write(ctx, tx, audit.Event{
		Actor: e.ActorID, Role: string(e.ActorRole), Action: method, Resource: resource(e.OrderID),
		Before: e.Before, After: e.After, Reason: e.Reason,
	})
}

func resource(orderID int64) string { return "order/" + strconv.FormatInt(orderID, 10) }

// object is a JSON document for a column that always has one.
func object(doc []byte) string {
	if len(doc) == 0 {
		return "{}"
	}
	return string(doc)
}
