package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// storeRow is a row of the select below. The token is not among its columns:
// what is not read cannot be shown (lesson P78).
type storeRow struct {
	ID                string
	Identifier        string
	Name              string
	BaseURL           string `db:"base_url"`
	Tenant            string
	TimeZone          string
	TokenVersion      int64
	TokenLast4        string `db:"token_last4"`
	Active            bool
	PausedAt          *time.Time
	PauseReason       string
	ReferencePrefixes []string
	StateMapVersion   int64
	LastSuccessAt     *time.Time
	Quarantined       int64
	IDOnly            bool
	Gaps              int64
	Version           int64
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

const selectStore = `
	SELECT s.id::text AS id, s.identifier, s.name, s.base_url, s.tenant, s.time_zone,
	       s.token_version, s.token_last4, s.active, s.paused_at, s.pause_reason,
	       s.reference_prefixes, s.state_map_version, p.last_success_at,
	       (SELECT count(*) FROM ecosync.quarantine q
	         WHERE q.store_id = s.id AND q.resolved_at IS NULL) AS quarantined,
	       p.mode = 'ID_ONLY' AS id_only, jsonb_array_length(p.gaps) AS gaps,
	       s.version, s.created_at, s.updated_at
	  FROM ecosync.store s
	  JOIN ecosync.sync_position p ON p.store_id = s.id`

func (r storeRow) domain() store.Store {
	return store.Store{
		ID: r.ID, Identifier: r.Identifier, Name: r.Name, BaseURL: r.BaseURL, Tenant: r.Tenant, TimeZone: r.TimeZone,
		Credential: store.Credential{Version: r.TokenVersion, LastFour: r.TokenLast4},
		Active:     r.Active, PausedAt: value(r.PausedAt), PauseReason: r.PauseReason,
		ReferencePrefixes: r.ReferencePrefixes, StateMapVersion: r.StateMapVersion,
		LastSuccessAt: value(r.LastSuccessAt), Quarantined: r.Quarantined, IDOnly: r.IDOnly, Gaps: r.Gaps,
		Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

// value reads a nullable time, whose absence is the zero time in the domain.
func value(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// orNull is its inverse.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func findStore(ctx context.Context, q querier, id string) (store.Store, error) {
	rows, err := q.Query(ctx, selectStore+` WHERE s.id = $1`, id)
	if err != nil {
		return store.Store{}, fmt.Errorf("read a store: %w", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[storeRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return store.Store{}, store.ErrNotFound
	}
	if err != nil {
		return store.Store{}, fmt.Errorf("read a store: %w", err)
	}
	return row.domain(), nil
}

// Store implements store.Repository.
func (d *DB) Store(ctx context.Context, id string) (store.Store, error) {
	return findStore(ctx, d.pool, id)
}

const listStores = selectStore + `
	 WHERE s.identifier > $1
	   AND ($4::uuid[] IS NULL OR s.id = ANY ($4))
	   AND ($2::text[] IS NULL
	        OR CASE WHEN NOT s.active THEN 'INACTIVE' WHEN s.paused_at IS NOT NULL THEN 'PAUSED' ELSE 'ACTIVE' END = ANY ($2))
	 ORDER BY s.identifier
	 LIMIT $3`

// Stores implements store.Repository.
func (d *DB) Stores(ctx context.Context, f store.Filter) ([]store.Store, error) {
	var states []string
	for _, s := range f.States {
		states = append(states, string(s))
	}
	rows, err := d.pool.Query(ctx, listStores, f.After, states, f.Limit, f.IDs)
	if err != nil {
		return nil, fmt.Errorf("list stores: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[storeRow])
	if err != nil {
		return nil, fmt.Errorf("list stores: %w", err)
	}
	stores := make([]store.Store, len(found))
	for i, r := range found {
		stores[i] = r.domain()
	}
	return stores, nil
}

const insertStore = `
	INSERT INTO ecosync.store (id, identifier, name, base_url, tenant, time_zone,
	       token_sealed, token_version, token_last4, token_fingerprint, active, reference_prefixes, state_map_version)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)`

// Insert implements store.Repository.
func (d *DB) Insert(ctx context.Context, s store.Store, token store.Sealed, states []statemap.Entry, r store.Request) (saved store.Store, err error) {
	entries, err := json.Marshal(states)
	if err != nil {
		return store.Store{}, fmt.Errorf("write a state map: %w", err)
	}
	claim := idempotency.Claim{Actor: auth.From(ctx).Person().Subject, Method: r.Action, Key: r.ID, RequestHash: r.Hash}
	err = pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		if r.ID != "" {
			made, err := d.keys.Claim(ctx, tx, claim)
			if err != nil {
				return err
			}
			if made != "" {
				saved, err = findStore(ctx, tx, made)
				return err
			}
		}
		if _, err := tx.Exec(ctx, insertStore, s.ID, s.Identifier, s.Name, s.BaseURL, s.Tenant, s.TimeZone,
			token.Ciphertext, token.Version, token.LastFour, token.Fingerprint, s.Active, nonNil(s.ReferencePrefixes)); err != nil {
			return refused(err, "insert a store")
		}
		if _, err := tx.Exec(ctx, `INSERT INTO ecosync.state_map (store_id, version, entries) VALUES ($1, 1, $2)`, s.ID, entries); err != nil {
			return fmt.Errorf("insert a state map: %w", err)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO ecosync.sync_position (store_id) VALUES ($1)`, s.ID); err != nil {
			return fmt.Errorf("insert a position: %w", err)
		}
		if saved, err = findStore(ctx, tx, s.ID); err != nil {
			return err
		}
		if err := d.record(ctx, tx, r, s.ID, nil, settings(saved)); err != nil {
			return err
		}
		if r.ID != "" {
			return d.keys.Settle(ctx, tx, claim, s.ID)
		}
		return nil
	})
	return saved, err
}

// errLookedUp ends the transaction of a look, which must leave no claim behind.
var errLookedUp = errors.New("looked up")

// Created implements store.Repository. It claims the id as Insert does and takes
// the claim back, so that both read an id in one way.
func (d *DB) Created(ctx context.Context, r store.Request) (store.Store, error) {
	var made string
	claim := idempotency.Claim{Actor: auth.From(ctx).Person().Subject, Method: r.Action, Key: r.ID, RequestHash: r.Hash}
	err := pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		var err error
		if made, err = d.keys.Claim(ctx, tx, claim); err != nil {
			return err
		}
		return errLookedUp
	})
	switch {
	case !errors.Is(err, errLookedUp):
		return store.Store{}, err
	case made == "":
		return store.Store{}, store.ErrNotFound
	}
	return d.Store(ctx, made)
}

// Term implements store.Repository.
func (d *DB) Term(ctx context.Context, id string) (term int64, err error) {
	err = d.pool.QueryRow(ctx, `SELECT p.term FROM ecosync.sync_position p WHERE p.store_id = $1`, id).Scan(&term)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, store.ErrNotFound
	}
	if err != nil {
		return 0, fmt.Errorf("read a term: %w", err)
	}
	return term, nil
}

// nonNil makes an empty array of no slice: the column has no null.
func nonNil(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}

// refused turns the two rules that the database keeps into the domain's words.
func refused(err error, doing string) error {
	switch {
	case pg.Violates(err, "store_identifier_key"):
		return store.ErrIdentifierTaken
	case pg.Violates(err, "store_token_fingerprint_key"):
		return store.ErrTokenInUse
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// The version guards against two administrators at once: the second is told.
// A pause for a refused token ends with a new token only through Resume, so that
// somebody has looked.
const updateStore = `
	UPDATE ecosync.store
	   SET name = $3, base_url = $4, tenant = $5, time_zone = $6, active = $7,
	       version = version + 1, updated_at = now()
	 WHERE id = $1 AND version = $2`

const updateToken = `
	UPDATE ecosync.store
	   SET token_sealed = $3, token_version = $2, token_last4 = $4, token_fingerprint = $5
	 WHERE id = $1 AND token_version = $2 - 1`

// The position's row is taken first, as Begin takes it: a pass that begins now
// waits, and then reads the new settings.
const lockPosition = `
	SELECT coalesce(p.held_until > now(), false) FROM ecosync.sync_position p WHERE p.store_id = $1 FOR UPDATE`

// What passes learned of a shop that this store is not tied to any more. A head of
// the other shop would hide everything of this one (lesson P7).
const (
	forgetPosition = `
	UPDATE ecosync.sync_position
	   SET head_at = NULL, head_id = NULL, head_settled = false, floor_at = NULL, mode = DEFAULT, gaps = DEFAULT,
	       scan = NULL, scanned_at = NULL, resume_at = NULL
	 WHERE store_id = $1`
	forgetPrefixes = `
	UPDATE ecosync.store SET reference_prefixes = DEFAULT WHERE id = $1`
)

// settle locks the position of a store that moves, and forgets it when the store
// begins anew.
func settle(ctx context.Context, tx pgx.Tx, c store.Replacement) error {
	if !c.Moved {
		return nil
	}
	var held bool
	switch err := tx.QueryRow(ctx, lockPosition, c.Store.ID).Scan(&held); {
	case errors.Is(err, pgx.ErrNoRows):
		return store.ErrNotFound
	case err != nil:
		return fmt.Errorf("lock a position: %w", err)
	case held:
		return store.ErrBusy
	}
	if !c.Anew {
		return nil
	}
	for _, sql := range []string{forgetPosition, forgetPrefixes} {
		if _, err := tx.Exec(ctx, sql, c.Store.ID); err != nil {
			return fmt.Errorf("forget a shop: %w", err)
		}
	}
	return nil
}

// Replace implements store.Repository.
func (d *DB) Replace(ctx context.Context, c store.Replacement, r store.Request) (saved store.Store, err error) {
	s, token := c.Store, c.Token
	err = pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		if err := settle(ctx, tx, c); err != nil {
			return err
		}
		before, err := findStore(ctx, tx, s.ID)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, updateStore, s.ID, s.Version, s.Name, s.BaseURL, s.Tenant, s.TimeZone, s.Active)
		if err != nil {
			return fmt.Errorf("update a store: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return store.ErrStale
		}
		if token != nil {
			tag, err := tx.Exec(ctx, updateToken, s.ID, token.Version, token.Ciphertext, token.LastFour, token.Fingerprint)
			if err != nil {
				return refused(err, "replace a token")
			}
			if tag.RowsAffected() == 0 {
				return store.ErrStale
			}
		}
		if saved, err = findStore(ctx, tx, s.ID); err != nil {
			return err
		}
		was, is := difference(settings(before), settings(saved))
		if len(is) == 0 {
			return nil
		}
		return d.record(ctx, tx, r, s.ID, was, is)
	})
	return saved, err
}

// The conditions make a repetition write nothing.
const (
	pauseStore = `
	UPDATE ecosync.store
	   SET paused_at = now(), pause_reason = $2, version = version + 1, updated_at = now()
	 WHERE id = $1 AND paused_at IS NULL`
	resumeStore = `
	UPDATE ecosync.store
	   SET paused_at = NULL, pause_reason = '', version = version + 1, updated_at = now()
	 WHERE id = $1 AND paused_at IS NOT NULL`
)

// SetPaused implements store.Repository.
func (d *DB) SetPaused(ctx context.Context, id, reason string, r store.Request) (saved store.Store, err error) {
	err = pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		before, err := findStore(ctx, tx, id)
		if err != nil {
			return err
		}
		sql, args := resumeStore, []any{id}
		if reason != "" {
			sql, args = pauseStore, []any{id, reason}
		}
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return fmt.Errorf("pause or resume a store: %w", err)
		}
		if saved, err = findStore(ctx, tx, id); err != nil || tag.RowsAffected() == 0 {
			return err
		}
		was, is := difference(settings(before), settings(saved))
		return d.record(ctx, tx, r, id, was, is)
	})
	return saved, err
}

// A store with a living pass stays: its next batch would make orders of a store
// that is gone. So does one whose term is not the one read before orders were
// asked: a pass ran meanwhile.
const deleteStore = `
	DELETE FROM ecosync.store s
	 WHERE s.id = $1
	   AND NOT EXISTS (SELECT FROM ecosync.sync_position p WHERE p.store_id = s.id AND (p.held_until > now() OR p.term <> $2))`

// Delete implements store.Repository.
func (d *DB) Delete(ctx context.Context, id string, term int64, r store.Request) error {
	return pg.InTx(ctx, d.pool, func(tx pgx.Tx) error {
		before, err := findStore(ctx, tx, id)
		if err != nil {
			return err
		}
		// The position's row is taken first, as Begin does: a pass that begins
		// now waits, and then finds nothing.
		if _, err := tx.Exec(ctx, `SELECT FROM ecosync.sync_position WHERE store_id = $1 FOR UPDATE`, id); err != nil {
			return fmt.Errorf("lock a position: %w", err)
		}
		tag, err := tx.Exec(ctx, deleteStore, id, term)
		if err != nil {
			return fmt.Errorf("delete a store: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return store.ErrBusy
		}
		return d.record(ctx, tx, r, id, settings(before), nil)
	})
}

// settings is what the audit shows of a store: what a person can change, and of
// the token its version and last four.
func settings(s store.Store) map[string]any {
	return map[string]any{
		"identifier": s.Identifier, "name": s.Name, "baseUrl": s.BaseURL, "timeZone": s.TimeZone,
		"credentialVersion": s.Credential.Version, "lastFour": s.Credential.LastFour,
		"state": string(s.State()), "pauseReason": s.PauseReason,
	}
}

// difference keeps of both what is not equal.
func difference(before, after map[string]any) (was, is map[string]any) {
	was, is = map[string]any{}, map[string]any{}
	for k, v := range after {
		if before[k] != v {
			was[k], is[k] = before[k], v
		}
	}
	return was, is
}

func (d *DB) record(ctx context.Context, tx pgx.Tx, r store.Request, id string, before, after map[string]any) error {
	e := audit.Event{Action: r.Action, Resource: "store/" + id, Reason: r.Reason}
	var err error
	if before != nil {
		if e.Before, err = json.Marshal(before); err != nil {
			return fmt.Errorf("audit a store: %w", err)
		}
	}
	if after != nil {
		if e.After, err = json.Marshal(after); err != nil {
			return fmt.Errorf("audit a store: %w", err)
		}
	}
	return d.audit.Write(ctx, tx, e)
}
