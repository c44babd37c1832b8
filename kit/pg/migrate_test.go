package pg_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func kitOnly(ctx context.Context, pool *pgxpool.Pool) error {
	return pg.Migrate(ctx, pool, "example", pg.KitMigrations)
}

func TestMigratingTwiceChangesNothing(t *testing.T) {
	pool := pgtest.New(t, kitOnly)
	if err := kitOnly(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM example.schema_migration").Scan(&n); err != nil || n != 1 {
		t.Fatalf("%d rows in schema_migration, %v; want 1", n, err)
	}
}
