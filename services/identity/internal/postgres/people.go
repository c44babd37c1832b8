package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

// lockGuard makes changes of users wait for one another. Whoever may still administer is counted, and the actor's present role
// read, by statements that begin after it: at READ COMMITTED they see what the one before committed.
const lockGuard = `SELECT FROM identity.admin_guard WHERE singleton FOR UPDATE`

const otherAdmins = `
	SELECT EXISTS (
		SELECT FROM identity.user_account u
		WHERE u.role = 'ADMIN' AND u.disabled_at IS NULL AND u.user_id <> $1)`

const insertUser = `
	INSERT INTO identity.user_account (user_id, email, name, role, password_hash, password_changed_at, must_change_password,
		disabled_at, version, created_at, updated_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

func insert(ctx context.Context, tx pgx.Tx, u account.User, h account.PasswordHash) error {
	_, err := tx.Exec(ctx, insertUser, u.ID, string(u.Email), u.Name, string(u.Role), string(h), u.PasswordChangedAt,
		u.MustChangePassword, u.DisabledAt, u.Version, u.CreatedAt, u.UpdatedAt)
	if pg.Violates(err, "user_account_email_unique") {
		return account.ErrEmailTaken
	}
	return err
}

// actorIn reads who acts, as he is now and not as his token remembers him.
func actorIn(ctx context.Context, tx pgx.Tx, id string) (account.User, error) {
	u, err := oneUser(ctx, tx, userByID, id)
	if errors.Is(err, account.ErrUserNotFound) {
		return account.User{}, account.ErrActorNotActive
	}
	return u, err
}

// createUserMethod is what request ids of CreateUser are remembered under.
const createUserMethod = "libertaphonix.identity.v1.IdentityService/CreateUser"

// CreateUser inserts a user; a repeated request id answers the one made the first time.
func (s *Store) CreateUser(
	ctx context.Context, actor string, u account.User, h account.PasswordHash, once account.Once, judge func(actor account.User) error,
) (account.User, error) {
	made := u
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		made = u
		if _, err := tx.Exec(ctx, lockGuard); err != nil {
			return err
		}
		by, err := actorIn(ctx, tx, actor)
		if err != nil {
			return err
		}
		if err := judge(by); err != nil {
			return err
		}
		claim := idempotency.Claim{Actor: actor, Method: createUserMethod, Key: once.Key, RequestHash: once.Request[:]}
		if once.Key != "" {
			earlier, err := s.once.Claim(ctx, tx, claim)
			if err != nil {
				return err
			}
			if earlier != "" {
				made, err = oneUser(ctx, tx, userByID, earlier)
				return err
			}
		}
		if err := insert(ctx, tx, u, h); err != nil {
			return err
		}
		if once.Key != "" {
			if err := s.once.Settle(ctx, tx, claim, u.ID); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, "CreateUser", "", nil, &u, false)
	})
	return made, named("create a user", err)
}

const updateUser = `
	UPDATE identity.user_account u
	SET name = $2, role = $3, disabled_at = $4, must_change_password = $5, password_changed_at = $6, version = $7,
		updated_at = $8, password_hash = COALESCE(NULLIF($9, ''), u.password_hash)
	WHERE u.user_id = $1`

// ChangeUser lets the domain decide on both people as they are, and writes what differs.
func (s *Store) ChangeUser(
	ctx context.Context, actor, target string, w account.Change, decide func(account.Circumstances) (account.User, error),
) (account.User, error) {
	var after account.User
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var c account.Circumstances
		var err error
		if _, err := tx.Exec(ctx, lockGuard); err != nil {
			return err
		}
		if c.Actor, err = actorIn(ctx, tx, actor); err != nil {
			return err
		}
		// The row is locked, too: a login or a change of the own password takes no guard.
		if c.Target, err = oneUser(ctx, tx, userByID+` FOR UPDATE`, target); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, otherAdmins, target).Scan(&c.OtherAdmins); err != nil {
			return err
		}
		if after, err = decide(c); err != nil {
			return err
		}
		if after == c.Target && w.Password == "" {
			return nil
		}
		_, err = tx.Exec(ctx, updateUser, after.ID, after.Name, string(after.Role), after.DisabledAt, after.MustChangePassword,
			after.PasswordChangedAt, after.Version, after.UpdatedAt, string(w.Password))
		if err != nil {
			return err
		}
		if w.Revoke != "" {
			if err := revokeAll(ctx, tx, target, "", w.Revoke, after.UpdatedAt); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, w.Action, w.Reason, &c.Target, &after, w.Password != "")
	})
	return after, named("change a user", err)
}

const changePassword = `
	UPDATE identity.user_account u
	SET password_hash = $3, password_changed_at = $4, must_change_password = false, version = u.version + 1, updated_at = $4
	WHERE u.user_id = $1 AND u.password_changed_at = $2 AND u.disabled_at IS NULL
	RETURNING ` + userColumns

// ChangePassword replaces a person's own password if the verified one is still stored. It is admitted under the pair's lock like
// a login: of any number of guesses made at once, the right one must not be judged after the limit is reached.
func (s *Store) ChangePassword(ctx context.Context, r account.Replacement) error {
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := admit(ctx, tx, r.Account, r.From.Network(), r.At); err != nil {
			return err
		}
		u, err := oneUser(ctx, tx, changePassword, r.UserID, r.Verified, string(r.Next), r.At)
		if errors.Is(err, account.ErrUserNotFound) {
			return account.ErrStale
		}
		if err != nil {
			return err
		}
		if err := revokeAll(ctx, tx, r.UserID, r.Keep, account.RevokedByPasswordChange, r.At); err != nil {
			return err
		}
		return s.record(ctx, tx, "ChangePassword", "", &u, &u, true)
	})
	return named("change a password", err)
}

const anyUser = `SELECT EXISTS (SELECT FROM identity.user_account)`

// undefinedTable is the SQLSTATE of a table that does not exist.
const undefinedTable = "42P01"

// Empty reports whether there is no user at all; a database that is not migrated yet has none.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	var exists bool
	err := s.pool.QueryRow(ctx, anyUser).Scan(&exists)
	var missing *pgconn.PgError
	if errors.As(err, &missing) && missing.Code == undefinedTable {
		return true, nil
	}
	return !exists, named("look for users", err)
}

// Bootstrap inserts the first user under the guard: of several replicas that start on an empty database, one wins.
func (s *Store) Bootstrap(ctx context.Context, u account.User, h account.PasswordHash) (bool, error) {
	won := false
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		won = false
		if _, err := tx.Exec(ctx, lockGuard); err != nil {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, anyUser).Scan(&exists); err != nil || exists {
			return err
		}
		if err := insert(ctx, tx, u, h); err != nil {
			return err
		}
		won = true
		// Nobody is logged in: the service itself is the actor.
		ctx := auth.With(ctx, auth.Principal{Kind: auth.Service, Subject: Schema, Service: Schema})
		return s.record(ctx, tx, "Bootstrap", "", nil, &u, false)
	})
	if err != nil {
		return false, named("make the first user", err)
	}
	return won, nil
}

// record writes the audit event of a change: the fields that differ, and that a password was set, never to what.
func (s *Store) record(
	ctx context.Context, tx pgx.Tx, action, reason string, before, after *account.User, password bool,
) error {
	was, is := auditFields(before), auditFields(after)
	if password {
		is["password"] = "***"
	}
	maps.DeleteFunc(was, func(field, value string) bool {
		if other, both := is[field]; both && other == value {
			delete(is, field)
			return true
		}
		return false
	})
	e := audit.Event{Action: action, Resource: "user/" + after.ID, Reason: reason}
	var err error
	if before != nil {
		if e.Before, err = json.Marshal(was); err != nil {
			return fmt.Errorf("write the audit event: %w", err)
		}
	}
	if e.After, err = json.Marshal(is); err != nil {
		return fmt.Errorf("write the audit event: %w", err)
	}
	return s.audit.Write(ctx, tx, e)
}

func auditFields(u *account.User) map[string]string {
	if u == nil {
		return map[string]string{}
	}
	disabled := "false"
	if !u.Active() {
		disabled = "true"
	}
	return map[string]string{"email": string(u.Email), "name": u.Name, "role": string(u.Role), "disabled": disabled}
}
