// Package idempotency remembers request ids for 24 hours, in the transaction of the
// write they belong to: a request that is repeated, also at the same moment and on
// another replica, has its effect once and gets the first one's answer.
//
// It owns: the table idempotency_key of each schema (made by pg.KitMigrations). It
// stores no answers: the resource that the first request made is read again, so a
// replay shows it as it is now.
//
// The way to use it, inside one pg.InTx:
//
//	made, err := keys.Claim(ctx, tx, claim)
//	if err != nil { return err }
//	if made != "" { order, err = store.find(ctx, tx, made); return err }
//	order, err = store.create(ctx, tx, …)
//	if err != nil { return err }
//	return keys.Settle(ctx, tx, claim, order.ID)
package idempotency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrReused says that the key was used for another request: the client has a bug, and
// serving either request under it would hide that.
var ErrReused = errors.New("the request id was used for a different request")

// errUnsettled is our own bug: a claim was committed without Settle.
var errUnsettled = errors.New("the request id was claimed but never settled")

// Claim is one use of a request id.
type Claim struct {
	Actor       string // who sent it: keys of two people never meet
	Method      string // full name of the RPC
	Key         string // requestId, or the Idempotency-Key header
	RequestHash []byte // of the request without its id, see Hash
}

// Keys are the request ids of one schema.
type Keys struct{ claim, find, settle, cleanup string }

// NewKeys is the memory of request ids in a service's schema.
func NewKeys(schema string) *Keys {
	table := pgx.Identifier{schema, "idempotency_key"}.Sanitize()
	in := func(sql string) string { return strings.ReplaceAll(sql, "{{table}}", table) }
	return &Keys{claim: in(claimKey), find: in(findKey), settle: in(settleKey), cleanup: in(deleteExpired)}
}

// The insert waits for a simultaneous one of the same key to commit or roll back; that
// wait is the guard. A key older than a day is taken over as if it were new.
const claimKey = `
	INSERT INTO {{table}} AS k (actor, method, key, request_hash)
	VALUES ($1, $2, $3, $4)
	ON CONFLICT ON CONSTRAINT idempotency_key_pkey DO UPDATE
	SET request_hash = EXCLUDED.request_hash, resource = NULL, created_at = now()
	WHERE k.created_at < now() - interval '24 hours'`

const findKey = `
	SELECT request_hash, coalesce(resource, '') FROM {{table}} WHERE actor = $1 AND method = $2 AND key = $3`

// claimAttempts: between a refused insert and the read, cleanup may remove the key;
// then it is free again. Twice in a row means something else is wrong.
const claimAttempts = 3

// Claim takes the key for this transaction. It answers "" for the first use, else the
// resource that the first use settled; ErrReused when that was a different request.
func (k *Keys) Claim(ctx context.Context, tx pgx.Tx, c Claim) (string, error) {
	for range claimAttempts {
		tag, err := tx.Exec(ctx, k.claim, c.Actor, c.Method, c.Key, c.RequestHash)
		if err != nil {
			return "", fmt.Errorf("claim a request id: %w", err)
		}
		if tag.RowsAffected() == 1 {
			return "", nil
		}
		var hash []byte
		var resource string
		err = tx.QueryRow(ctx, k.find, c.Actor, c.Method, c.Key).Scan(&hash, &resource)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			continue
		case err != nil:
			return "", fmt.Errorf("find a request id: %w", err)
		case !bytes.Equal(hash, c.RequestHash):
			return "", ErrReused
		case resource == "":
			return "", errUnsettled
		}
		return resource, nil
	}
	return "", errors.New("the request id can neither be claimed nor found")
}

const settleKey = `
	UPDATE {{table}} SET resource = $4 WHERE actor = $1 AND method = $2 AND key = $3`

// Settle notes what the first use made, in the transaction of its Claim. Every claim
// is settled or rolled back; resource is never empty.
func (k *Keys) Settle(ctx context.Context, tx pgx.Tx, c Claim, resource string) error {
	if resource == "" {
		return errors.New("settle a request id: it names no resource")
	}
	tag, err := tx.Exec(ctx, k.settle, c.Actor, c.Method, c.Key, resource)
	if err != nil {
		return fmt.Errorf("settle a request id: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return errors.New("settle a request id: it was not claimed")
	}
	return nil
}

// Execer is a pool, a connection or a transaction.
type Execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

const deleteExpired = `
	DELETE FROM {{table}} WHERE created_at < now() - interval '24 hours'`

// DeleteExpired forgets what is older than 24 hours and answers how many: the part of
// a service's Cleanup.
func (k *Keys) DeleteExpired(ctx context.Context, db Execer) (int64, error) {
	tag, err := db.Exec(ctx, k.cleanup)
	if err != nil {
		return 0, fmt.Errorf("forget old request ids: %w", err)
	}
	return tag.RowsAffected(), nil
}
