package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// RefreshEvery is how often the published keys are read again. The next key is published an hour before it signs,
	// so every verifier has it in time.
	RefreshEvery = 5 * time.Minute

	// UnknownKeyEvery bounds what tokens with an invented kid can cost identity: two requests a minute per process.
	UnknownKeyEvery = 30 * time.Second

	// firstKeysEvery applies as long as there is no key at all, when nothing can be verified and waiting helps nobody.
	firstKeysEvery = time.Second

	// firstKeysWait is how long a request waits for the first key of all. Services start in any order: the first second of a service whose
	// identity is a moment late should cost its callers that moment, and not an error.
	firstKeysWait = 2 * time.Second

	// fetchTimeout is how long the request that finds no key waits for identity before it is answered.
	fetchTimeout = 5 * time.Second
)

// KeyStore keeps the key set in the service's own schema, so that a service restarted while identity is down still
// knows its callers (never in Redis: DESIGN 8).
type KeyStore interface {
	// Load answers the JWKS saved last; nil when there is none.
	Load(ctx context.Context) ([]byte, error)
	// Save replaces it. Replicas of one service save the same set, in any order.
	Save(ctx context.Context, jwks []byte) error
}

// Keys is the set of public keys that user tokens are verified with. It is read from memory; memory is filled from
// identity, or, when that cannot be reached, from the store.
type Keys struct {
	fetch  func(context.Context) ([]byte, error)
	store  KeyStore
	now    Clock
	flight singleflight.Group

	mu    sync.RWMutex
	set   map[string]ed25519.PublicKey
	tried time.Time // when a fetch last began, successful or not
	kept  []byte    // the document this process saved last
}

// NewKeys makes a key set. fetch answers the JWKS that identity publishes; store may be nil (the gateway has no
// database). Nothing is fetched before Run or the first token.
func NewKeys(fetch func(context.Context) ([]byte, error), store KeyStore, now Clock) *Keys {
	return &Keys{fetch: fetch, store: store, now: now, set: map[string]ed25519.PublicKey{}}
}

// Run keeps the set fresh until ctx ends. A failure is not an error of the process: the old set goes on.
func (k *Keys) Run(ctx context.Context) error {
	for {
		wait := RefreshEvery
		if err := k.Refresh(ctx); err != nil {
			wait = UnknownKeyEvery
			if k.empty() {
				wait = firstKeysEvery
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Find answers the key called kid. An unknown one is looked for at identity, at most every 30 seconds and by one
// request at a time. Errors are refusals: FlawKey, or KeysUnavailable while there is no key at all.
func (k *Keys) Find(ctx context.Context, kid string) (ed25519.PublicKey, error) {
	if key, ok := k.lookup(kid); ok {
		return key, nil
	}
	failed := k.look(ctx)
	if key, ok := k.lookup(kid); ok {
		return key, nil
	}
	if k.empty() {
		return nil, &Refusal{Reason: KeysUnavailable, Cause: failed}
	}
	return nil, invalid(FlawKey, failed)
}

// look asks identity for keys, if it may be asked again; while there is no key at all it goes on asking for firstKeysWait.
func (k *Keys) look(ctx context.Context) (failed error) {
	ctx, cancel := context.WithTimeout(ctx, firstKeysWait)
	defer cancel()
	for {
		if k.mayTry() {
			failed = k.Refresh(ctx)
		}
		if !k.empty() {
			return failed
		}
		select {
		case <-ctx.Done():
			return failed
		case <-time.After(firstKeysEvery / 4):
		}
	}
}

// Refresh reads the published keys now, and the stored ones if that fails before any key is known. Callers that come
// together share one request, which does not die with the caller that happened to be first.
func (k *Keys) Refresh(ctx context.Context) error {
	done := k.flight.DoChan("keys", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return nil, k.refresh(ctx)
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case result := <-done:
		return result.Err
	}
}

func (k *Keys) refresh(ctx context.Context) error {
	k.mu.Lock()
	k.tried = k.now()
	k.mu.Unlock()

	document, err := k.fetch(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("fetch the verification keys: %w", err), k.fallBack(ctx))
	}
	published, err := ParseJWKS(document)
	if err != nil {
		return errors.Join(err, k.fallBack(ctx))
	}
	k.replace(published)
	return k.keep(ctx, document)
}

// keep saves a document that is not the one saved last: once per rotation and process, not every five minutes.
func (k *Keys) keep(ctx context.Context, document []byte) error {
	k.mu.RLock()
	needless := k.store == nil || bytes.Equal(k.kept, document)
	k.mu.RUnlock()
	if needless {
		return nil
	}
	if err := k.store.Save(ctx, document); err != nil {
		return fmt.Errorf("keep the verification keys: %w", err)
	}
	k.mu.Lock()
	k.kept = document
	k.mu.Unlock()
	return nil
}

// fallBack fills an empty set from the store. A set that is not empty is at least as young as what the store has.
func (k *Keys) fallBack(ctx context.Context) error {
	if k.store == nil || !k.empty() {
		return nil
	}
	document, err := k.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("load the verification keys: %w", err)
	}
	if document == nil {
		return nil
	}
	stored, err := ParseJWKS(document)
	if err != nil {
		return fmt.Errorf("the stored verification keys: %w", err)
	}
	k.replace(stored)
	return nil
}

func (k *Keys) replace(keys []PublicKey) {
	next := make(map[string]ed25519.PublicKey, len(keys))
	for _, key := range keys {
		next[key.ID] = key.Key
	}
	k.mu.Lock()
	k.set = next
	k.mu.Unlock()
}

func (k *Keys) lookup(kid string) (ed25519.PublicKey, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	key, ok := k.set[kid]
	return key, ok
}

func (k *Keys) empty() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.set) == 0
}

func (k *Keys) mayTry() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	wait := UnknownKeyEvery
	if len(k.set) == 0 {
		wait = firstKeysEvery
	}
	return k.tried.IsZero() || !k.now().Before(k.tried.Add(wait))
}
