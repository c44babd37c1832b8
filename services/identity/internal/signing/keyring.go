package signing

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

// reloadEvery is how old the set in memory may be when a token is signed or the keys are published; far below Lead, so every
// replica knows the next key long before it signs.
const reloadEvery = time.Minute

// ErrNoKey says that there is no key to sign with yet: the first one could not be made or read.
var ErrNoKey = errors.New("there is no signing key yet")

// Store keeps the keys, the private halves sealed.
type Store interface {
	// Keys answers the keys that are not retired at now, in any order.
	Keys(ctx context.Context, now time.Time) (Set, error)
	// AddKey stores k, and when the generation before retires. won is false, and nothing is written, when another replica was first.
	AddKey(ctx context.Context, k Key, retirePrevious time.Time) (won bool, err error)
	// RemoveRetired deletes the keys retired at now.
	RemoveRetired(ctx context.Context, now time.Time) (int64, error)
}

// Keyring is the keys as one replica uses them. Safe for concurrent use.
type Keyring struct {
	store     Store
	tokenLife time.Duration
	now       func() time.Time

	mu     sync.Mutex
	set    Set
	readAt time.Time
}

// NewKeyring makes a keyring for tokens that live tokenLife. It reads nothing yet.
func NewKeyring(store Store, tokenLife time.Duration, now func() time.Time) *Keyring {
	return &Keyring{
		store: store, tokenLife: tokenLife,
		now: func() time.Time { return now().UTC().Truncate(time.Microsecond) }, // what PostgreSQL keeps
	}
}

// Rotate makes the next key if one is due. It is called at start and every few minutes by every replica; doing it twice, or at
// once in several, makes one key.
func (r *Keyring) Rotate(ctx context.Context) error {
	set, err := r.reload(ctx)
	if err != nil {
		return err
	}
	plan, due := set.Next(r.now(), r.tokenLife)
	if !due {
		return nil
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	next := Key{
		ID: rand.Text(), Generation: plan.Generation, Private: private, PublishFrom: plan.PublishFrom, SignFrom: plan.SignFrom,
	}
	if _, err := r.store.AddKey(ctx, next, plan.RetirePrevious); err != nil {
		return err
	}
	_, err = r.reload(ctx) // ours or the winner's
	return err
}

// Signer answers the key that signs now; ErrNoKey before the first exists.
func (r *Keyring) Signer(ctx context.Context) (Key, error) {
	set, err := r.current(ctx)
	if err != nil {
		return Key{}, err
	}
	key, found := set.Signer(r.now())
	if !found {
		return Key{}, ErrNoKey
	}
	return key, nil
}

// Published answers the keys to verify with now; ErrNoKey before the first exists.
func (r *Keyring) Published(ctx context.Context) (Set, error) {
	set, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	published := set.Published(r.now())
	if len(published) == 0 {
		return nil, ErrNoKey
	}
	return published, nil
}

// Cleanup deletes retired keys.
func (r *Keyring) Cleanup(ctx context.Context) (int64, error) {
	return r.store.RemoveRetired(ctx, r.now())
}

// current is the set in memory, read again when it is old. A database that is away does not stop tokens from being verified: the
// set of a minute ago is still right, because keys change an hour in advance.
func (r *Keyring) current(ctx context.Context) (Set, error) {
	r.mu.Lock()
	set, fresh := r.set, r.now().Sub(r.readAt) < reloadEvery
	r.mu.Unlock()
	if len(set) > 0 && fresh {
		return set, nil
	}
	read, err := r.reload(ctx)
	if err != nil && len(set) > 0 {
		return set, nil
	}
	return read, err
}

func (r *Keyring) reload(ctx context.Context) (Set, error) {
	now := r.now()
	set, err := r.store.Keys(ctx, now)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.set, r.readAt = set, now
	r.mu.Unlock()
	return set, nil
}
