package pg_test

import (
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// set is a set of migrations from names and texts in pairs.
func set(files ...string) pg.Migrations {
	dir := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		dir["migrations/"+files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return pg.Migrations{Name: "notes", FS: dir}
}

const (
	noteTable = "-- What: notes.\nCREATE TABLE {{schema}}.note (n int);"
	noteIndex = "-- no transaction\n-- What: an index made while others write.\nCREATE INDEX CONCURRENTLY IF NOT EXISTS note_n_idx ON {{schema}}.note (n);\n"
)

func empty(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return pgtest.New(t, nil)
}

func applied(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT set || '/' || version || ' ' || name FROM example.schema_migration ORDER BY applied_at, version`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestWhatIsMissingRunsOnceInTheOrderOfSetsAndVersions(t *testing.T) {
	pool := empty(t)
	notes := set("0002_note_index.sql", noteIndex, "0001_note.sql", noteTable)
	for range 2 {
		if err := pg.Migrate(t.Context(), pool, "example", pg.KitMigrations, notes); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"kit/1 plumbing", "notes/1 note", "notes/2 note_index"}, applied(t, pool)); diff != "" {
		t.Error(diff)
	}
}

func TestManyProcessesMigratingAtOnceAgree(t *testing.T) {
	pool := empty(t)
	notes := set("0001_note.sql", noteTable+"\nSELECT pg_catalog.pg_sleep(0.3);", "0002_note_index.sql", noteIndex)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if err := pg.Migrate(t.Context(), pool, "example", pg.KitMigrations, notes); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(applied(t, pool)); n != 3 {
		t.Errorf("%d migrations are recorded; want 3", n)
	}
}

func TestAMigrationThatFailsLeavesNothingAndTheOnesBeforeIt(t *testing.T) {
	pool := empty(t)
	err := pg.Migrate(t.Context(), pool, "example", set("0001_note.sql", noteTable, "0002_broken.sql", "CREATE TABLE {{schema}}.half (n int); SELECT 1/0;"))
	if err == nil || !strings.Contains(err.Error(), "notes/migrations/0002_broken.sql") {
		t.Errorf("answered %v; want the file named", err)
	}
	if diff := cmp.Diff([]string{"notes/1 note"}, applied(t, pool)); diff != "" {
		t.Error(diff)
	}
	if _, err := pool.Exec(t.Context(), "SELECT n FROM example.half"); err == nil {
		t.Error("half of a failed migration stayed")
	}
}

func TestATextThatChangedAfterItRanIsRefused(t *testing.T) {
	pool := empty(t)
	if err := pg.Migrate(t.Context(), pool, "example", set("0001_note.sql", noteTable)); err != nil {
		t.Fatal(err)
	}
	err := pg.Migrate(t.Context(), pool, "example", set("0001_note.sql", noteTable+" -- changed"))
	if err == nil || !strings.Contains(err.Error(), "was changed after it ran") {
		t.Errorf("answered %v", err)
	}
}

func TestOldCodeToleratesWhatANewerReleaseMigrated(t *testing.T) {
	pool := empty(t)
	if err := pg.Migrate(t.Context(), pool, "example", set("0001_note.sql", noteTable, "0002_note_index.sql", noteIndex)); err != nil {
		t.Fatal(err)
	}
	if err := pg.Migrate(t.Context(), pool, "example", set("0001_note.sql", noteTable)); err != nil {
		t.Error(err)
	}
}

func TestFilesThatWouldBeMissedAreRefused(t *testing.T) {
	pool := empty(t)
	for name, c := range map[string]struct {
		set  pg.Migrations
		want string
	}{
		"a name without number": {set("note.sql", noteTable), "must look like 0001_what_it_does.sql"},
		"two with one number":   {set("0001_a.sql", noteTable, "0001_b.sql", noteTable), "have one number"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := pg.Migrate(t.Context(), pool, "example", c.set); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("answered %v; want %q", err, c.want)
			}
		})
	}
}

func TestASchemaWithAnAwkwardNameIsQuoted(t *testing.T) {
	pool := empty(t)
	if err := pg.Migrate(t.Context(), pool, `o"dd name`, pg.KitMigrations); err != nil {
		t.Error(err)
	}
}

func TestARoleThatOwnsItsSchemaNeedsNoRightsOnTheDatabase(t *testing.T) {
	pool := empty(t)
	for _, statement := range []string{
		"DROP ROLE IF EXISTS plain_service", "CREATE ROLE plain_service LOGIN", "CREATE SCHEMA example AUTHORIZATION plain_service",
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	cfg := pool.Config().Copy()
	cfg.ConnConfig.User = "plain_service"
	plain, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := pg.Migrate(t.Context(), plain, "example", pg.KitMigrations); err != nil {
		t.Error(err)
	}
}

func TestEveryKitMigrationSaysWhatWhyAndWhetherItIsSafe(t *testing.T) {
	err := fs.WalkDir(pg.KitMigrations.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(pg.KitMigrations.FS, path)
		for _, want := range []string{"-- What:", "-- Why:", "-- Safe while old code runs:"} {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
