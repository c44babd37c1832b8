package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// The claim of a store: one conditional update, by PostgreSQL's clock only. Of
// two passes that begin at once the second waits for the row and then finds it
// held. An inactive or paused store is not claimed either: it may have been
// stopped since the caller read it.
const beginPass = `
	UPDATE ecosync.sync_position p
	   SET term = p.term + 1, held_until = now() + $2::interval, resume_at = NULL
	  FROM ecosync.store s
	 WHERE p.store_id = $1 AND s.id = p.store_id AND s.active AND s.paused_at IS NULL
	   AND (p.held_until IS NULL OR p.held_until <= now())
	RETURNING p.term, p.head_at, p.head_id, p.head_settled, p.floor_at, p.gaps, p.mode, p.scan, p.scanned_at`

const abandonPass = `
	UPDATE ecosync.pass
	   SET ended_at = now(), result = 'ABANDONED', message = 'the process that made this pass ended in the middle'
	 WHERE store_id = $1 AND kind = 'LIVE' AND ended_at IS NULL`

const insertPass = `
	INSERT INTO ecosync.pass (store_id, term) VALUES ($1, $2) RETURNING id, started_at`

// Begin implements pass.Journal.
func (d *DB) Begin(ctx context.Context, storeID string, lease time.Duration) (ticket pass.Ticket, err error) {
	type row struct {
		Term        int64
		HeadAt      *time.Time
		HeadID      *int64
		HeadSettled bool
		FloorAt     *time.Time
		Gaps        []gapRow
		Mode        string
		Scan        *pass.Scan
		ScannedAt   *time.Time
	}
	err = pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, beginPass, storeID, lease)
		if err != nil {
			return fmt.Errorf("begin a pass: %w", err)
		}
		p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[row])
		if errors.Is(err, pgx.ErrNoRows) {
			return whyNot(ctx, tx, storeID)
		}
		if err != nil {
			return fmt.Errorf("begin a pass: %w", err)
		}
		if _, err := tx.Exec(ctx, abandonPass, storeID); err != nil {
			return fmt.Errorf("abandon a dead pass: %w", err)
		}
		ticket = pass.Ticket{StoreID: storeID, Term: p.Term, Position: pass.Position{
			Settled: p.HeadSettled, Floor: value(p.FloorAt), Gaps: fromGaps(p.Gaps), Mode: pass.Mode(p.Mode), Scan: p.Scan, ScannedAt: value(p.ScannedAt),
		}}
		if p.HeadAt != nil {
			ticket.Position.Head = &shop.Key{At: *p.HeadAt, ID: *p.HeadID}
		}
		if err := tx.QueryRow(ctx, insertPass, storeID, p.Term).Scan(&ticket.PassID, &ticket.StartedAt); err != nil {
			return fmt.Errorf("record a pass: %w", err)
		}
		if ticket.Store, err = findStore(ctx, tx, storeID); err != nil {
			return err
		}
		ticket.States, err = findStateMap(ctx, tx, storeID)
		return err
	})
	return ticket, err
}

func whyNot(ctx context.Context, tx pgx.Tx, storeID string) error {
	s, err := findStore(ctx, tx, storeID)
	switch {
	case err != nil:
		return pass.ErrGone
	case s.Active && s.PausedAt.IsZero():
		return pass.ErrAlreadyRunning
	}
	return pass.ErrPaused
}

const renewPass = `
	UPDATE ecosync.sync_position p
	   SET held_until = now() + $3::interval
	  FROM ecosync.store s
	 WHERE p.store_id = $1 AND p.term = $2 AND s.id = p.store_id
	RETURNING s.active AND s.paused_at IS NULL`

// Renew implements pass.Journal.
func (d *DB) Renew(ctx context.Context, t pass.Ticket, lease time.Duration) error {
	var wanted bool
	err := d.pool.QueryRow(ctx, renewPass, t.StoreID, t.Term, lease).Scan(&wanted)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return pass.ErrTermLost
	case err != nil:
		return fmt.Errorf("renew a pass: %w", err)
	case !wanted:
		return pass.ErrPaused
	}
	return nil
}

// The term is checked by the row lock that the transaction begins with: who has
// lost it writes nothing at all.
const lockTerm = `
	SELECT FROM ecosync.sync_position WHERE store_id = $1 AND term = $2 FOR UPDATE`

