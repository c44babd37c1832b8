package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// SealedToken reads the ciphertext of one version of a store's token; a version
// that is no longer the stored one is store.ErrStale.
func (d *DB) SealedToken(ctx context.Context, storeID string, version int64) ([]byte, error) {
	var sealed []byte
	err := d.pool.QueryRow(ctx, `SELECT token_sealed FROM ecosync.store WHERE id = $1 AND token_version = $2`, storeID, version).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, store.ErrStale
	}
	if err != nil {
		return nil, fmt.Errorf("read a sealed token: %w", err)
	}
	return sealed, nil
}

// FingerprintKey reads the sealed key, or stores the one offered when there is
// none: of two processes that start at once one wins and both use its key.
func (d *DB) FingerprintKey(ctx context.Context, offered []byte) ([]byte, error) {
	if _, err := d.pool.Exec(ctx, `INSERT INTO ecosync.fingerprint_key (sealed) VALUES ($1) ON CONFLICT (id) DO NOTHING`, offered); err != nil {
		return nil, fmt.Errorf("store the fingerprint key: %w", err)
	}
	var sealed []byte
	if err := d.pool.QueryRow(ctx, `SELECT sealed FROM ecosync.fingerprint_key WHERE id = 1`).Scan(&sealed); err != nil {
		return nil, fmt.Errorf("read the fingerprint key: %w", err)
	}
	return sealed, nil
}
