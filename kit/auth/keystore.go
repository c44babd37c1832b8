package auth

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// schemaKeys is the KeyStore in the service's own schema: the one row of verification_key (migration kit/0001).
type schemaKeys struct {
	pool  *pgxpool.Pool
	table string
}

// NewKeyStore keeps the key set in the verification_key table of schema, which pg.KitMigrations makes.
func NewKeyStore(pool *pgxpool.Pool, schema string) KeyStore {
	return &schemaKeys{pool: pool, table: pgx.Identifier{schema, "verification_key"}.Sanitize()}
}

func (s *schemaKeys) Load(ctx context.Context) ([]byte, error) {
	var jwks []byte
	err := s.pool.QueryRow(ctx, `SELECT jwks FROM `+s.table+` WHERE id = 1`).Scan(&jwks)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return jwks, err
}

func (s *schemaKeys) Save(ctx context.Context, jwks []byte) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO `+s.table+` (id, jwks, fetched_at) VALUES (1, $1, now())
		ON CONFLICT (id) DO UPDATE SET jwks = excluded.jwks, fetched_at = excluded.fetched_at`, jwks)
	return err
}
