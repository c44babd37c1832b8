package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
)

// Quota counts requests per token. It implements pass.Quota, for stores, and
// quota.Counter, for tokens that no store has yet.
type Quota struct {
	db *DB
	// now replaces PostgreSQL's clock in tests.
	now func() time.Time
}

// Quota of the schema. now is nil but in tests: the windows of all replicas are
// counted by the clock of PostgreSQL.
func (d *DB) Quota(now func() time.Time) *Quota { return &Quota{db: d, now: now} }

// One conditional write takes a request from all four windows or from none
// (lesson P12). The clock is read behind the row's lock: a moment from before
// the wait for it would open windows in the past. The condition and the change
// read it one after the other, so what the first calls over is over for the
// second too.
const reserve = `
	INSERT INTO ecosync.quota AS q (token_fingerprint, began, spent, background)
	SELECT t.fingerprint, array_fill(coalesce($2, clock_timestamp()), ARRAY[4]), ARRAY[1, 1, 1, 1], array_fill($3::bigint, ARRAY[4])
	  FROM (%s) AS t (fingerprint)
	ON CONFLICT (token_fingerprint) DO UPDATE
	   SET (began, spent, background) = (
	        SELECT array_agg(CASE WHEN w.over THEN w.at ELSE w.began END ORDER BY w.i),
	               array_agg(CASE WHEN w.over THEN 1 ELSE w.spent + 1 END ORDER BY w.i),
	               array_agg(CASE WHEN w.over THEN $3 ELSE w.background + $3 END ORDER BY w.i)
	          FROM (SELECT c.at, u.*, c.at >= u.began + make_interval(secs => u.seconds) AS over
	                  FROM (SELECT coalesce($2, clock_timestamp())) AS c (at),
	                       unnest(q.began, q.spent, q.background, $4::bigint[])
	                       WITH ORDINALITY AS u (began, spent, background, seconds, i)) AS w)
	 WHERE (q.blocked_until IS NULL OR q.blocked_until <= coalesce($2, clock_timestamp()))
	   AND NOT EXISTS (
	        SELECT
	          FROM (SELECT coalesce($2, clock_timestamp())) AS c (at),
	               unnest(q.began, q.spent, q.background, $4::bigint[], $5::bigint[], $6::bigint[])
	               AS u (began, spent, background, seconds, most, share)
	         WHERE c.at < u.began + make_interval(secs => u.seconds)
	           AND (u.spent >= u.most OR $3 > 0 AND u.background >= u.share))`

const block = `
	INSERT INTO ecosync.quota AS q (token_fingerprint, began, spent, background, blocked_until)
	SELECT t.fingerprint, array_fill(to_timestamp(0), ARRAY[4]), ARRAY[0, 0, 0, 0], ARRAY[0, 0, 0, 0], $2
	  FROM (%s) AS t (fingerprint)
	ON CONFLICT (token_fingerprint) DO UPDATE
	   SET blocked_until = greatest(q.blocked_until, EXCLUDED.blocked_until)`

const selectSpent = `
	SELECT coalesce($2, clock_timestamp()) AS now, q.began, q.spent, q.background, q.blocked_until
	  FROM (%s) AS t (fingerprint)
	  JOIN ecosync.quota q ON q.token_fingerprint = t.fingerprint`

// key says how a caller names the token: $1 of the statements above.
type key string

const (
	ofStore key = `SELECT s.token_fingerprint FROM ecosync.store s WHERE s.id = $1`
	ofToken key = `SELECT $1::bytea`
)

func (k key) in(sql string) string { return fmt.Sprintf(sql, string(k)) }

// Reserve implements pass.Quota.
func (q *Quota) Reserve(ctx context.Context, storeID string, share quota.Share) (wait time.Time, err error) {
	return q.reserve(ctx, ofStore, storeID, share)
}

// ReserveToken implements quota.Counter.
func (q *Quota) ReserveToken(ctx context.Context, fingerprint []byte, share quota.Share) (wait time.Time, err error) {
	return q.reserve(ctx, ofToken, fingerprint, share)
}

