package signing

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"time"
)

// The life of a key. No operator will ever want to change these, so they are no configuration.
const (
	// Period is how long a key signs before the next one takes over.
	Period = 30 * 24 * time.Hour
	// Lead is how long a key is published before it signs (DESIGN 8): twelve times what verifiers take to read the set again, so a
	// verifier that missed some reads still knows every key it meets.
	Lead = time.Hour
	// prepare is how long before the end of a period the next key is made; Lead, and as much again for a service that is down.
	prepare = 2 * Lead
	// slack is added to the life of the last token before its key goes: clocks of hosts differ, and a replica that has not read the
	// set again yet may sign a moment too long.
	slack = 5 * time.Minute
)

// Key is an Ed25519 key pair with its times.
type Key struct {
	ID         string // the kid of its tokens
	Generation int64  // 1, 2, 3…
	Private    ed25519.PrivateKey
	// PublishFrom ≤ SignFrom < RetireAt. RetireAt is zero until the successor exists.
	PublishFrom, SignFrom, RetireAt time.Time
}

// Public is the half that verifies.
func (k Key) Public() ed25519.PublicKey { return k.Private.Public().(ed25519.PublicKey) }

// LogValue keeps the private half out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// String keeps the private half out of fmt.
func (k Key) String() string { return fmt.Sprintf("key %s (generation %d)", k.ID, k.Generation) }

// GoString keeps the private half out of %#v.
func (k Key) GoString() string { return k.String() }

func (k Key) retired(now time.Time) bool { return !k.RetireAt.IsZero() && !now.Before(k.RetireAt) }

// Set is the keys of a moment, in any order; retired ones may be missing.
type Set []Key

// Signer is the key that signs now: the youngest whose time to sign has come. False when there is none.
func (s Set) Signer(now time.Time) (Key, bool) {
	best, found := Key{}, false
	for _, k := range s {
		if !now.Before(k.SignFrom) && !k.retired(now) && (!found || k.Generation > best.Generation) {
			best, found = k, true
		}
	}
	return best, found
}

// Published answers the keys that verify now: those that sign, will sign within Lead, or signed tokens that may still live.
func (s Set) Published(now time.Time) Set {
	var published Set
	for _, k := range s {
		if !now.Before(k.PublishFrom) && !k.retired(now) {
			published = append(published, k)
		}
	}
	return published
}

// Plan is the next key to make, and what becomes of the one before.
type Plan struct {
	Generation            int64
	PublishFrom, SignFrom time.Time
	// RetirePrevious is when the last token of the generation before has ended.
	RetirePrevious time.Time
}

// Next answers the key to make now, if one is due. The very first signs at once, for there is nobody yet who could hold an older
// set. Every other is published Lead before it signs, however late it is made: until then the old one goes on, however old.
func (s Set) Next(now time.Time, tokenLife time.Duration) (Plan, bool) {
	if len(s) == 0 {
		return Plan{Generation: 1, PublishFrom: now, SignFrom: now}, true
	}
	youngest := s[0]
	for _, k := range s {
		if k.Generation > youngest.Generation {
			youngest = k
		}
	}
	due := youngest.SignFrom.Add(Period)
	if now.Before(due.Add(-prepare)) {
		return Plan{}, false
	}
	signFrom := due
	if earliest := now.Add(Lead); earliest.After(due) {
		signFrom = earliest
	}
	return Plan{
		Generation: youngest.Generation + 1, PublishFrom: now, SignFrom: signFrom,
		RetirePrevious: signFrom.Add(tokenLife + slack),
	}, true
}
