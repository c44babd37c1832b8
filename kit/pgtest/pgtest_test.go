package pgtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func oneTable(ctx context.Context, pool *pgxpool.Pool) error {
	_, err := pool.Exec(ctx, "CREATE SCHEMA example; CREATE TABLE example.note (n int)")
	return err
}

func count(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM example.note").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.New(t, oneTable)
			if n := count(t, pool); n != 0 {
				t.Errorf("%d rows of somebody else", n)
			}
			if _, err := pool.Exec(t.Context(), "INSERT INTO example.note VALUES (1)"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestTwoClosuresOfOneFunctionAreTwoTemplates(t *testing.T) {
	table := func(name string) pgtest.Migrate {
		return func(ctx context.Context, pool *pgxpool.Pool) error {
			_, err := pool.Exec(ctx, "CREATE TABLE public."+name+" (n int)")
			return err
		}
	}
	for _, name := range []string{"apple", "pear"} {
		pool := pgtest.New(t, table(name))
		var tables []string
		err := pool.QueryRow(t.Context(), "SELECT array_agg(relname) FROM pg_catalog.pg_class WHERE relnamespace = 'public'::regnamespace").Scan(&tables)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{name}, tables); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNamesWithoutTheirSchemaAreRefusedAndTimesAreUTC(t *testing.T) {
	pool := pgtest.New(t, oneTable)
	if _, err := pool.Exec(t.Context(), "SELECT n FROM note"); err == nil {
		t.Error("a name without its schema was found")
	}
	var now time.Time
	if err := pool.QueryRow(t.Context(), "SELECT now()").Scan(&now); err != nil || now.Location() != time.UTC {
		t.Errorf("now() is in %v, %v; want UTC", now.Location(), err)
	}
}
