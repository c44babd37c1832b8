package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// Beginner is a pool or a connection.
type Beginner interface {
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// A transaction that lost a race is tried this often in all. The pauses double from
// firstPause with full jitter, so that two that met once do not meet again.
const (
	attempts   = 6 // the first and five more
	firstPause = 10 * time.Millisecond
)

// InTx runs fn in one READ COMMITTED transaction: it commits when fn returns nil and
// rolls back otherwise. When PostgreSQL made it the victim of a deadlock (40P01) or a
// serialization failure (40001), fn runs again in a new transaction, up to five
// times: fn must therefore have no effect outside the transaction. A commit whose
// answer was lost is not repeated, for nobody knows whether it happened.
func InTx(ctx context.Context, pool Beginner, fn func(tx pgx.Tx) error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := once(ctx, pool, fn)
		if err == nil || attempt == attempts || !lostRace(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(pause)) + 1)):
			pause *= 2
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

func once(ctx context.Context, pool Beginner, fn func(tx pgx.Tx) error) (err error) {
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// Also when fn panics. A rollback after a commit does nothing; its context is its
	// own because the caller's may be the reason for it.
	defer func() {
		rollback, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = tx.Rollback(rollback)
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
