package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

const selectStateMap = `
	SELECT m.version, m.entries
	  FROM ecosync.store s
	  JOIN ecosync.state_map m ON m.store_id = s.id AND m.version = s.state_map_version
	 WHERE s.id = $1`

// StateMap implements store.Repository.
func (d *DB) StateMap(ctx context.Context, id string) (statemap.Map, error) {
	return findStateMap(ctx, d.pool, id)
}

func findStateMap(ctx context.Context, q querier, id string) (statemap.Map, error) {
	type row struct {
		Version int64
		Entries json.RawMessage
	}
	rows, err := q.Query(ctx, selectStateMap, id)
	if err != nil {
		return statemap.Map{}, fmt.Errorf("read a state map: %w", err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[row])
	if errors.Is(err, pgx.ErrNoRows) {
		return statemap.Map{}, store.ErrNotFound
	}
	if err != nil {
		return statemap.Map{}, fmt.Errorf("read a state map: %w", err)
	}
	var entries []statemap.Entry
	if err := json.Unmarshal(found.Entries, &entries); err != nil {
		return statemap.Map{}, fmt.Errorf("read a state map: %w", err)
	}
	return statemap.New(found.Version, entries)
}

const nextStateMap = `
	UPDATE ecosync.store SET state_map_version = state_map_version + 1
	 WHERE id = $1 AND state_map_version = $2`

// SaveStateMap implements store.Repository. The store's own version stays: who
// edits its settings meanwhile loses nothing by a new map.
func (d *DB) SaveStateMap(ctx context.Context, id string, read int64, entries []statemap.Entry, r store.Request) (saved statemap.Map, err error) {
	written, err := json.Marshal(entries)
	if err != nil {
		return statemap.Map{}, fmt.Errorf("write a state map: %w", err)
	}
	err = pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		before, err := findStateMap(ctx, tx, id)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, nextStateMap, id, read)
		if err != nil {
			return fmt.Errorf("number a state map: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return store.ErrMapStale
		}
		if _, err := tx.Exec(ctx, `INSERT INTO ecosync.state_map (store_id, version, entries) VALUES ($1, $2, $3)`, id, read+1, written); err != nil {
			return fmt.Errorf("insert a state map: %w", err)
		}
		if saved, err = findStateMap(ctx, tx, id); err != nil {
			return err
		}
		return d.record(ctx, tx, r, id,
			map[string]any{"stateMapVersion": before.Version, "rules": before.Entries},
			map[string]any{"stateMapVersion": saved.Version, "rules": saved.Entries})
	})
	return saved, err
}

const selectUnknownStates = `
	SELECT u.state, u.rows, u.first_seen_at, u.last_seen_at
	  FROM ecosync.unknown_state u
	 WHERE u.store_id = $1
	 ORDER BY u.rows DESC, u.state
	 LIMIT 1000`

// UnknownStates implements store.Repository. States that an entry has covered
// since are left to the caller's map: it knows how states fold.
func (d *DB) UnknownStates(ctx context.Context, id string) ([]store.UnknownState, error) {
	rows, err := d.pool.Query(ctx, selectUnknownStates, id)
	if err != nil {
		return nil, fmt.Errorf("list unknown states: %w", err)
	}
	unknown, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.UnknownState])
	if err != nil {
		return nil, fmt.Errorf("list unknown states: %w", err)
	}
	return unknown, nil
}
