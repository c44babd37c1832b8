package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// listTimeout is what a person waits for a list; a query that needs more would read the table, and is refused instead (DESIGN 8). queryCanceled is
// how PostgreSQL says so.
const (
	listTimeout   = "SET LOCAL statement_timeout = '2s'"
	queryCanceled = "57014"
)

// List reads one page. Page, items and total are read from one snapshot, so they agree with each other whatever is written meanwhile.
func (s *Store) List(ctx context.Context, q order.Query) (order.Page, error) {
	var page order.Page
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, listTimeout); err != nil {
			return err
		}
		var err error
		page, err = list(ctx, tx, q)
		return err
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == queryCanceled && ctx.Err() == nil {
		return order.Page{}, order.ErrQueryTooBroad
	}
	if err != nil {
		return order.Page{}, fmt.Errorf("list orders: %w", sayUnstorable(err))
	}
	return page, nil
}

// position is a row of a page by what the list is sorted by, and how many candidates its search met.
type position struct {
	ID  int64     `db:"id"`
	Key time.Time `db:"key"`
	Met int       `db:"met"`
}

func list(ctx context.Context, tx pgx.Tx, q order.Query) (order.Page, error) {
	s := newSelection(q.Filter)
	// Described anew on each call and planned for its values: a plan made once for any value would be the wrong one for a rare one.
	rows, err := tx.Query(ctx, s.page(q.Sort, q.After, q.Limit), pgx.QueryExecModeCacheDescribe, s.args)
	if err != nil {
		return order.Page{}, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[position])
	if err != nil {
		return order.Page{}, err
	}
	var page order.Page
	if len(found) > 0 {
		page.Refine = found[0].Met > order.MaxCandidates
	}
	if len(found) > q.Limit {
		found = found[:q.Limit]
		last := found[q.Limit-1]
		page.Next = &order.Cursor{At: last.Key, ID: last.ID}
	}
	ids := make([]int64, len(found))
	for n, p := range found {
		ids[n] = p.ID
	}
	if page.Orders, err = load(ctx, tx, ids); err != nil || !q.WithTotal {
		return page, err
	}
	total := 0
	if err := tx.QueryRow(ctx, s.count(q.Sort), pgx.QueryExecModeCacheDescribe, s.args).Scan(&total); err != nil {
		return order.Page{}, err
	}
	page.Total = &total
	return page, nil
}