const checkpointPass = `
	UPDATE ecosync.pass
	   SET requests = $2, pages = $3, rows = $4, created = $5, updated = $6, unchanged = $7, stale = $8,
	       deleted = $9, quarantined = $10, became_ready = $11, outside = $12, unknown_states = $13,
	       gaps = $14, upstream_deleted = $15
	 WHERE id = $1`

// An equal raw is not written again: a bad row of a quarter of a megabyte that is met
// in every pass would cost its size in every pass.
const quarantineRows = `
	INSERT INTO ecosync.quarantine AS q (store_id, pass_id, subject, upstream_id, reference, reason, field, detail, raw)
	SELECT $1, $2, r.subject, nullif(r.upstream_id, 0), r.reference, r.reason, r.field, r.detail, r.raw
	  FROM unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[])
	       AS r (subject, upstream_id, reference, reason, field, detail, raw)
	ON CONFLICT (store_id, subject) WHERE resolved_at IS NULL DO UPDATE
	   SET pass_id = EXCLUDED.pass_id, reference = EXCLUDED.reference, reason = EXCLUDED.reason, field = EXCLUDED.field,
	       detail = EXCLUDED.detail,
	       raw = CASE WHEN q.raw = EXCLUDED.raw THEN q.raw ELSE EXCLUDED.raw END, times = q.times + 1, last_seen_at = now()`

const resolveRows = `
	UPDATE ecosync.quarantine
	   SET resolved_at = now()
	 WHERE store_id = $1 AND subject = ANY ($2) AND resolved_at IS NULL`

// A shop that writes free text into its states must not fill the table: above a
// thousand, only those already met are counted on.
const countUnknown = `
	INSERT INTO ecosync.unknown_state AS u (store_id, state, rows)
	SELECT $1, r.state, r.rows FROM unnest($2::text[], $3::bigint[]) AS r (state, rows)
	 WHERE (SELECT count(*) FROM ecosync.unknown_state k WHERE k.store_id = $1) < 1000
	    OR EXISTS (SELECT FROM ecosync.unknown_state k WHERE k.store_id = $1 AND k.state = r.state)
	ON CONFLICT (store_id, state) DO UPDATE SET rows = u.rows + EXCLUDED.rows, last_seen_at = now()`

const learnPrefixes = `
	UPDATE ecosync.store
	   SET reference_prefixes = reference_prefixes || $2
	 WHERE id = $1 AND NOT reference_prefixes @> $2 AND cardinality(reference_prefixes) < 20`

// Checkpoint implements pass.Journal.
func (d *DB) Checkpoint(ctx context.Context, t pass.Ticket, c pass.Checkpoint) error {
	return pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		if err := hold(ctx, tx, t); err != nil {
			return err
		}
		n := c.Counts
		if _, err := tx.Exec(ctx, checkpointPass, t.PassID,
			n.Requests, n.Pages, n.Rows, n.Created, n.Updated, n.Unchanged, n.Stale,
			n.Deleted, n.Quarantined, n.BecameReady, n.Outside, n.UnknownStates, n.Gaps, n.UpstreamDeleted); err != nil {
			return fmt.Errorf("checkpoint a pass: %w", err)
		}
		if err := move(ctx, tx, t, c.Position); err != nil {
			return err
		}
		if err := quarantine(ctx, tx, t, c.Quarantine); err != nil {
			return err
		}
		if len(c.Settled) > 0 {
			subjects := make([]string, len(c.Settled))
			for i, id := range c.Settled {
				subjects[i] = orderSubject(id)
			}
			if _, err := tx.Exec(ctx, resolveRows, t.StoreID, subjects); err != nil {
				return fmt.Errorf("resolve quarantine: %w", err)
			}
		}
		if len(c.Unknown) > 0 {
			states := slices.Sorted(maps.Keys(c.Unknown))
			rows := make([]int64, len(states))
			for i, s := range states {
				rows[i] = c.Unknown[s]
			}
			if _, err := tx.Exec(ctx, countUnknown, t.StoreID, states, rows); err != nil {
				return fmt.Errorf("count unknown states: %w", err)
			}
		}
		if len(c.Prefixes) > 0 {
			if _, err := tx.Exec(ctx, learnPrefixes, t.StoreID, c.Prefixes); err != nil {
				return fmt.Errorf("learn reference prefixes: %w", err)
			}
		}
		return nil
	})
}

