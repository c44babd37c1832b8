package pg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
)

func twoRows(ctx context.Context, pool *pgxpool.Pool) error {
	_, err := pool.Exec(ctx, `
		CREATE SCHEMA example;
		CREATE TABLE example.counter (id int CONSTRAINT counter_pkey PRIMARY KEY, n int NOT NULL CONSTRAINT counter_n_check CHECK (n >= 0));
		INSERT INTO example.counter VALUES (1, 0), (2, 0)`)
	return err
}

// Two streams that lock the same rows in opposite orders deadlock for certain; the
// victim must come through without its caller noticing.
func TestADeadlockIsRetriedUntilBothAreThrough(t *testing.T) {
	pool := pgtest.New(t, twoRows)
	const add = "UPDATE example.counter SET n = n + 1 WHERE id = $1"
	var all, met sync.WaitGroup
	met.Add(2)
	tries := make(chan struct{}, 100)
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		all.Go(func() {
			first := true
			err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				tries <- struct{}{}
				if _, err := tx.Exec(t.Context(), add, order[0]); err != nil {
					return err
				}
				if first { // both hold their first row before either wants its second
					first = false
					met.Done()
					met.Wait()
				}
				_, err := tx.Exec(t.Context(), add, order[1])
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var sum int
	if err := pool.QueryRow(t.Context(), "SELECT sum(n) FROM example.counter").Scan(&sum); err != nil || sum != 4 {
		t.Errorf("the rows sum to %d, %v; want 4: each transaction once", sum, err)
	}
	if len(tries) < 3 {
		t.Errorf("%d tries: nobody was a victim, so nothing was proved", len(tries))
	}
}

func TestOnlyALostRaceIsRetriedAndNotForEver(t *testing.T) {
	pool := pgtest.New(t, twoRows)
	for name, c := range map[string]struct {
		err   error
		tries int
	}{
		"a serialization failure": {&pgconn.PgError{Code: "40001"}, 6},
		"a wrapped deadlock":      {fmt.Errorf("ingest: %w", &pgconn.PgError{Code: "40P01"}), 6},
		"a violated constraint":   {&pgconn.PgError{Code: "23505"}, 1},
		"an error of ours":        {errors.New("no such order"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			err := pg.InTx(t.Context(), pool, func(pgx.Tx) error { tries++; return c.err })
			if !errors.Is(err, c.err) || tries != c.tries {
				t.Errorf("%d tries, then %v; want %d", tries, err, c.tries)
			}
		})
	}
}

func TestARetryEndsWithItsContext(t *testing.T) {
	pool := pgtest.New(t, twoRows)
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := pg.InTx(ctx, pool, func(pgx.Tx) error {
		tries++
		cancel()
		return &pgconn.PgError{Code: "40001"}
	})
	if !errors.Is(err, context.Canceled) || tries != 1 {
		t.Errorf("%d tries, then %v", tries, err)
	}
}

func TestAnErrorAndAPanicRollBack(t *testing.T) {
	pool := pgtest.New(t, twoRows)
	change := func(tx pgx.Tx) {
		if _, err := tx.Exec(t.Context(), "UPDATE example.counter SET n = 9"); err != nil {
			t.Error(err)
		}
	}
	_ = pg.InTx(t.Context(), pool, func(tx pgx.Tx) error { change(tx); return errors.New("no") })
	func() {
		defer func() { _ = recover() }()
		_ = pg.InTx(t.Context(), pool, func(tx pgx.Tx) error { change(tx); panic("bug") })
	}()
	var most int
	if err := pool.QueryRow(t.Context(), "SELECT max(n) FROM example.counter").Scan(&most); err != nil || most != 0 {
		t.Errorf("n is %d, %v; want 0", most, err)
	}
	if held := pool.Stat().AcquiredConns(); held != 0 {
		t.Errorf("%d connections were not given back", held)
	}
}

func TestViolationsAreKnownByTheNameOfTheConstraint(t *testing.T) {
	pool := pgtest.New(t, twoRows)
	_, duplicate := pool.Exec(t.Context(), "INSERT INTO example.counter VALUES (1, 0)")
	_, negative := pool.Exec(t.Context(), "INSERT INTO example.counter VALUES (3, -1)")
	for _, c := range []struct {
		err        error
		constraint string
		want       bool
	}{
		{duplicate, "counter_pkey", true},
		{duplicate, "counter_n_check", false},
		{duplicate, "", true},
		{negative, "counter_n_check", true},
		{fmt.Errorf("wrapped: %w", negative), "counter_n_check", true},
		{errors.New("counter_pkey"), "counter_pkey", false},
		{nil, "", false},
	} {
		if got := pg.Violates(c.err, c.constraint); got != c.want {
			t.Errorf("Violates(%v, %q) is %v", c.err, c.constraint, got)
		}
	}
}

func TestUnavailableIsWhatTryingAgainMayCure(t *testing.T) {
	pool := pgtest.New(t, twoRows)
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-short.Done()
	_, late := pool.Exec(short, "SELECT 1")
	_, slow := pool.Exec(t.Context(), "SET statement_timeout = 20; SELECT pg_catalog.pg_sleep(5)")
	_, missing := pool.Exec(t.Context(), "SELECT n FROM example.nothing")
	_, ended := pool.Exec(t.Context(), "SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())")
	nobody, err := pg.Open(t.Context(), pg.Options{URL: "postgres://u@127.0.0.1:1/shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	refused := nobody.Ping(t.Context())
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"a deadline":                {late, true},
		"a statement timeout":       {slow, true},
		"a backend that was ended":  {ended, true},
		"a refused connection":      {refused, true},
		"too many connections":      {&pgconn.PgError{Code: "53300"}, true},
		"a server shutting down":    {&pgconn.PgError{Code: "57P01"}, true},
		"a server starting up":      {&pgconn.PgError{Code: "57P03"}, true},
		"a read-only standby":       {&pgconn.PgError{Code: "25006"}, true},
		"a connection cut":          {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true},
		"a missing table":           {missing, false},
		"a violated constraint":     {&pgconn.PgError{Code: "23505"}, false},
		"a caller who went away":    {context.Canceled, false},
		"no rows":                   {pgx.ErrNoRows, false},
		"nothing":                   {nil, false},
		"a database that is gone":   {&pgconn.PgError{Code: "57P04"}, false},
		"an error of another place": {errors.New("refused"), false},
	} {
		if got := pg.Unavailable(c.err); got != c.want {
			t.Errorf("%s (%v): %v; want %v", name, c.err, got, c.want)
		}
	}
}
