package postgres

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

const listKeys = `
	SELECT k.key_id, k.generation, k.private_sealed, k.publish_from, k.sign_from, k.retire_at
	FROM identity.signing_key k
	WHERE k.retire_at IS NULL OR k.retire_at > $1
	ORDER BY k.generation`

// keyRow is a key as it lies in the table.
type keyRow struct {
	KeyID         string
	Generation    int64
	PrivateSealed []byte
	PublishFrom   time.Time
	SignFrom      time.Time
	RetireAt      *time.Time
}

// Keys answers the keys that are not retired, opened. Retired ones wait for the daily cleanup and are not even read: one that
// cannot be opened must not keep the others from signing.
func (s *Store) Keys(ctx context.Context, now time.Time) (signing.Set, error) {
	rows, err := s.pool.Query(ctx, listKeys, now)
	if err != nil {
		return nil, named("read the signing keys", err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByName[keyRow])
	if err != nil {
		return nil, named("read the signing keys", err)
	}
	set := make(signing.Set, 0, len(stored))
	for _, r := range stored {
		private, err := s.sealer.Open(r.PrivateSealed, keyBinding(r.KeyID))
		if err != nil {
			return nil, fmt.Errorf(
				"signing key %s cannot be opened: CREDENTIALS_KEYSET is not the one it was sealed with; give back the old keyset, or delete the row to end all sessions: %w",
				r.KeyID, err)
		}
		if len(private) != ed25519.PrivateKeySize {
			return nil, fmt.Errorf("signing key %s is not an Ed25519 key", r.KeyID)
		}
		k := signing.Key{
			ID: r.KeyID, Generation: r.Generation, Private: private, PublishFrom: r.PublishFrom, SignFrom: r.SignFrom,
		}
		if r.RetireAt != nil {
			k.RetireAt = *r.RetireAt
		}
		set = append(set, k)
	}
	return set, nil
}

// The unique generation decides between replicas that make the next key at once: the others insert nothing.
const insertKey = `
	INSERT INTO identity.signing_key (key_id, generation, public_key, private_sealed, publish_from, sign_from, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, $5)
	ON CONFLICT (generation) DO NOTHING`

const retireKey = `UPDATE identity.signing_key SET retire_at = $2 WHERE generation = $1`

// AddKey stores the next key and the end of the one before, if no other replica was first.
func (s *Store) AddKey(ctx context.Context, k signing.Key, retirePrevious time.Time) (won bool, err error) {
	sealed, err := s.sealer.Seal(k.Private, keyBinding(k.ID))
	if err != nil {
		return false, named("seal a signing key", err)
	}
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, insertKey, k.ID, k.Generation, []byte(k.Public()), sealed, k.PublishFrom, k.SignFrom)
		if err != nil {
			return err
		}
		if won = tag.RowsAffected() == 1; !won || retirePrevious.IsZero() {
			return nil
		}
		_, err = tx.Exec(ctx, retireKey, k.Generation-1, retirePrevious)
		return err
	})
	return won, named("store a signing key", err)
}

// keyBinding ties a sealed private key to its kid.
func keyBinding(kid string) seal.Binding {
	return seal.Binding{Service: Schema, Owner: "signing_key/" + kid, Version: 1}
}

// RemoveRetired deletes the keys whose last token has ended.
func (s *Store) RemoveRetired(ctx context.Context, now time.Time) (int64, error) {
	tag, err := s.pool.Exec(ctx, `DELETE FROM identity.signing_key WHERE retire_at <= $1`, now)
	return tag.RowsAffected(), named("remove retired keys", err)
}
