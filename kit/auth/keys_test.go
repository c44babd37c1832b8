package auth_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
)

// identity is the publisher of keys: it can be down, rotate, and counts how often it is asked.
type identity struct {
	mu    sync.Mutex
	keys  []auth.PublicKey
	down  bool
	asked atomic.Int32
}

func (i *identity) publish(down bool, keys ...auth.PublicKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down, i.keys = down, keys
}

func (i *identity) fetch(context.Context) ([]byte, error) {
	i.asked.Add(1)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down {
		return nil, errors.New("identity is down")
	}
	return auth.JWKS(i.keys...)
}

// memory is a KeyStore that a restart survives; the one in PostgreSQL passes the same test below.
type memory struct {
	mu    sync.Mutex
	jwks  []byte
	saves int
}

func (m *memory) Load(context.Context) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.jwks, nil
}

func (m *memory) Save(_ context.Context, jwks []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jwks, m.saves = jwks, m.saves+1
	return nil
}

func TestKeysAreFetchedOnceAndThenReadFromMemory(t *testing.T) {
	key := signingKey(t)
	i := &identity{keys: []auth.PublicKey{key.Public()}}
	keys := auth.NewKeys(i.fetch, nil, at(noon))
	for range 100 {
		if _, err := keys.Find(context.Background(), key.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("identity was asked %d times", n)
	}
}

func TestAnUnknownKeyIsAskedForAtMostEvery30Seconds(t *testing.T) {
	old, next := signingKey(t), signingKey(t)
	i := &identity{keys: []auth.PublicKey{old.Public()}}
	now := noon
	keys := auth.NewKeys(i.fetch, nil, func() time.Time { return now })
	ctx := context.Background()
	if _, err := keys.Find(ctx, old.ID); err != nil {
		t.Fatal(err)
	}
	i.publish(false, old.Public(), next.Public())
	for range 50 { // invented kids cost identity nothing
		_, err := keys.Find(ctx, "invented")
		wantRefusal(t, err, auth.TokenInvalid, auth.FlawKey)
	}
	_, err := keys.Find(ctx, next.ID)
	wantRefusal(t, err, auth.TokenInvalid, auth.FlawKey)
	if n := i.asked.Load(); n != 1 {
		t.Fatalf("identity was asked %d times within 30 s", n)
	}
	now = now.Add(30 * time.Second)
	if _, err := keys.Find(ctx, next.ID); err != nil {
		t.Fatalf("after 30 s the new key must be found: %v", err)
	}
	if n := i.asked.Load(); n != 2 {
		t.Errorf("identity was asked %d times", n)
	}
}

func TestManyRequestsForAnUnknownKeyShareOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := signingKey(t)
		i := &identity{keys: []auth.PublicKey{key.Public()}}
		keys := auth.NewKeys(func(ctx context.Context) ([]byte, error) {
			time.Sleep(time.Second)
			return i.fetch(ctx)
		}, nil, time.Now)
		first, cancel := context.WithCancel(context.Background())
		go func() { _, _ = keys.Find(first, key.ID) }()
		synctest.Wait()
		cancel() // who asked first may leave: the others still get their answer
		var done sync.WaitGroup
		for range 20 {
			done.Go(func() {
				if err := keys.Refresh(context.Background()); err != nil {
					t.Error(err)
				}
				if _, err := keys.Find(context.Background(), key.ID); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		if n := i.asked.Load(); n != 1 {
			t.Errorf("identity was asked %d times", n)
		}
	})
}

func TestWithoutAnyKeyTheAnswerIsUnavailableUntilIdentityComes(t *testing.T) {
	key := signingKey(t)
	i := &identity{down: true}
	now := noon
	keys := auth.NewKeys(i.fetch, nil, func() time.Time { return now })
	_, err := keys.Find(context.Background(), key.ID)
	wantRefusal(t, err, auth.KeysUnavailable, "")
	i.publish(false, key.Public())
	now = now.Add(time.Second) // not 30: with no key at all nobody can work
	if _, err := keys.Find(context.Background(), key.ID); err != nil {
		t.Fatal(err)
	}
}

func TestAnEmptyOrBrokenDocumentDoesNotReplaceGoodKeys(t *testing.T) {
	key := signingKey(t)
	document, err := auth.JWKS(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	keys := auth.NewKeys(func(context.Context) ([]byte, error) { return document, nil }, nil, at(noon))
	for _, next := range []string{string(document), `{"keys":[]}`, `{}`, `<html>`} {
		document = []byte(next)
		_ = keys.Refresh(context.Background())
		if _, err := keys.Find(context.Background(), key.ID); err != nil {
			t.Fatalf("after %s: %v", next, err)
		}
	}
}

func TestAKeyThatIdentityDropsIsForgotten(t *testing.T) {
	old, next := signingKey(t), signingKey(t)
	i := &identity{keys: []auth.PublicKey{old.Public()}}
	keys := auth.NewKeys(i.fetch, nil, at(noon))
	if _, err := keys.Find(context.Background(), old.ID); err != nil {
		t.Fatal(err)
	}
	i.publish(false, next.Public())
	if err := keys.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err := keys.Find(context.Background(), old.ID)
	wantRefusal(t, err, auth.TokenInvalid, auth.FlawKey)
}

func TestRunRefreshesEveryFiveMinutesAndSoonerWhileThereIsNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := signingKey(t)
		i := &identity{down: true}
		store := &memory{}
		keys := auth.NewKeys(i.fetch, store, time.Now)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- keys.Run(ctx) }()

		time.Sleep(10*time.Second + time.Millisecond)
		if n := i.asked.Load(); n != 11 {
			t.Errorf("without a key, identity is asked every second; in 10 s it was asked %d times", n)
		}
		i.publish(false, key.Public())
		time.Sleep(time.Second)
		before := i.asked.Load()
		time.Sleep(30 * time.Minute)
		if n := i.asked.Load() - before; n != 6 {
			t.Errorf("in 30 minutes identity was asked %d times, want 6", n)
		}
		if store.saves != 1 {
			t.Errorf("an unchanged set was saved %d times", store.saves)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run ends without an error, got %v", err)
		}
	})
}

func TestStoredKeysSurviveARestartWhileIdentityIsDown(t *testing.T) {
	for name, newStore := range map[string]func(t *testing.T) auth.KeyStore{
		"memory": func(*testing.T) auth.KeyStore { return &memory{} },
		"PostgreSQL": func(t *testing.T) auth.KeyStore {
			pool := pgtest.New(t, func(ctx context.Context, pool *pgxpool.Pool) error {
				return pg.Migrate(ctx, pool, "orders", pg.KitMigrations)
			})
			return auth.NewKeyStore(pool, "orders")
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, ctx := newStore(t), context.Background()
			if jwks, err := store.Load(ctx); err != nil || jwks != nil {
				t.Fatalf("an empty store answers nothing, got %s, %v", jwks, err)
			}
			first, second := signingKey(t), signingKey(t)
			i := &identity{keys: []auth.PublicKey{first.Public()}}
			running := auth.NewKeys(i.fetch, store, at(noon))
			if err := running.Refresh(ctx); err != nil {
				t.Fatal(err)
			}
			i.publish(false, first.Public(), second.Public())
			if err := running.Refresh(ctx); err != nil {
				t.Fatal(err)
			}

			i.publish(true)
			restarted := auth.NewKeys(i.fetch, store, at(noon))
			for _, k := range []auth.SigningKey{first, second} {
				if _, err := restarted.Find(ctx, k.ID); err != nil {
					t.Errorf("%s after a restart: %v", k.ID, err)
				}
			}
		})
	}
}
