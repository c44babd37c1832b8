package vault_test

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/vault"
)

// rows is the table in memory: the present version of each store.
type rows struct {
	sealed map[string]store.Sealed
	key    []byte
	reads  int
}

func (r *rows) SealedToken(_ context.Context, id string, version int64) ([]byte, error) {
	r.reads++
	s, ok := r.sealed[id]
	if !ok || s.Version != version {
		return nil, store.ErrStale
	}
	return s.Ciphertext, nil
}

func (r *rows) FingerprintKey(_ context.Context, offered []byte) ([]byte, error) {
	if r.key == nil {
		r.key = offered
	}
	return r.key, nil
}

func sealer(t *testing.T) *seal.Sealer {
	t.Helper()
	keyset, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(conf.Secret(keyset))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, v *vault.Vault, r *rows, id string, version int64, token shop.Token) store.Sealed {
	t.Helper()
	s, err := v.Seal(t.Context(), id, version, token)
	if err != nil {
		t.Fatal(err)
	}
	r.sealed[id] = s
	return s
}

func opens(t *testing.T, v *vault.Vault, id string, version int64, want string) {
	t.Helper()
	if token, err := v.Open(t.Context(), id, version); err != nil || token.Reveal() != want {
		t.Errorf("version %d of %s: %v, the right token: %t", version, id, err, token.Reveal() == want)
	}
}

func TestACachedTokenIsUsedOnlyWhenPostgresNamesItsVersion(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	r := &rows{sealed: map[string]store.Sealed{}}
	v := vault.New(sealer(t), r, client, slog.New(slog.DiscardHandler))

	put(t, v, r, "one", 1, "FAKEtokenNumberOne")
	opens(t, v, "one", 1, "FAKEtokenNumberOne")
	opens(t, v, "one", 1, "FAKEtokenNumberOne")
	if r.reads != 1 {
		t.Errorf("%d reads of PostgreSQL for two uses", r.reads)
	}
	put(t, v, r, "one", 2, "FAKEtokenRotated")
	opens(t, v, "one", 2, "FAKEtokenRotated")

	// Another store's cache entry in this one's place opens nothing.
	put(t, v, r, "two", 2, "FAKEtokenNumberTwo")
	stolen, err := client.Get(t.Context(), "credentials:ecosync:one").Result()
	if err != nil {
		t.Fatal(err)
	}
	server.Set("credentials:ecosync:two", stolen)
	opens(t, v, "two", 2, "FAKEtokenNumberTwo")

	dump := server.Dump()
	for _, secret := range []string{"FAKEtoken", base64.StdEncoding.EncodeToString([]byte("FAKEtokenNumberOne"))} {
		if strings.Contains(dump, secret) {
			t.Errorf("Redis shows %s", secret)
		}
	}
	server.Close()
	opens(t, v, "one", 2, "FAKEtokenRotated")
	if _, err := v.Open(t.Context(), "one", 1); !errors.Is(err, store.ErrStale) {
		t.Errorf("a version that is gone: %v", err)
	}
}

func TestOneTokenHasOneFingerprintAndNothingElseHasIt(t *testing.T) {
	r := &rows{sealed: map[string]store.Sealed{}}
	keys := sealer(t)
	v := vault.New(keys, r, nil, slog.New(slog.DiscardHandler))
	a := put(t, v, r, "one", 1, "FAKEtokenNumberOne")
	b := put(t, vault.New(keys, r, nil, slog.New(slog.DiscardHandler)), r, "two", 7, "FAKEtokenNumberOne") // another replica
	c := put(t, v, r, "three", 1, "FAKEtokenNumberTwo")
	if string(a.Fingerprint) != string(b.Fingerprint) || string(a.Fingerprint) == string(c.Fingerprint) || len(a.Fingerprint) != 32 {
		t.Errorf("%x\n%x\n%x (lessons P5 to P7)", a.Fingerprint, b.Fingerprint, c.Fingerprint)
	}
	if string(a.Ciphertext) == string(b.Ciphertext) {
		t.Error("equal tokens have equal ciphertexts")
	}
	other := vault.New(sealer(t), r, nil, slog.New(slog.DiscardHandler))
	if _, err := other.Open(t.Context(), "one", 1); !errors.Is(err, seal.ErrNotOpened) && !errors.Is(err, store.ErrStale) {
		t.Errorf("opened with another keyset: %v", err)
	}
}
