package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	quarantined "github.com/libertaphonix/libertaphonix/services/ecosync/internal/quarantine"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

type quarantineRow struct {
	ID          int64
	StoreID     string
	UpstreamID  int64
	Reference   string
	Reason      string
	Field       string
	Detail      string
	Times       int64
	FirstSeenAt time.Time
	LastSeenAt  time.Time
	ResolvedAt  *time.Time
	Raw         []byte
}

// The raw row is cut here: what nobody is shown need not travel.
const selectQuarantine = `
	SELECT q.id, q.store_id::text AS store_id, coalesce(q.upstream_id, 0) AS upstream_id, q.reference, q.reason, q.field,
	       q.detail, q.times, q.first_seen_at, q.last_seen_at, q.resolved_at, substring(q.raw FOR $2) AS raw
	  FROM ecosync.quarantine q
	 WHERE q.store_id = $1`

const listQuarantine = selectQuarantine + `
	   AND ($3 = 0 OR q.id < $3) AND ($4 OR q.resolved_at IS NULL)
	 ORDER BY q.id DESC
	 LIMIT $5`

func (r quarantineRow) domain() quarantined.Row {
	return quarantined.Row{
		ID: r.ID, StoreID: r.StoreID, UpstreamID: r.UpstreamID, Reference: r.Reference, Reason: r.Reason, Field: r.Field,
		Detail: r.Detail, Times: r.Times, FirstSeenAt: r.FirstSeenAt, LastSeenAt: r.LastSeenAt, ResolvedAt: value(r.ResolvedAt),
		Raw: quarantined.Shown(r.Raw),
	}
}

// Quarantine lists a store's rows, newest first, those before an id; 0 begins at
// the newest.
func (d *DB) Quarantine(ctx context.Context, storeID string, resolved bool, before int64, limit int) ([]quarantined.Row, error) {
	rows, err := d.pool.Query(ctx, listQuarantine, storeID, quarantined.MostShown, before, resolved, limit)
	if err != nil {
		return nil, fmt.Errorf("list quarantine: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[quarantineRow])
	if err != nil {
		return nil, fmt.Errorf("list quarantine: %w", err)
	}
	shown := make([]quarantined.Row, len(found))
	for i, r := range found {
		shown[i] = r.domain()
	}
	return shown, nil
}

// Quarantined implements quarantine.Rows.
func (d *DB) Quarantined(ctx context.Context, storeID string, id int64) (quarantined.Row, error) {
	return findQuarantined(ctx, d.pool, storeID, id)
}

func findQuarantined(ctx context.Context, q querier, storeID string, id int64) (quarantined.Row, error) {
	rows, err := q.Query(ctx, selectQuarantine+` AND q.id = $3`, storeID, quarantined.MostShown, id)
	if err != nil {
		return quarantined.Row{}, fmt.Errorf("read a quarantined row: %w", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[quarantineRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return quarantined.Row{}, quarantined.ErrNotFound
	}
	if err != nil {
		return quarantined.Row{}, fmt.Errorf("read a quarantined row: %w", err)
	}
	return r.domain(), nil
}

const resolveOne = `
	UPDATE ecosync.quarantine SET resolved_at = now() WHERE store_id = $1 AND id = $2 AND resolved_at IS NULL`

// Resolve implements quarantine.Rows.
func (d *DB) Resolve(ctx context.Context, storeID string, id int64, unknown string) (row quarantined.Row, err error) {
	err = pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, resolveOne, storeID, id)
		if err != nil {
			return fmt.Errorf("resolve a quarantined row: %w", err)
		}
		if row, err = findQuarantined(ctx, tx, storeID, id); err != nil || tag.RowsAffected() == 0 {
			return err // a pass was quicker: it has resolved, counted and recorded
		}
		if unknown != "" {
			if _, err := tx.Exec(ctx, countUnknown, storeID, []string{unknown}, []int64{1}); err != nil {
				return fmt.Errorf("count an unknown state: %w", err)
			}
		}
		return d.record(ctx, tx, store.Request{Action: "RetryQuarantine"}, storeID, nil, map[string]any{"quarantineId": id, "resolved": true})
	})
	return row, err
}

const metAgain = `
	UPDATE ecosync.quarantine
	   SET reference = $3, reason = $4, field = $5, detail = $6, raw = $7, times = times + 1, last_seen_at = now()
	 WHERE store_id = $1 AND id = $2 AND resolved_at IS NULL`

// MetAgain implements quarantine.Rows.
func (d *DB) MetAgain(ctx context.Context, storeID string, id int64, met pass.Quarantined) (quarantined.Row, error) {
	p := met.Problem
	if _, err := d.pool.Exec(ctx, metAgain, storeID, id, p.Reference, string(p.Reason), p.Field, p.Detail, met.Raw); err != nil {
		return quarantined.Row{}, fmt.Errorf("count a quarantined row: %w", err)
	}
	return d.Quarantined(ctx, storeID, id)
}
