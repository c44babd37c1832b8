package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/condition"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
)

// A store that is switched off has no conditions.
const selectFacts = `
	SELECT s.id::text AS store_id, s.identifier, s.paused_at, s.pause_reason,
	       coalesce(p.last_success_at, s.created_at) AS last_success_at, p.mode = 'ID_ONLY' AS id_only,
	       g.stuck_gaps, g.stuck_since, q.quarantined, q.quarantined_since
	  FROM ecosync.store s
	  JOIN ecosync.sync_position p ON p.store_id = s.id
	 CROSS JOIN LATERAL (
	       SELECT count(*) AS stuck_gaps, min((x.gap ->> 'since')::timestamptz) AS stuck_since
	         FROM jsonb_array_elements(p.gaps) AS x (gap)
	        WHERE (x.gap ->> 'failures')::bigint >= $1) AS g
	 CROSS JOIN LATERAL (
	       SELECT count(*) AS quarantined, min(r.first_seen_at) AS quarantined_since
	         FROM ecosync.quarantine r
	        WHERE r.store_id = s.id AND r.resolved_at IS NULL) AS q
	 WHERE s.active
	 ORDER BY s.identifier`

// Facts reads what is known of every store that is not switched off. Which
// states are unknown depends on how they fold, so each store's are held against
// its map.
func (d *DB) Facts(ctx context.Context) ([]condition.Facts, error) {
	type row struct {
		StoreID          string
		Identifier       string
		PausedAt         *time.Time
		PauseReason      string
		LastSuccessAt    time.Time
		IDOnly           bool
		StuckGaps        int64
		StuckSince       *time.Time
		Quarantined      int64
		QuarantinedSince *time.Time
	}
	rows, err := d.pool.Query(ctx, selectFacts, pass.GapStuckAfter)
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	facts := make([]condition.Facts, len(found))
	for i, r := range found {
		facts[i] = condition.Facts{
			StoreID: r.StoreID, Identifier: r.Identifier, PausedAt: value(r.PausedAt), PauseReason: r.PauseReason,
			LastSuccessAt: r.LastSuccessAt, IDOnly: r.IDOnly, StuckGaps: r.StuckGaps, StuckSince: value(r.StuckSince),
			Quarantined: r.Quarantined, QuarantinedSince: value(r.QuarantinedSince),
		}
		if err := d.unknown(ctx, &facts[i]); err != nil {
			return nil, err
		}
	}
	return facts, nil
}

func (d *DB) unknown(ctx context.Context, f *condition.Facts) error {
	met, err := d.UnknownStates(ctx, f.StoreID)
	if err != nil || len(met) == 0 {
		return err
	}
	states, err := d.StateMap(ctx, f.StoreID)
	if err != nil {
		return err
	}
	for _, u := range met {
		if _, known := states.Meaning(u.State); known {
			continue
		}
		f.Unknown = append(f.Unknown, u.State)
		if f.UnknownSince.IsZero() || u.FirstSeenAt.Before(f.UnknownSince) {
			f.UnknownSince = u.FirstSeenAt
		}
	}
	return nil
}
