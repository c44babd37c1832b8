package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func newDatabase(t testing.TB) *pgxpool.Pool { return pgtest.New(t, Migrate) }
