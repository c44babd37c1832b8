package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/pgtest"
)

// plainRole is a pool of a role that is no superuser and may do in the database what the grants say.
func plainRole(t *testing.T, super *pgxpool.Pool, name string, grants ...string) *pgxpool.Pool {
	t.Helper()
	ctx := context.Background()
	for _, sql := range append([]string{"CREATE ROLE " + name + " LOGIN"}, grants...) {
		if _, err := super.Exec(ctx, strings.ReplaceAll(sql, "{{role}}", name)); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	cfg := super.Config()
	cfg.ConnConfig.User = name
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

const grantDatabase = `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {{role}}', current_database()); END $$`

func TestARoleThatMayCreateMigratesByItself(t *testing.T) {
	super := pgtest.New(t, nil)
	if err := Migrate(context.Background(), plainRole(t, super, "may_create", grantDatabase)); err != nil {
		t.Fatal(err)
	}
}

func TestARoleThatMayNotIsToldWhatASuperuserMustDo(t *testing.T) {
	ctx := context.Background()
	super := pgtest.New(t, nil)
	plain := plainRole(t, super, "may_not", "CREATE SCHEMA orders AUTHORIZATION {{role}}")
	err := Migrate(ctx, plain)
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || !strings.Contains(refused.Hint, "CREATE EXTENSION pg_trgm") {
		t.Fatalf("got %v", err)
	}
	// Wherever it is put, the index finds it.
	for _, sql := range []string{"CREATE SCHEMA extensions", "GRANT USAGE ON SCHEMA extensions TO may_not", "CREATE EXTENSION pg_trgm WITH SCHEMA extensions"} {
		if _, err := super.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := Migrate(ctx, plain); err != nil {
		t.Fatal(err)
	}
}