func hold(ctx context.Context, tx pgx.Tx, t pass.Ticket) error {
	tag, err := tx.Exec(ctx, lockTerm, t.StoreID, t.Term)
	if err != nil {
		return fmt.Errorf("hold a term: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return pass.ErrTermLost
	}
	return nil
}

func orderSubject(id int64) string { return fmt.Sprintf("order:%d", id) }

// quarantine writes the rows in one statement. A row that occurs twice in it is
// written once: ON CONFLICT cannot meet the same row a second time.
func quarantine(ctx context.Context, tx pgx.Tx, t pass.Ticket, rows []pass.Quarantined) error {
	bySubject := map[string]pass.Quarantined{}
	for _, r := range rows {
		subject := orderSubject(r.Problem.ID)
		if r.Problem.ID == 0 {
			sum := sha256.Sum256(r.Raw)
			subject = "sha256:" + hex.EncodeToString(sum[:])
		}
		bySubject[subject] = r
	}
	if len(bySubject) == 0 {
		return nil
	}
	subjects := slices.Sorted(maps.Keys(bySubject))
	ids, raws := make([]int64, len(subjects)), make([][]byte, len(subjects))
	references, reasons := make([]string, len(subjects)), make([]string, len(subjects))
	fields, details := make([]string, len(subjects)), make([]string, len(subjects))
	for i, s := range subjects {
		r := bySubject[s]
		ids[i], references[i], raws[i] = r.Problem.ID, r.Problem.Reference, r.Raw
		reasons[i], fields[i], details[i] = string(r.Problem.Reason), r.Problem.Field, r.Problem.Detail
	}
	if _, err := tx.Exec(ctx, quarantineRows, t.StoreID, t.PassID, subjects, ids, references, reasons, fields, details, raws); err != nil {
		return fmt.Errorf("quarantine rows: %w", err)
	}
	return nil
}

const finishPass = `
	UPDATE ecosync.pass
	   SET ended_at = now(), result = $2, failure = $3, message = $4, resume_at = $5,
	       requests = $6, pages = $7, rows = $8, created = $9, updated = $10, unchanged = $11, stale = $12,
	       deleted = $13, quarantined = $14, became_ready = $15, outside = $16, unknown_states = $17,
	       gaps = $18, upstream_deleted = $19
	 WHERE id = $1 AND ended_at IS NULL`

const movePosition = `
	UPDATE ecosync.sync_position
	   SET head_at = $3, head_id = $4, head_settled = $5, floor_at = $6, gaps = $7, mode = $8,
	       scan = $9, scanned_at = $10
	 WHERE store_id = $1 AND term = $2`

// move writes what is known. It is part of each checkpoint, so that whoever
// takes over a dead pass goes on where that one was (lessons P2, P9).
func move(ctx context.Context, tx pgx.Tx, t pass.Ticket, p pass.Position) error {
	var headAt *time.Time
	var headID *int64
	if p.Head != nil {
		headAt, headID = &p.Head.At, &p.Head.ID
	}
	if _, err := tx.Exec(ctx, movePosition, t.StoreID, t.Term, headAt, headID, p.Settled, orNull(p.Floor), toGaps(p.Gaps), string(p.Mode), p.Scan, orNull(p.ScannedAt)); err != nil {
		return fmt.Errorf("move a position: %w", err)
	}
	return nil
}

// gapRow is a gap as it stands in sync_position.gaps.
type gapRow struct {
	LastAt   time.Time `json:"last_at"`
	LastID   int64     `json:"last_id"`
	Cursor   string    `json:"cursor"`
	FloorAt  time.Time `json:"floor_at"`
	FloorID  int64     `json:"floor_id"`
	Settled  bool      `json:"settled"`
	Failures int       `json:"failures"`
	Failure  string    `json:"failure"`
	Since    time.Time `json:"since"`
}

func toGaps(gaps []pass.Gap) []gapRow {
	rows := make([]gapRow, len(gaps))
	for i, g := range gaps {
		rows[i] = gapRow{
			g.Last.At.UTC(), g.Last.ID, g.Cursor, g.Floor.At.UTC(), g.Floor.ID, g.Settled, g.Failures, string(g.Failure), g.Since.UTC(),
		}
	}
	return rows
}

func fromGaps(rows []gapRow) []pass.Gap {
	var gaps []pass.Gap
	for _, g := range rows {
		gaps = append(gaps, pass.Gap{
			Last: shop.Key{At: g.LastAt, ID: g.LastID}, Cursor: g.Cursor, Floor: shop.Key{At: g.FloorAt, ID: g.FloorID},
			Settled: g.Settled, Failures: g.Failures, Failure: shop.Failure(g.Failure), Since: g.Since,
		})
	}
	return gaps
}

const releaseTerm = `
	UPDATE ecosync.sync_position
	   SET held_until = NULL, resume_at = $3, last_success_at = CASE WHEN $4 THEN now() ELSE last_success_at END
	 WHERE store_id = $1 AND term = $2`

// A token that a person has replaced while the pass ran is not punished for the
// old one.
const pauseForPass = `
	UPDATE ecosync.store
	   SET paused_at = now(), pause_reason = $3, version = version + 1, updated_at = now()
	 WHERE id = $1 AND token_version = $2 AND paused_at IS NULL`

// Finish implements pass.Journal.
func (d *DB) Finish(ctx context.Context, t pass.Ticket, e pass.Ending) error {
	return pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		if err := hold(ctx, tx, t); err != nil {
			return err
		}
		n := e.Counts
		if _, err := tx.Exec(ctx, finishPass, t.PassID, string(e.Result), string(e.Failure), e.Message, orNull(e.ResumeAt),
			n.Requests, n.Pages, n.Rows, n.Created, n.Updated, n.Unchanged, n.Stale,
			n.Deleted, n.Quarantined, n.BecameReady, n.Outside, n.UnknownStates, n.Gaps, n.UpstreamDeleted); err != nil {
			return fmt.Errorf("finish a pass: %w", err)
		}
		if err := move(ctx, tx, t, e.Position); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, releaseTerm, t.StoreID, t.Term, orNull(e.ResumeAt), e.Result == pass.Succeeded); err != nil {
			return fmt.Errorf("release a term: %w", err)
		}
		if e.Pause {
			if _, err := tx.Exec(ctx, pauseForPass, t.StoreID, e.TokenVersion, e.Message); err != nil {
				return fmt.Errorf("pause a store: %w", err)
			}
		}
		return nil
	})
}

