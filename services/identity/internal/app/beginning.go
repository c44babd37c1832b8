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
	// tryEvery is how soon what could not be done is tried again.
	tryEvery = time.Second
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
		wait := rotateEvery
		switch err := b.once(ctx); {
		case errors.Is(err, account.ErrBootstrapMissing):
			return err
		case err != nil:
			wait = tryEvery
		}
		if err := pause(ctx, wait); err != nil {
			return nil //nolint:nilerr // told to stop
		}
	}
}

func (b *beginning) once(ctx context.Context) error {
	if err := b.db.Ready(ctx); err != nil {
		return err // kit/pg logs why
	}
	if err := b.keyring.Rotate(ctx); err != nil {
		b.log.Error("the signing keys could not be read or rotated, trying again", "error", err)
		return err
	}
	if b.done.Load() {
		return nil
	}
	made, err := b.accounts.Bootstrap(ctx, b.first, b.mayDraw)
	if err != nil {
		b.log.Error("the first administrator could not be made", "error", err)
		return err
	}
	if made.Made {
		b.log.Info("made the first administrator", "email", string(made.Email))
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
