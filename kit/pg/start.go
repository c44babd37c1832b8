package pg

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/run"
)

// Database is a pool that is being migrated or is migrated already.
type Database struct {
	*pgxpool.Pool

	migrated atomic.Bool
	lastErr  atomic.Pointer[string]
}

// Start opens the pool, hands it to the group, and migrates in the background until
// that succeeded once: a database that is down delays readiness and nothing else.
// It is the second paragraph of every app.New.
func Start(ctx context.Context, g *run.Group, o Options, sets ...Migrations) (*Database, error) {
	pool, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	g.OnStop("database", func(context.Context) error {
		pool.Close() // waits for connections in use
		return nil
	})
	db := &Database{Pool: pool}
	g.Go("migrations", func(ctx context.Context) error { return db.migrate(ctx, o, sets) })
	return db, nil
}

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// migrate retries for as long as it takes: an unreachable database comes back, and a
// failed migration may be somebody's lock. Each failure is logged with what it was.
func (d *Database) migrate(ctx context.Context, o Options, sets []Migrations) error {
	wait := firstRetry
	for {
		err := Migrate(ctx, d.Pool, o.Schema, sets...)
		if err == nil {
			d.migrated.Store(true)
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		text := err.Error()
		d.lastErr.Store(&text)
		o.log().WarnContext(ctx, "the database is not ready, trying again", "error", err, "in", wait)
		select {
		case <-time.After(wait):
			wait = min(2*wait, lastRetry)
		case <-ctx.Done():
			return nil
		}
	}
}

// Ready answers nil when the schema is migrated and the database answers now. It asks
// nothing about peers: a service whose peer is down is ready (lesson: health that lies).
func (d *Database) Ready(ctx context.Context) error {
	if !d.migrated.Load() {
		if text := d.lastErr.Load(); text != nil {
			return errors.New("the schema is not migrated yet: " + *text)
		}
		return errors.New("the schema is not migrated yet")
	}
	if err := d.answers(ctx); err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	return nil
}

// pingTimeout is how long readiness waits for a connection of the pool.
const pingTimeout = time.Second

// answers asks over the pool, and when no connection of it is free in time, over one
// of its own: a busy service must not be taken for one that lost its database, and a
// hanging database must not be taken for work.
func (d *Database) answers(ctx context.Context) error {
	quick, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := d.Ping(quick)
	if err == nil || quick.Err() == nil || ctx.Err() != nil {
		return err
	}
	own, cancelOwn := context.WithTimeout(ctx, connectTimeout-pingTimeout)
	defer cancelOwn()
	conn, err := pgx.ConnectConfig(own, d.Config().ConnConfig)
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(own), conn.Close(own))
}
