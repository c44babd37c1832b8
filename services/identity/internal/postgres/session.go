package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

const countFailures = `
	SELECT (SELECT f.failed_at FROM identity.login_failure f
	        WHERE f.account_hash = $1 AND f.address = $2 AND f.failed_at > $3
	        ORDER BY f.failed_at DESC OFFSET $4 LIMIT 1),
	       (SELECT count(*) FROM (
	            SELECT FROM identity.login_failure f WHERE f.account_hash = $1 AND f.failed_at > $5 LIMIT $6) recent)`

// row is a pool or a transaction.
type row interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func failures(ctx context.Context, q row, k account.FailureKey, network string, at time.Time) (account.Failures, error) {
	var f account.Failures
	err := q.QueryRow(ctx, countFailures, k[:], network, at.Add(-account.PairWindow), account.FailuresPerPair-1,
		at.Add(-account.AccountWindow), account.FailuresPerHour).Scan(&f.TenthNewest, &f.OfAccount)
	return f, err
}

// LoginFailures counts what stands against a login.
func (s *Store) LoginFailures(ctx context.Context, k account.FailureKey, network string, at time.Time) (account.Failures, error) {
	f, err := failures(ctx, s.pool, k, network, at)
	return f, named("count login failures", err)
}

// lockPair makes the attempts of one account and address settle one after the other. An advisory lock, because an account that
// does not exist has no row; two pairs that share a lock by chance only wait for each other.
const lockPair = `SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1 || pg_catalog.encode($2, 'hex'), 0))`

const insertFailure = `INSERT INTO identity.login_failure (account_hash, address, failed_at) VALUES ($1, $2, $3)`

// admit counts under the pair's lock and refuses when the limit is reached.
func admit(ctx context.Context, tx pgx.Tx, k account.FailureKey, network string, at time.Time) error {
	if _, err := tx.Exec(ctx, lockPair, network, k[:]); err != nil {
		return err
	}
	f, err := failures(ctx, tx, k, network, at)
	if err != nil {
		return err
	}
	if wait := f.Wait(at); wait > 0 {
		return account.LimitedError{What: "login", After: wait}
	}
	return nil
}

// CountFailure records a wrong password unless the limit is reached.
func (s *Store) CountFailure(ctx context.Context, k account.FailureKey, network string, at time.Time) error {
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := admit(ctx, tx, k, network, at); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, insertFailure, k[:], network, at)
		return err
	})
	return named("count a failure", err)
}

const settleLogin = `
	UPDATE identity.user_account u
	SET last_login_at = $3, password_hash = COALESCE(NULLIF($4, ''), u.password_hash)
	WHERE u.user_id = $1 AND u.password_changed_at = $2 AND u.disabled_at IS NULL
	RETURNING ` + userColumns

const insertSession = `
	INSERT INTO identity.session (session_id, user_id, created_at, last_used_at, expires_at, address, user_agent, cookie,
		refresh_window_at)
	VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8)`

const insertToken = `INSERT INTO identity.refresh_token (token_hash, session_id, created_at) VALUES ($1, $2, $3)`

// SettleLogin records the failure, or begins the session of a password that is still the user's.
func (s *Store) SettleLogin(ctx context.Context, a account.Attempt) (account.User, error) {
	var u account.User
	var outcome error // what is answered although the transaction commits
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		outcome = nil
		if err := admit(ctx, tx, a.Account, a.From.Network(), a.At); err != nil {
			return err
		}
		if a.Session == nil {
			outcome = account.ErrBadCredentials
			_, err := tx.Exec(ctx, insertFailure, a.Account[:], a.From.Network(), a.At)
			return err
		}
		var err error
		// The user's row is locked by this before the session is inserted: whoever disables the user or resets the password meanwhile
		// either comes first, and this finds no row, or comes later, and finds the session.
		u, err = oneUser(ctx, tx, settleLogin, a.Session.UserID, a.Password, a.At, string(a.Rehashed))
		if errors.Is(err, account.ErrUserNotFound) {
			outcome = account.ErrBadCredentials
			return nil
		}
		if err != nil {
			return err
		}
		n := a.Session
		_, err = tx.Exec(ctx, insertSession, n.ID, n.UserID, n.CreatedAt, n.ExpiresAt, n.Client.Address, n.Client.UserAgent, n.Cookie,
			n.RefreshWindowAt)
		if err != nil {
			return err
		}
		hash := a.Token.Hash()
		_, err = tx.Exec(ctx, insertToken, hash[:], n.ID, a.At)
		return err
	})
	if err != nil {
		return account.User{}, named("settle a login", err)
	}
	return u, outcome
}

const lockFamily = `
	SELECT s.session_id FROM identity.session s
	WHERE s.session_id = (SELECT t.session_id FROM identity.refresh_token t WHERE t.token_hash = $1)
	FOR UPDATE`

// readFamily is a statement of its own, begun after the lock is held: joined into lockFamily, the token's row would be the one of
// before the wait, and both of two simultaneous refreshes would find it not rotated yet.
const readFamily = `
	SELECT t.rotated_at, t.successor_sealed,
	       s.session_id::text, s.created_at, s.expires_at, s.revoked_at, s.refresh_window_at, s.refresh_count, s.cookie,
	       s.address, s.user_agent, s.user_id::text
	FROM identity.refresh_token t
	JOIN identity.session s USING (session_id)
	WHERE t.token_hash = $1`

