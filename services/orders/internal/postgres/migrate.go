package postgres

import (
	"context"
	"embed"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/pg"
)

// Schema is the service's own; no other service reads it.
const Schema = "orders"

//go:embed migrations/*.sql
var files embed.FS

// Migrate brings the schema up to this binary's version. It may run on every replica at once.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return pg.Migrate(ctx, pool, Schema, Migrations()...)
}

// Migrations are kit's tables and then the service's own.
func Migrations() []pg.Migrations {
	return []pg.Migrations{pg.KitMigrations, {Name: Schema, FS: files}}
}