func (q *Quota) reserve(ctx context.Context, by key, id any, share quota.Share) (wait time.Time, err error) {
	var background int64
	if share == quota.Background {
		background = 1
	}
	// A refusal is explained by a second statement. When the window has begun
	// anew between the two there is nothing to explain, and we ask again.
	for range 3 {
		tag, err := q.db.pool.Exec(ctx, by.in(reserve), id, q.clock(), background,
			seconds(), limits(quota.Live), limits(quota.Background))
		if err != nil {
			return time.Time{}, fmt.Errorf("reserve a request: %w", err)
		}
		if tag.RowsAffected() == 1 {
			return time.Time{}, nil
		}
		spent, now, err := q.spent(ctx, by, id)
		if err != nil {
			return time.Time{}, err
		}
		if wait = spent.Wait(now, share); !wait.IsZero() {
			return wait, nil
		}
		// A row that is there and has room: the window is over by now. One that is
		// not there: so is the store.
		if now.IsZero() {
			return time.Time{}, pass.ErrGone
		}
		wait = now.Add(quota.Length(0))
	}
	return wait, nil
}

// Block implements pass.Quota.
func (q *Quota) Block(ctx context.Context, storeID string, until time.Time) error {
	return q.block(ctx, ofStore, storeID, until)
}

// BlockToken implements quota.Counter.
func (q *Quota) BlockToken(ctx context.Context, fingerprint []byte, until time.Time) error {
	return q.block(ctx, ofToken, fingerprint, until)
}

func (q *Quota) block(ctx context.Context, by key, id any, until time.Time) error {
	if _, err := q.db.pool.Exec(ctx, by.in(block), id, until); err != nil {
		return fmt.Errorf("block a token: %w", err)
	}
	return nil
}

// Spent is what was spent of a store's token, and the moment at which that was
// so. A token that was never used has spent nothing.
func (q *Quota) Spent(ctx context.Context, storeID string) (quota.State, time.Time, error) {
	return q.spent(ctx, ofStore, storeID)
}

type spentRow struct {
	Now          time.Time
	Began        []time.Time
	Spent        []int64
	Background   []int64
	BlockedUntil *time.Time
}

func (r spentRow) domain() quota.State {
	state := quota.State{BlockedUntil: value(r.BlockedUntil)}
	for i := range state.Windows {
		state.Windows[i] = quota.Window{Began: r.Began[i], Spent: r.Spent[i], Background: r.Background[i]}
	}
	return state
}

func (q *Quota) spent(ctx context.Context, by key, id any) (quota.State, time.Time, error) {
	rows, err := q.db.pool.Query(ctx, by.in(selectSpent), id, q.clock())
	if err != nil {
		return quota.State{}, time.Time{}, fmt.Errorf("read a quota: %w", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[spentRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return quota.State{}, time.Time{}, nil
	}
	if err != nil {
		return quota.State{}, time.Time{}, fmt.Errorf("read a quota: %w", err)
	}
	return r.domain(), r.Now, nil
}

const selectLeft = `
	SELECT s.id::text AS store_id, coalesce($2, clock_timestamp()) AS now, q.began, q.spent, q.background, q.blocked_until
	  FROM ecosync.store s
	  JOIN ecosync.quota q ON q.token_fingerprint = s.token_fingerprint
	 WHERE s.id = ANY ($1::uuid[])`

// Left is what each store's token can still spend in its tightest window.
func (q *Quota) Left(ctx context.Context, storeIDs []string) (map[string]int64, error) {
	type row struct {
		StoreID string
		spentRow
	}
	rows, err := q.db.pool.Query(ctx, selectLeft, storeIDs, q.clock())
	if err != nil {
		return nil, fmt.Errorf("read quotas: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	if err != nil {
		return nil, fmt.Errorf("read quotas: %w", err)
	}
	left := make(map[string]int64, len(storeIDs))
	for _, id := range storeIDs { // a token that was never used has everything left
		left[id] = quota.State{}.Left(time.Unix(0, 0))
	}
	for _, r := range found {
		left[r.StoreID] = r.domain().Left(r.Now)
	}
	return left, nil
}

func (q *Quota) clock() *time.Time {
	if q.now == nil {
		return nil
	}
	now := q.now()
	return &now
}

func seconds() []int64 {
	all := make([]int64, quota.Windows)
	for i := range all {
		all[i] = int64(quota.Length(i) / time.Second)
	}
	return all
}

func limits(s quota.Share) []int64 {
	all := make([]int64, quota.Windows)
	for i := range all {
		all[i] = quota.Limit(i, s)
	}
	return all
}
