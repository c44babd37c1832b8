package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

const (
	// rotateEvery is how often each replica looks whether the next signing key is due; far below the hour it is published ahead.
	rotateEvery = 5 * time.Minute
	// lookEvery is how often it is looked whether the database is migrated; every start waits for it.
	lookEvery = 200 * time.Millisecond
	// tryEvery is how soon what failed on a working database is tried again; each failure is logged.
	tryEvery = 5 * time.Second
)

// beginning makes what identity cannot work without, as soon as the database allows: a signing key and a first administrator.
// Afterwards it keeps the keys rotating.
type beginning struct {
	db       *pg.Database
	keyring  *signing.Keyring
	accounts *account.Service
	first    account.FirstAdmin
	mayDraw  bool
	log      *slog.Logger
	tell     func(account.Bootstrapped)

	done atomic.Bool
}

// run ends with an error only when waiting cannot help: production without a first administrator.
func (b *beginning) run(ctx context.Context) error {
	for {
		wait := lookEvery
		if b.db.Ready(ctx) == nil { // kit/pg logs why it is not
			wait = rotateEvery
			if err := b.once(ctx); errors.Is(err, account.ErrBootstrapMissing) {
				return err
			} else if err != nil {
				wait = tryEvery
			}
		}
		if pause(ctx, wait) != nil {
			return nil //nolint:nilerr // told to stop
		}
	}
}

func (b *beginning) once(ctx context.Context) error {
	if err := b.keyring.Rotate(ctx); err != nil {
		b.log.ErrorContext(ctx, "the signing keys could not be read or rotated, trying again", "error", err)
		return err
	}
	if b.done.Load() {
		return nil
	}
	made, err := b.accounts.Bootstrap(ctx, b.first, b.mayDraw)
	if err != nil {
		b.log.ErrorContext(ctx, "the first administrator could not be made", "error", err)
		return err
	}
	if made.Made {
		b.log.InfoContext(ctx, "made the first administrator", "email", string(made.Email))
	}
	if made.Drawn != "" {
		b.tell(made)
	}
	b.done.Store(true)
	return nil
}

// ready answers nil when the database answers, a key can sign, and somebody could have logged in.
func (b *beginning) ready(ctx context.Context) error {
	if err := b.db.Ready(ctx); err != nil {
		return err
	}
	if !b.done.Load() {
		return errors.New("the signing key or the first administrator is not made yet")
	}
	return nil
}