const useSession = `
	UPDATE identity.session
	SET last_used_at = $2, expires_at = $3, address = $4, user_agent = $5, refresh_window_at = $6, refresh_count = $7
	WHERE session_id = $1`

const rotateToken = `UPDATE identity.refresh_token SET rotated_at = $2, successor_sealed = $3 WHERE token_hash = $1`

// forgetSuccessors empties the sealed successors of a family that can no longer be answered.
const forgetSuccessors = `
	UPDATE identity.refresh_token SET successor_sealed = NULL
	WHERE session_id = $1 AND rotated_at < $2 AND successor_sealed IS NOT NULL`

// Refresh lets the domain judge a shown token under its family's lock, and carries the verdict out.
func (s *Store) Refresh(
	ctx context.Context, shown account.TokenHash, next account.RefreshToken, at time.Time,
	judge func(account.Family) (account.Session, account.Verdict),
) (account.Family, account.Verdict, error) {
	var family account.Family
	var verdict account.Verdict
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var err error
		if family, err = s.family(ctx, tx, shown); err != nil {
			return err
		}
		var session account.Session
		session, verdict = judge(family)
		switch verdict {
		case account.Rotate:
			return s.rotate(ctx, tx, shown, next, session, at)
		case account.Repeat:
			return use(ctx, tx, session, at)
		case account.Revoke:
			return revoke(ctx, tx, session.ID, account.RevokedByReuse, at)
		default:
			return nil
		}
	})
	if err != nil {
		return account.Family{}, account.Refuse, named("refresh a session", err)
	}
	return family, verdict, nil
}

func (s *Store) family(ctx context.Context, tx pgx.Tx, shown account.TokenHash) (account.Family, error) {
	var f account.Family
	var id string
	err := tx.QueryRow(ctx, lockFamily, shown[:]).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return f, account.ErrSessionEnded
	}
	if err != nil {
		return f, err
	}
	var sealed []byte
	n := &f.Session
	err = tx.QueryRow(ctx, readFamily, shown[:]).Scan(&f.RotatedAt, &sealed,
		&n.ID, &n.CreatedAt, &n.ExpiresAt, &n.RevokedAt, &n.RefreshWindowAt, &n.RefreshCount, &n.Cookie,
		&n.Client.Address, &n.Client.UserAgent, &n.UserID)
	if err != nil {
		return f, err
	}
	if sealed != nil {
		opened, err := s.sealer.Open(sealed, successorBinding(n.ID))
		if err != nil {
			return f, err
		}
		f.Successor = account.RefreshToken(opened)
	}
	f.User, err = oneUser(ctx, tx, userByID, n.UserID)
	return f, err
}

func (s *Store) rotate(
	ctx context.Context, tx pgx.Tx, shown account.TokenHash, next account.RefreshToken, session account.Session, at time.Time,
) error {
	sealed, err := s.sealer.Seal([]byte(next), successorBinding(session.ID))
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, rotateToken, shown[:], at, sealed); err != nil {
		return err
	}
	hash := next.Hash()
	if _, err := tx.Exec(ctx, insertToken, hash[:], session.ID, at); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, forgetSuccessors, session.ID, at.Add(-account.SuccessorLife)); err != nil {
		return err
	}
	return use(ctx, tx, session, at)
}

func use(ctx context.Context, tx pgx.Tx, n account.Session, at time.Time) error {
	_, err := tx.Exec(ctx, useSession, n.ID, at, n.ExpiresAt, n.Client.Address, n.Client.UserAgent, n.RefreshWindowAt, n.RefreshCount)
	return err
}

// successorBinding ties a sealed successor to its family: moved to another row it does not open.
func successorBinding(session string) seal.Binding {
	return seal.Binding{Service: Schema, Owner: "refresh_token/" + session, Version: 1}
}

const revokeSession = `
	UPDATE identity.session SET revoked_at = $2, revoked_reason = $3 WHERE session_id = $1 AND revoked_at IS NULL`

func revoke(ctx context.Context, tx pgx.Tx, session string, why account.RevokeReason, at time.Time) error {
	_, err := tx.Exec(ctx, revokeSession, session, at, string(why))
	return err
}

const revokeSessions = `
	UPDATE identity.session SET revoked_at = $3, revoked_reason = $4
	WHERE user_id = $1 AND revoked_at IS NULL AND session_id IS DISTINCT FROM NULLIF($2, '')::uuid`

// revokeAll ends all sessions of a user but keep, which may be empty.
func revokeAll(ctx context.Context, tx pgx.Tx, user, keep string, why account.RevokeReason, at time.Time) error {
	_, err := tx.Exec(ctx, revokeSessions, user, keep, at, string(why))
	return err
}

const revokeByToken = `
	UPDATE identity.session s SET revoked_at = $2, revoked_reason = $3
	FROM identity.refresh_token t
	WHERE t.token_hash = $1 AND s.session_id = t.session_id AND s.revoked_at IS NULL`

// RevokeByToken ends the session a token belongs to, if there is one.
func (s *Store) RevokeByToken(ctx context.Context, shown account.TokenHash, why account.RevokeReason, at time.Time) error {
	_, err := s.pool.Exec(ctx, revokeByToken, shown[:], at, string(why))
	return named("end a session", err)
}
