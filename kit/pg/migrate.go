package pg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	lockPoll = 200 * time.Millisecond
	// A migration that waits for a table lock holds up every query behind it; it gives
	// up early instead, and the next attempt tries again.
	migrationLockTimeout = 10 * time.Second
)

// Migrate brings a schema up to date: it makes the schema, then runs what is missing
// of each set, in the order of sets and versions. Any number of processes may call it
// at once; one works and the others wait, polling (a session that waits inside
// pg_advisory_lock holds a snapshot, and CREATE INDEX CONCURRENTLY waits for that).
//
// Each file runs in a transaction of its own together with its row in
// <schema>.schema_migration, unless it begins with "-- no transaction": then it must
// be repeatable, because a crash may come between it and its row. A file whose text
// changed after it ran is refused. Versions in the table that this binary does not
// know are left alone: a newer release was here, and old code goes on beside it.
//
// "{{schema}}" in a file stands for the quoted schema name.
func Migrate(ctx context.Context, pool *pgxpool.Pool, schema string, sets ...Migrations) error {
	var files []migration
	for _, set := range sets {
		own, err := set.load()
		if err != nil {
			return err
		}
		files = append(files, own...)
	}
	acquired, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", schema, err)
	}
	// The connection gets settings and a lock of its own, so it does not go back to
	// the pool; closing it releases both whatever happens.
	conn := acquired.Hijack()
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if err := migrate(ctx, conn, schema, files); err != nil {
		return fmt.Errorf("migrate %s: %w", schema, err)
	}
	return nil
}

func migrate(ctx context.Context, conn *pgx.Conn, schema string, files []migration) error {
	settings := fmt.Sprintf("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = %d",
		migrationLockTimeout.Milliseconds())
	if _, err := conn.Exec(ctx, settings); err != nil {
		return err
	}
	if err := lock(ctx, conn, schema); err != nil {
		return err
	}
	if err := prepare(ctx, conn, schema); err != nil {
		return err
	}
	done, err := applied(ctx, conn, schema)
	if err != nil {
		return err
	}
	for _, f := range files {
		sum, ran := done[f.id()]
		switch {
		case !ran:
			if err := f.run(ctx, conn, schema); err != nil {
				return fmt.Errorf("%s: %w", f.path, err)
			}
		case sum != f.checksum:
			return fmt.Errorf("%s was changed after it ran in this database: restore its text and put the change into a new migration", f.path)
		}
	}
	return nil
}

// lock polls for the session lock of the schema until the context ends.
func lock(ctx context.Context, conn *pgx.Conn, schema string) error {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte("libertaphonix migration of " + schema))
	key := int64(hash.Sum64()) //nolint:gosec // G115: the bits are the key, their sign means nothing
	for {
		var got bool
		if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_try_advisory_lock($1)", key).Scan(&got); err != nil || got {
			return err
		}
		select {
		case <-time.After(lockPoll + rand.N(lockPoll)):
		case <-ctx.Done():
			return fmt.Errorf("another process is migrating: %w", ctx.Err())
		}
	}
}

// prepare makes the schema and its migration table. The schema is looked for first:
// CREATE SCHEMA IF NOT EXISTS asks for the right to create one even when it is there,
// which the role of a service does not need.
func prepare(ctx context.Context, conn *pgx.Conn, schema string) error {
	const exists = `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)`
	const table = `CREATE TABLE IF NOT EXISTS {{schema}}.schema_migration (
		set        text        NOT NULL,
		version    integer     NOT NULL,
		name       text        NOT NULL,
		checksum   text        NOT NULL,
		applied_at timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT schema_migration_pkey PRIMARY KEY (set, version)
	)`
	var found bool
	if err := conn.QueryRow(ctx, exists, schema).Scan(&found); err != nil {
		return err
	}
	if !found {
		if _, err := conn.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{schema}.Sanitize()); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, inSchema(table, schema))
	return err
}

// applied is the checksum of every migration that ran, by "set/version".
func applied(ctx context.Context, conn *pgx.Conn, schema string) (map[string]string, error) {
	const query = `SELECT set, version, checksum FROM {{schema}}.schema_migration`
	rows, err := conn.Query(ctx, inSchema(query, schema))
	if err != nil {
		return nil, err
	}
	done := map[string]string{}
	var set, checksum string
	var version int
	_, err = pgx.ForEachRow(rows, []any{&set, &version, &checksum}, func() error {
		done[migrationID(set, version)] = checksum
		return nil
	})
	return done, err
}

func (f migration) run(ctx context.Context, conn *pgx.Conn, schema string) error {
	const record = `INSERT INTO {{schema}}.schema_migration (set, version, name, checksum) VALUES ($1, $2, $3, $4)`
	body, args := inSchema(f.body, schema), []any{f.set, f.version, f.name, f.checksum}
	if !f.transactional {
		for _, statement := range f.statements() { // one by one: several in one message share a transaction
			if _, err := conn.Exec(ctx, inSchema(statement, schema)); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, inSchema(record, schema), args...)
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, body); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, inSchema(record, schema), args...)
		return err
	})
}

func inSchema(sql, schema string) string {
	return strings.ReplaceAll(sql, "{{schema}}", pgx.Identifier{schema}.Sanitize())
}

func checksum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
