package idempotency_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if err := pg.Migrate(ctx, pool, "example", pg.KitMigrations); err != nil {
		return err
	}
	_, err := pool.Exec(ctx, "CREATE TABLE example.note (id text PRIMARY KEY DEFAULT gen_random_uuid()::text)")
	return err
}

// create is a writing RPC in small: it makes a note once per request id.
func create(ctx context.Context, pool *pgxpool.Pool, c idempotency.Claim) (made string, err error) {
	keys := idempotency.NewKeys("example")
	err = pg.InTx(ctx, pool, func(tx pgx.Tx) error {
		if made, err = keys.Claim(ctx, tx, c); err != nil || made != "" {
			return err
		}
		if err := tx.QueryRow(ctx, "INSERT INTO example.note DEFAULT VALUES RETURNING id").Scan(&made); err != nil {
			return err
		}
		return keys.Settle(ctx, tx, c, made)
	})
	return made, err
}

func notes(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM example.note").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

var claim = idempotency.Claim{Actor: "u-1", Method: "/example/AddNote", Key: "k-1", RequestHash: []byte("body")}

func TestOneKeySentByManyAtOnceWritesOnce(t *testing.T) {
	pool := pgtest.New(t, migrate)
	const senders = 12
	made := make([]string, senders)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			var err error
			if made[i], err = create(t.Context(), pool, claim); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := notes(t, pool); n != 1 {
		t.Fatalf("%d notes were made; want 1", n)
	}
	for _, id := range made {
		if id != made[0] || id == "" {
			t.Fatalf("the senders were told of different notes: %v", made)
		}
	}
}

func TestAKeyUsedForAnotherBodyIsRefused(t *testing.T) {
	pool := pgtest.New(t, migrate)
	if _, err := create(t.Context(), pool, claim); err != nil {
		t.Fatal(err)
	}
	other := claim
	other.RequestHash = []byte("another body")
	if _, err := create(t.Context(), pool, other); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("answered %v; want ErrReused", err)
	}
	if n := notes(t, pool); n != 1 {
		t.Errorf("%d notes; want 1", n)
	}
}

func TestKeysOfTwoPeopleOrMethodsNeverMeet(t *testing.T) {
	pool := pgtest.New(t, migrate)
	otherActor, otherMethod := claim, claim
	otherActor.Actor, otherMethod.Method = "u-2", "/example/Create"
	for _, c := range []idempotency.Claim{claim, otherActor, otherMethod} {
		if _, err := create(t.Context(), pool, c); err != nil {
			t.Fatal(err)
		}
	}
	if n := notes(t, pool); n != 3 {
		t.Errorf("%d notes; want 3", n)
	}
}

func TestAFailedRequestLeavesItsKeyFree(t *testing.T) {
	pool := pgtest.New(t, migrate)
	failure := errors.New("the write failed")
	err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := idempotency.NewKeys("example").Claim(t.Context(), tx, claim); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	if _, err := create(t.Context(), pool, claim); err != nil {
		t.Errorf("the repeated request: %v", err)
	}
}

func TestAfterADayAKeyIsForgotten(t *testing.T) {
	pool := pgtest.New(t, migrate)
	first, err := create(t.Context(), pool, claim)
	if err != nil {
		t.Fatal(err)
	}
	age := func(interval string) {
		if _, err := pool.Exec(t.Context(), "UPDATE example.idempotency_key SET created_at = now() - $1::interval", interval); err != nil {
			t.Fatal(err)
		}
	}
	keys := idempotency.NewKeys("example")
	age("23 hours 59 minutes")
	if n, err := keys.DeleteExpired(t.Context(), pool); err != nil || n != 0 {
		t.Errorf("a young key: %d deleted, %v; want 0", n, err)
	}
	if again, err := create(t.Context(), pool, claim); err != nil || again != first {
		t.Errorf("a young key answers %q, %v; want %q", again, err, first)
	}
	age("25 hours") // not cleaned up yet: taken over all the same, by another body too
	renewed := claim
	renewed.RequestHash = []byte("tomorrow's body")
	if again, err := create(t.Context(), pool, renewed); err != nil || again == first {
		t.Errorf("an old key answers %q, %v; want a new note", again, err)
	}
	age("25 hours")
	if n, err := keys.DeleteExpired(t.Context(), pool); err != nil || n != 1 {
		t.Errorf("an old key: %d deleted, %v; want 1", n, err)
	}
}

func TestSettlingWhatWasNotClaimedIsRefused(t *testing.T) {
	pool := pgtest.New(t, migrate)
	err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		return idempotency.NewKeys("example").Settle(t.Context(), tx, claim, "notes/1")
	})
	if err == nil {
		t.Error("nothing was said")
	}
}

func TestTheHashTellsRequestsApart(t *testing.T) {
	hash := func(s string) string {
		sum, err := idempotency.Hash(wrapperspb.String(s))
		if err != nil {
			t.Fatal(err)
		}
		return string(sum)
	}
	if hash("a") == hash("b") {
		t.Error("two requests have one hash")
	}
	if diff := cmp.Diff(hash("a"), hash("a")); diff != "" {
		t.Error(diff)
	}
}
