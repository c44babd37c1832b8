package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

// ended selects sessions that can never be refreshed again. The rotated tokens of a session that lives are kept: they are how a
// stolen one is recognised.
const ended = `SELECT s.session_id FROM identity.session s WHERE s.expires_at <= $1 OR s.revoked_at <= $1`

// RemoveExpired deletes ended sessions, their tokens and old failures.
func (s *Store) RemoveExpired(ctx context.Context, now, keepFailuresAfter time.Time) (account.Removed, error) {
	var r account.Removed
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		for _, step := range []struct {
			removed *int64
			sql     string
			at      time.Time
		}{
			{&r.RefreshTokens, `DELETE FROM identity.refresh_token WHERE session_id IN (` + ended + `)`, now},
			{&r.Sessions, `DELETE FROM identity.session WHERE session_id IN (` + ended + `)`, now},
			{&r.LoginFailures, `DELETE FROM identity.login_failure WHERE failed_at <= $1`, keepFailuresAfter},
			{new(int64), `UPDATE identity.refresh_token SET successor_sealed = NULL WHERE rotated_at < $1 AND successor_sealed IS NOT NULL`, now.Add(-account.SuccessorLife)},
		} {
			tag, err := tx.Exec(ctx, step.sql, step.at)
			if err != nil {
				return err
			}
			*step.removed = tag.RowsAffected()
		}
		var err error
		r.RequestIDs, err = s.once.DeleteExpired(ctx, tx)
		return err
	})
	return r, named("remove what has expired", err)
}

// vacuumed are the tables that rows come and go in.
var vacuumed = []string{"identity.session", "identity.refresh_token", "identity.login_failure", "identity.idempotency_key"}

// Tidy vacuums the busy tables, on one connection that has no statement timeout for as long as it lasts.
func (s *Store) Tidy(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return named("tidy up", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SET statement_timeout = 0`); err != nil {
		return named("tidy up", err)
	}
	defer func() {
		if _, err := conn.Exec(context.WithoutCancel(ctx), `RESET statement_timeout`); err != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx)) // a connection without a timeout must not go back
		}
	}()
	for _, table := range vacuumed {
		if _, err := conn.Exec(ctx, `VACUUM (ANALYZE) `+table); err != nil {
			return named("tidy up "+table, err)
		}
	}
	return nil
}
