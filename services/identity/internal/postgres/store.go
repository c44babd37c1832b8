// Package postgres keeps users, sessions, failures and signing keys in the schema identity.
//
// It implements account.Store and signing.Store. Every method is one transaction; what the domain must decide on locked rows it is
// handed as a function, so no rule stands here. Secrets that must be read back (private keys, the successor of a token rotated a
// moment ago) are sealed on their way in.
//
// One trap to know: pgx prints a fmt.Stringer when it encodes text, and the secret types of account print stars. They are
// converted to string or bytes at each call, and the tests read them back.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

// Schema is the schema this service owns, and its name in seals.
const Schema = "identity"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of the kit and then our own.
func Migrations() []pg.Migrations {
	own, err := fs.Sub(migrations, "migrations")
	if err != nil { // only for a malformed path
		own = migrations
	}
	return []pg.Migrations{pg.KitMigrations, {Name: Schema, FS: own}}
}

// Store is the schema identity.
type Store struct {
	pool   *pgxpool.Pool
	sealer *seal.Sealer
	audit  *audit.Log
	once   *idempotency.Keys
}

var (
	_ account.Store = (*Store)(nil)
	_ signing.Store = (*Store)(nil)
)

// NewStore makes a store on a pool whose database is, or will be, migrated.
func NewStore(pool *pgxpool.Pool, sealer *seal.Sealer) *Store {
	return &Store{pool: pool, sealer: sealer, audit: audit.NewLog(Schema), once: idempotency.NewKeys(Schema)}
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// userColumns are scanned into account.User by name.
const userColumns = `
	u.user_id::text AS id, u.email, u.name, u.role, u.must_change_password, u.password_changed_at, u.disabled_at,
	u.last_login_at, u.version, u.created_at, u.updated_at`

// oneUser runs a query that answers at most one row of userColumns; ErrUserNotFound for none.
func oneUser(ctx context.Context, q querier, sql string, args ...any) (account.User, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return account.User{}, err
	}
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[account.User])
	if errors.Is(err, pgx.ErrNoRows) {
		return account.User{}, account.ErrUserNotFound
	}
	return u, err
}

const userByID = `SELECT ` + userColumns + ` FROM identity.user_account u WHERE u.user_id = $1`

// User answers one user.
func (s *Store) User(ctx context.Context, id string) (account.User, error) {
	u, err := oneUser(ctx, s.pool, userByID, id)
	return u, named("read a user", err)
}

const listUsers = `
	SELECT ` + userColumns + `
	FROM identity.user_account u
	WHERE (pg_catalog.cardinality($1::text[]) = 0 OR u.role = ANY ($1))
	  AND ($2::boolean IS NULL OR (u.disabled_at IS NOT NULL) = $2)
	  AND ($3 = '' OR (lower(u.name), u.user_id) > (
	        SELECT lower(last.name), last.user_id FROM identity.user_account last WHERE last.user_id = NULLIF($3, '')::uuid))
	ORDER BY lower(u.name), u.user_id
	LIMIT $4`

// Users answers a page of users by name, then id.
func (s *Store) Users(ctx context.Context, f account.Filter) ([]account.User, error) {
	roles := make([]string, 0, len(f.Roles))
	for _, r := range f.Roles {
		roles = append(roles, string(r))
	}
	rows, err := s.pool.Query(ctx, listUsers, roles, f.Disabled, f.After, f.Limit)
	if err != nil {
		return nil, named("list users", err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowToStructByName[account.User])
	return users, named("list users", err)
}

// credential is a user with what its password is compared with.
type credential struct {
	account.User

	PasswordHash account.PasswordHash
}

func (s *Store) credential(ctx context.Context, where, arg string) (account.User, account.PasswordHash, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+userColumns+`, u.password_hash FROM identity.user_account u WHERE `+where, arg)
	if err != nil {
		return account.User{}, "", named("read a credential", err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[credential])
	if errors.Is(err, pgx.ErrNoRows) {
		return account.User{}, "", account.ErrUserNotFound
	}
	return c.User, c.PasswordHash, named("read a credential", err)
}

// Credentials finds a user by e-mail.
func (s *Store) Credentials(ctx context.Context, e account.Email) (account.User, account.PasswordHash, error) {
	return s.credential(ctx, "u.email = $1", string(e))
}

// CredentialsOf finds a user by id.
func (s *Store) CredentialsOf(ctx context.Context, id string) (account.User, account.PasswordHash, error) {
	return s.credential(ctx, "u.user_id = $1", id)
}

// named says what was being done when err happened; the domain's own errors stay themselves through errors.Is.
func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// AuditEvents answers a page of the audit trail and the position of the next, 0 when there is none.
func (s *Store) AuditEvents(ctx context.Context, f audit.Filter) ([]audit.Event, int64, error) {
	return s.audit.List(ctx, s.pool, f)
}
