package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// Create stores an order made by hand. Its reference is made from its id, letters and digits as a shop's is, so that it is
// searched for in the same way.
func (s *Store) Create(ctx context.Context, o *order.Order, e order.Entry, note string, r order.Request) (*order.Order, error) {
	var result *order.Order
	err := s.onlyOnce(ctx, r, func(tx pgx.Tx) (int64, error) {
		fresh := *o // the transaction may run again, and must not keep a reference made from an id that was rolled back
		id, err := insert(ctx, tx, &fresh)
		if err != nil {
			return 0, err
		}
		e.Tells(&fresh)
		if err := s.record(ctx, tx, r.Method, &e); err != nil {
			return 0, err
		}
		if note != "" {
			_, err = addNote(ctx, tx, order.Note{OrderID: id, AuthorID: r.Actor.ID, AuthorRole: r.Actor.Role, Body: note})
		}
		return id, err
	}, func(tx pgx.Tx, id int64) error {
		found, err := one(load(ctx, tx, []int64{id}))
		result = found
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// onlyOnce runs `write` unless the request was served before, and `read` on what it, or the first one, made.
func (s *Store) onlyOnce(ctx context.Context, r order.Request, write func(tx pgx.Tx) (int64, error), read func(tx pgx.Tx, id int64) error) error {
	claim := idempotency.Claim{Actor: r.Actor.ID, Method: r.Method, Key: r.Key, RequestHash: r.Hash}
	return sayUnstorable(pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if r.Key == "" {
			id, err := write(tx)
			if err != nil {
				return err
			}
			return read(tx, id)
		}
		earlier, err := s.keys.Claim(ctx, tx, claim)
		if err != nil {
			return err
		}
		if earlier != "" {
			id, err := strconv.ParseInt(earlier, 10, 64)
			if err != nil {
				return fmt.Errorf("a remembered request names %q: %w", earlier, err)
			}
			return read(tx, id)
		}
		id, err := write(tx)
		if err != nil {
			return err
		}
		if err := s.keys.Settle(ctx, tx, claim, strconv.FormatInt(id, 10)); err != nil {
			return err
		}
		return read(tx, id)
	}))
}

const nextOrderID = `SELECT nextval(pg_get_serial_sequence('orders.sales_order', 'id'))`

var insertOrder = `
	INSERT INTO orders.sales_order (id, customer_id, ` + names(made) + `)
	OVERRIDING SYSTEM VALUE
	VALUES ($1, (SELECT c.id FROM orders.customer c WHERE c.phone_e164 = $2), ` +
	joined(made, func(n int, c column) string { return fmt.Sprintf("$%d::%s", n+2, c.sqlType) }) + `)`

// referencePrefix begins the reference of an order made by hand.
const referencePrefix = "MAN"

func insert(ctx context.Context, tx pgx.Tx, o *order.Order) (int64, error) {
	if err := customer(ctx, tx, o); err != nil {
		return 0, err
	}
	if err := tx.QueryRow(ctx, nextOrderID).Scan(&o.ID); err != nil {
		return 0, fmt.Errorf("take an order id: %w", err)
	}
	if o.Reference == "" {
		o.Reference = referencePrefix + strconv.FormatInt(o.ID, 10)
	}
	if _, err := tx.Exec(ctx, insertOrder, append([]any{o.ID, o.PhoneE164}, perRow(made, o)...)...); err != nil {
		return 0, fmt.Errorf("insert an order: %w", err)
	}
	var lines lineArrays
	lines.add(o.ID, o.Items)
	if _, err := tx.Exec(ctx, insertItems, lines.args()...); err != nil {
		return 0, fmt.Errorf("insert the items of order %d: %w", o.ID, err)
	}
	return o.ID, nil
}

const insertNote = `
	INSERT INTO orders.order_note (order_id, author_id, author_role, body) VALUES ($1, $2, $3, $4)
	RETURNING id, order_id, created_at, author_id, author_role, body`

const touchOrder = `UPDATE orders.sales_order SET touched_at = now() WHERE id = $1`

func addNote(ctx context.Context, tx pgx.Tx, n order.Note) (order.Note, error) {
	rows, err := tx.Query(ctx, insertNote, n.OrderID, n.AuthorID, string(n.AuthorRole), n.Body)
	if err != nil {
		return order.Note{}, fmt.Errorf("add a note: %w", err)
	}
	note, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[order.Note])
	if err != nil {
		return order.Note{}, fmt.Errorf("add a note: %w", err)
	}
	return note, nil
}

// AddNote adds a note under the order's lock, so that the answer to "may this person see it" holds while it is written.
func (s *Store) AddNote(ctx context.Context, n order.Note, allow func(o *order.Order) error, r order.Request) (order.Note, error) {
	var result order.Note
	err := s.onlyOnce(ctx, r, func(tx pgx.Tx) (int64, error) {
		o, err := lock(ctx, tx, n.OrderID)
		if err != nil {
			return 0, err
		}
		if err := allow(o); err != nil {
			return 0, err
		}
		if _, err := tx.Exec(ctx, touchOrder, n.OrderID); err != nil {
			return 0, fmt.Errorf("touch order %d: %w", n.OrderID, err)
		}
		note, err := addNote(ctx, tx, n)
		if err != nil {
			return 0, err
		}
		return note.ID, s.auditNote(ctx, tx, note, r)
	}, func(tx pgx.Tx, id int64) error {
		var err error
		result, err = findNote(ctx, tx, id)
		return err
	})
	return result, err
}

// auditNote writes who added a note, not what it says: the note itself is a row that nobody can change.
func (s *Store) auditNote(ctx context.Context, tx pgx.Tx, n order.Note, r order.Request) error {
	if r.Actor.Mover != order.ByManager {
		return nil
	}
	return s.log.Write(ctx, tx, audit.Event{
		Actor: r.Actor.ID, Role: string(r.Actor.Role), Action: r.Method, Resource: resource(n.OrderID),
		After: fmt.Appendf(nil, `{"noteId":"%d"}`, n.ID),
	})
}

const selectNote = `SELECT id, order_id, created_at, author_id, author_role, body FROM orders.order_note WHERE id = $1`

func findNote(ctx context.Context, tx pgx.Tx, id int64) (order.Note, error) {
	rows, err := tx.Query(ctx, selectNote, id)
	if err != nil {
		return order.Note{}, fmt.Errorf("read note %d: %w", id, err)
	}
	note, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[order.Note])
	if err != nil {
		return order.Note{}, fmt.Errorf("read note %d: %w", id, err)
	}
	return note, nil
}