const selectPass = `
	SELECT p.store_id::text AS store_id, p.id, p.started_at, p.ended_at, p.result, p.failure, p.message, p.resume_at,
	       p.requests, p.pages, p.rows, p.created, p.updated, p.unchanged, p.stale, p.deleted, p.quarantined, p.became_ready, p.outside, p.unknown_states,
	       p.gaps, p.upstream_deleted, p.kind`

const lastPasses = selectPass + `
	  FROM unnest($1::uuid[]) AS s (id)
	  JOIN LATERAL (SELECT x.id FROM ecosync.pass x WHERE x.store_id = s.id ORDER BY x.id DESC LIMIT 1) AS last ON true
	  JOIN ecosync.pass p ON p.id = last.id`

type passRow struct {
	StoreID         string
	ID              int64
	StartedAt       time.Time
	EndedAt         *time.Time
	Result          string
	Failure         string
	Message         string
	ResumeAt        *time.Time
	Requests        int64
	Pages           int64
	Rows            int64
	Created         int64
	Updated         int64
	Unchanged       int64
	Stale           int64
	Deleted         int64
	Quarantined     int64
	BecameReady     int64
	Outside         int64
	UnknownStates   int64
	Gaps            int64
	UpstreamDeleted int64
	Kind            string
}

func (r passRow) domain() pass.Pass {
	return pass.Pass{
		ID: r.ID, StoreID: r.StoreID, Kind: pass.Kind(r.Kind), StartedAt: r.StartedAt, EndedAt: value(r.EndedAt),
		Result: pass.Result(r.Result), Failure: shop.Failure(r.Failure), Message: r.Message, ResumeAt: value(r.ResumeAt),
		Counts: pass.Counts{
			Requests: r.Requests, Pages: r.Pages, Rows: r.Rows, Created: r.Created, Updated: r.Updated,
			Unchanged: r.Unchanged, Stale: r.Stale, Deleted: r.Deleted, Quarantined: r.Quarantined,
			BecameReady: r.BecameReady, Outside: r.Outside, UnknownStates: r.UnknownStates,
			Gaps: r.Gaps, UpstreamDeleted: r.UpstreamDeleted,
		},
	}
}

// LastPasses reads the last pass of each store, by store id; a store without
// one is absent.
func (d *DB) LastPasses(ctx context.Context, storeIDs []string) (map[string]pass.Pass, error) {
	rows, err := d.pool.Query(ctx, lastPasses, storeIDs)
	if err != nil {
		return nil, fmt.Errorf("read last passes: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[passRow])
	if err != nil {
		return nil, fmt.Errorf("read last passes: %w", err)
	}
	last := make(map[string]pass.Pass, len(found))
	for _, r := range found {
		last[r.StoreID] = r.domain()
	}
	return last, nil
}
