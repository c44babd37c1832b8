package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// The last pass of a store and its last success are kept, however old: they are
// how a person sees that nothing has come for a month.
const deletePasses = `
	DELETE FROM ecosync.pass p
	 WHERE p.started_at < now() - $1::interval AND p.ended_at IS NOT NULL
	   AND p.id NOT IN (SELECT max(k.id) FROM ecosync.pass k GROUP BY k.store_id)
	   AND p.id NOT IN (SELECT max(k.id) FROM ecosync.pass k WHERE k.result = 'SUCCEEDED' GROUP BY k.store_id)`

// Open quarantine rows are business and stay until somebody resolves them.
const deleteResolved = `
	DELETE FROM ecosync.quarantine WHERE resolved_at < now() - $1::interval`

// What was counted of a token that no store has any more, and whose day is over.
const deleteQuotas = `
	DELETE FROM ecosync.quota q
	 WHERE q.began[4] < now() - interval '1 day' AND coalesce(q.blocked_until, '-infinity') < now()
	   AND NOT EXISTS (SELECT FROM ecosync.store s WHERE s.token_fingerprint = q.token_fingerprint)`

// Cleanup removes what is past its retention; repeating it removes nothing.
func (d *DB) Cleanup(ctx context.Context, retention time.Duration) ([]store.Removed, error) {
	var removed []store.Removed
	for _, kind := range []struct{ name, sql string }{{"pass", deletePasses}, {"quarantine", deleteResolved}} {
		tag, err := d.pool.Exec(ctx, kind.sql, retention)
		if err != nil {
			return removed, fmt.Errorf("clean up %s: %w", kind.name, err)
		}
		removed = append(removed, store.Removed{Kind: kind.name, Count: tag.RowsAffected()})
	}
	tag, err := d.pool.Exec(ctx, deleteQuotas)
	if err != nil {
		return removed, fmt.Errorf("clean up quota: %w", err)
	}
	removed = append(removed, store.Removed{Kind: "quota", Count: tag.RowsAffected()})
	forgotten, err := d.keys.DeleteExpired(ctx, d.pool)
	if err != nil {
		return removed, err
	}
	return append(removed, store.Removed{Kind: "idempotency_key", Count: forgotten}), nil
}
