// Package postgres keeps the state of ecosync in its own schema.
//
// It implements the ports of internal/store (Repository), internal/pass
// (Journal) and internal/vault (Rows), each SQL statement beside its method. It
// reads no other schema and decides nothing. Start reading at DB, then
// migrations/0001_ecosync.sql.
package postgres

import (
	"context"
	"embed"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/pg"
)

// Schema is ecosync's own.
const Schema = "ecosync"

//go:embed migrations/*.sql
var files embed.FS

// Migrations of the schema, kit's tables first.
func Migrations() []pg.Migrations {
	return []pg.Migrations{pg.KitMigrations, {Name: "ecosync", FS: fs.FS(files)}}
}

// Migrate brings a database up to date; for --migrate and for tests.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return pg.Migrate(ctx, pool, Schema, Migrations()...)
}

// DB is the schema behind its ports. It is safe for concurrent use.
type DB struct {
	pool  *pgxpool.Pool
	audit *audit.Log
	keys  *idempotency.Keys
}

// New works on a migrated pool; it sends nothing.
func New(pool *pgxpool.Pool) *DB {
	return &DB{pool: pool, audit: audit.NewLog(Schema), keys: idempotency.NewKeys(Schema)}
}

// Audit lists the schema's audit trail.
func (d *DB) Audit(ctx context.Context, f audit.Filter) (events []audit.Event, next int64, err error) {
	return d.audit.List(ctx, d.pool, f)
}
