package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// The lock between ingests, which share it, and the beginning of a remap, which waits until it is alone. It is not the map's row:
// an ingest would write to the row to lock it, and a store that was never remapped has none.
const (
	mapKey      = `hashtextextended('orders.store_state_map ' || $1::text, 0)`
	shareMap    = `SELECT pg_advisory_xact_lock_shared(` + mapKey + `)`
	takeMap     = `SELECT pg_advisory_xact_lock(` + mapKey + `)`
	selectNewer = `
		SELECT m.target_version, CASE WHEN m.target_version > $2 THEN m.entries ELSE '{}' END
		FROM orders.store_state_map m
		WHERE m.store_id = $1`
)

// holdMap keeps a new version of the map from being begun until the transaction ends, and reads the newest that is known. The
// lock comes in a statement of its own: the one that reads begins after it and sees the version that was waited for.
func holdMap(ctx context.Context, tx pgx.Tx, storeID string, version int32) (order.StateMap, error) {
	var newest order.StateMap
	var batch pgx.Batch
	batch.Queue(shareMap, storeID)
	batch.Queue(selectNewer, storeID, version).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&newest.Version, &newest.Meanings)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return order.StateMap{}, fmt.Errorf("read the newest state map: %w", err)
	}
	return newest, nil
}

// selectStates jumps along the index from one pair of state and meaning to the next, so it costs what the pairs are and not what the
// orders are; PostgreSQL has no such scan of its own for DISTINCT.
const selectStates = `
	WITH RECURSIVE held AS (
		(SELECT o.upstream_state, o.meaning FROM orders.sales_order o
			WHERE o.store_id = $1 AND o.deleted_at IS NULL AND o.upstream_id IS NOT NULL
			ORDER BY o.upstream_state, o.meaning LIMIT 1)
		UNION ALL
		SELECT next.upstream_state, next.meaning FROM held CROSS JOIN LATERAL (
			SELECT o.upstream_state, o.meaning FROM orders.sales_order o
			WHERE o.store_id = $1 AND o.deleted_at IS NULL AND o.upstream_id IS NOT NULL
				AND (o.upstream_state, o.meaning) > (held.upstream_state, held.meaning)
			ORDER BY o.upstream_state, o.meaning LIMIT 1) next
	)
	SELECT held.upstream_state AS state, held.meaning, counted.orders
	FROM held CROSS JOIN LATERAL (
		SELECT count(*) AS orders FROM (
			SELECT FROM orders.sales_order o
			WHERE o.store_id = $1 AND o.deleted_at IS NULL AND o.upstream_id IS NOT NULL
				AND o.upstream_state = held.upstream_state AND o.meaning = held.meaning
			LIMIT $2) seen) counted
	ORDER BY held.upstream_state, held.meaning`

const selectVersions = `SELECT m.version, m.target_version FROM orders.store_state_map m WHERE m.store_id = $1`

// States reads the states of a store's orders and the versions of its map.
func (s *Store) States(ctx context.Context, storeID string, limit int) ([]order.HeldState, order.MapVersions, error) {
	var held []order.HeldState
	var versions order.MapVersions
	var batch pgx.Batch
	batch.Queue(selectStates, storeID, limit).Query(func(rows pgx.Rows) (err error) {
		held, err = pgx.CollectRows(rows, pgx.RowToStructByName[order.HeldState])
		return err
	})
	batch.Queue(selectVersions, storeID).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[order.MapVersions])
		if len(found) > 0 {
			versions = found[0]
		}
		return err
	})
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, order.MapVersions{}, fmt.Errorf("read the states of a store: %w", err)
	}
	return held, versions, nil
}

const beginRemap = `
	INSERT INTO orders.store_state_map AS m (store_id, target_version, entries) VALUES ($1, $2, $3)
	ON CONFLICT ON CONSTRAINT store_state_map_pkey DO UPDATE SET target_version = EXCLUDED.target_version, entries = EXCLUDED.entries
	WHERE m.target_version <= EXCLUDED.target_version`

// BeginRemap writes the target, unless a newer one stands there.
func (s *Store) BeginRemap(ctx context.Context, storeID string, m order.StateMap) (bool, error) {
	begun := false
	meanings := m.Meanings
	if meanings == nil {
		meanings = map[string]order.Meaning{}
	}
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, takeMap, storeID); err != nil {
			return err
		}
		written, err := tx.Exec(ctx, beginRemap, storeID, m.Version, meanings)
		begun = written.RowsAffected() == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("begin version %d of a state map: %w", m.Version, sayUnstorable(err))
	}
	return begun, nil
}

// holdTarget keeps a newer version from being begun while a batch is judged by this one.
const holdTarget = `SELECT FROM orders.store_state_map m WHERE m.store_id = $1 AND m.target_version = $2 FOR SHARE`

const selectSlice = `
	SELECT o.id FROM orders.sales_order o
	WHERE o.store_id = $1 AND o.deleted_at IS NULL AND o.upstream_id IS NOT NULL AND o.upstream_state = $2 AND o.meaning = $3
		AND o.state_map_version < $4 AND o.id > $5
	ORDER BY o.id
	LIMIT $6`

// lockSlice locks by id, as every writer does. What an ingest wrote while this waited is judged again by the conditions.
const lockSlice = selectSlice + ` FOR UPDATE`

func sliceArgs(sl order.Slice, after int64, limit int) []any {
	return []any{sl.StoreID, sl.State, string(sl.Meaning), sl.Before, after, limit}
}

// Remap judges one batch.
func (s *Store) Remap(ctx context.Context, sl order.Slice, after int64, limit int, judge func(*order.Order) order.Decision) ([]order.Decision, error) {
	var decisions []order.Decision
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		target, err := tx.Exec(ctx, holdTarget, sl.StoreID, sl.Before)
		if err != nil {
			return err
		}
		if target.RowsAffected() == 0 {
			return order.ErrMapReplaced
		}
		stored, err := lockThenLoad(ctx, tx, lockSlice, sliceArgs(sl, after, limit)...)
		if err != nil {
			return err
		}
		decisions, err = revise(ctx, tx, stored, judge)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("judge orders by version %d of a state map: %w", sl.Before, err)
	}
	return decisions, nil
}

// Slice reads one batch.
func (s *Store) Slice(ctx context.Context, sl order.Slice, after int64, limit int) ([]*order.Order, error) {
	rows, err := s.pool.Query(ctx, selectSlice, sliceArgs(sl, after, limit)...)
	if err != nil {
		return nil, fmt.Errorf("read a state's orders: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("read a state's orders: %w", err)
	}
	return load(ctx, s.pool, ids)
}

const finishRemap = `
	UPDATE orders.store_state_map SET version = target_version, applied_at = now()
	WHERE store_id = $1 AND target_version = $2 AND version < target_version`

// FinishRemap makes the target the version.
func (s *Store) FinishRemap(ctx context.Context, storeID string, version int32) error {
	if _, err := s.pool.Exec(ctx, finishRemap, storeID, version); err != nil {
		return fmt.Errorf("finish version %d of a state map: %w", version, err)
	}
	return nil
}
