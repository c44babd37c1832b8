// Package vault seals shop tokens and opens them.
//
// It owns how a token is bound (to this service, its store and its version),
// the keyed hash by which one token is kept out of two stores, and the cache of
// ciphertexts in Redis. A token in clear lives only in the memory of the request
// that needs it: it is never cached, logged or returned (lessons P77, P78).
// Redis may vanish at any moment and nothing changes but a read of PostgreSQL.
// Start reading at Vault.Open.
package vault

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/libertaphonix/libertaphonix/kit/seal"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

const service = "ecosync"

// Rows is where ciphertexts are kept.
type Rows interface {
	// SealedToken reads one version of a store's token. Error: store.ErrStale
	// when that version is not the stored one.
	SealedToken(ctx context.Context, storeID string, version int64) ([]byte, error)
	// FingerprintKey reads the sealed key, storing the offered one when there is
	// none yet.
	FingerprintKey(ctx context.Context, offered []byte) ([]byte, error)
}

// Vault implements store.Vault and pass.Tokens. It is safe for concurrent use.
type Vault struct {
	sealer *seal.Sealer
	rows   Rows
	cache  redis.Cmdable // nil without Redis
	log    *slog.Logger

	mu          sync.Mutex
	fingerprint []byte // read at the first use: the database may be down at start
}

// New makes a vault; cache may be nil.
func New(sealer *seal.Sealer, rows Rows, cache redis.Cmdable, log *slog.Logger) *Vault {
	return &Vault{sealer: sealer, rows: rows, cache: cache, log: log}
}

// Seal implements store.Vault.
func (v *Vault) Seal(ctx context.Context, storeID string, version int64, token shop.Token) (store.Sealed, error) {
	fingerprint, err := v.Fingerprint(ctx, token)
	if err != nil {
		return store.Sealed{}, err
	}
	ciphertext, err := v.sealer.Seal([]byte(token.Reveal()), binding(storeID, version))
	if err != nil {
		return store.Sealed{}, err
	}
	return store.Sealed{
		Credential:  store.Credential{Version: version, LastFour: store.LastFour(token)},
		Ciphertext:  ciphertext,
		Fingerprint: fingerprint,
	}, nil
}

// Fingerprint names a token without telling it; it implements
// quota.Fingerprints.
func (v *Vault) Fingerprint(ctx context.Context, token shop.Token) ([]byte, error) {
	key, err := v.fingerprintKey(ctx)
	if err != nil {
		return nil, err
	}
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(token.Reveal()))
	return hash.Sum(nil), nil
}

// Open implements store.Vault and pass.Tokens. The version comes from the row in
// PostgreSQL that the caller has read: a cached ciphertext of another version is
// not used, so a rotated token is in force at once in every replica.
func (v *Vault) Open(ctx context.Context, storeID string, version int64) (shop.Token, error) {
	if token, ok := v.cached(ctx, storeID, version); ok {
		return token, nil
	}
	ciphertext, err := v.rows.SealedToken(ctx, storeID, version)
	if err != nil {
		return "", err
	}
	plain, err := v.sealer.Open(ciphertext, binding(storeID, version))
	if err != nil {
		return "", fmt.Errorf("open the token of store %s: %w", storeID, err)
	}
	v.remember(ctx, storeID, version, ciphertext)
	return shop.Token(plain), nil
}

func binding(storeID string, version int64) seal.Binding {
	return seal.Binding{Service: service, Owner: "store/" + storeID, Version: version}
}

func (v *Vault) fingerprintKey(ctx context.Context) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fingerprint != nil {
		return v.fingerprint, nil
	}
	bound := seal.Binding{Service: service, Owner: "fingerprint-key", Version: 1}
	fresh := make([]byte, sha256.Size)
	if _, err := rand.Read(fresh); err != nil {
		return nil, fmt.Errorf("make a fingerprint key: %w", err)
	}
	offered, err := v.sealer.Seal(fresh, bound)
	if err != nil {
		return nil, err
	}
	sealed, err := v.rows.FingerprintKey(ctx, offered)
	if err != nil {
		return nil, err
	}
	key, err := v.sealer.Open(sealed, bound)
	if err != nil {
		return nil, fmt.Errorf("open the fingerprint key: %w", err)
	}
	v.fingerprint = key
	return key, nil
}

const (
	// cacheTime is how long a ciphertext stays: longer than between two hourly
	// passes, short enough that those of deleted stores go by themselves.
	cacheTime = 24 * time.Hour
	// cachePatience is what Redis may cost: PostgreSQL answers in less.
	cachePatience = 200 * time.Millisecond
)

func cacheKey(storeID string) string { return "credentials:" + service + ":" + storeID }

// A cached value is the version, eight bytes, and the ciphertext.
func (v *Vault) cached(ctx context.Context, storeID string, version int64) (shop.Token, bool) {
	if v.cache == nil {
		return "", false
	}
	ctx, cancel := context.WithTimeout(ctx, cachePatience)
	defer cancel()
	value, err := v.cache.Get(ctx, cacheKey(storeID)).Bytes()
	if err != nil {
		if !errors.Is(err, redis.Nil) {
			v.log.DebugContext(ctx, "the cache of credentials does not answer", "error", err)
		}
		return "", false
	}
	if !bytes.HasPrefix(value, prefix(version)) {
		return "", false
	}
	// The binding is checked by opening: whatever somebody put into Redis, only
	// this store's own ciphertext of this version opens.
	plain, err := v.sealer.Open(value[len(prefix(version)):], binding(storeID, version))
	if err != nil {
		return "", false
	}
	return shop.Token(plain), true
}

func (v *Vault) remember(ctx context.Context, storeID string, version int64, ciphertext []byte) {
	if v.cache == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, cachePatience)
	defer cancel()
	value := append(prefix(version), ciphertext...)
	if err := v.cache.Set(ctx, cacheKey(storeID), value, cacheTime).Err(); err != nil {
		v.log.DebugContext(ctx, "the cache of credentials does not answer", "error", err)
	}
}

func prefix(version int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(version)) //nolint:gosec // G115: versions count from 1
}
