package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
)

const listPasses = selectPass + `
	  FROM ecosync.pass p
	 WHERE p.store_id = $1 AND ($2 = 0 OR p.id < $2)
	 ORDER BY p.id DESC
	 LIMIT $3`

// Passes lists a store's passes, newest first, those before an id; 0 begins at
// the newest.
func (d *DB) Passes(ctx context.Context, storeID string, before int64, limit int) ([]pass.Pass, error) {
	rows, err := d.pool.Query(ctx, listPasses, storeID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list passes: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[passRow])
	if err != nil {
		return nil, fmt.Errorf("list passes: %w", err)
	}
	passes := make([]pass.Pass, len(found))
	for i, r := range found {
		passes[i] = r.domain()
	}
	return passes, nil
}
