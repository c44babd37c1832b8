// Package argon2id hashes passwords: the adapter of account.Hasher to golang.org/x/crypto/argon2.
//
// Hashes are PHC strings ($argon2id$v=19$m=…,t=…,p=…$salt$hash), so parameters can be raised and old hashes still verified; Verify
// says which ones want replacing. Each computation takes megabytes, so only so many run and wait at once: a flood of logins costs
// its senders time and us no memory.
package argon2id

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

// Params are the costs of a hash.
type Params struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// Recommended is the OWASP password storage recommendation for argon2id, the one with the least memory that keeps one lane: some
// 20 ms of one core, 19 MiB.
var Recommended = Params{MemoryKiB: 19 * 1024, Passes: 2, Lanes: 1}

const (
	saltBytes = 16
	hashBytes = 32

	// waitingPerSlot bounds the queue: at some 20 ms each, who comes later would wait two seconds or more.
	waitingPerSlot = 64

	// A stored hash with more than this is not ours; computing it would be somebody's attack.
	maxMemoryKiB = 256 * 1024
	maxPasses    = 16
	maxStored    = 256
)

var errMalformed = errors.New("the stored password hash is not an argon2id PHC string")

// Hasher hashes with fixed parameters and a bounded number of computations. Safe for concurrent use.
type Hasher struct {
	params  Params
	running chan struct{} // as many as may compute
	waiting chan struct{} // as many as may compute or wait
	nobody  account.PasswordHash
}

// New makes a hasher. At most one computation per processor runs, since more would only be slower together.
func New(p Params) *Hasher {
	slots := runtime.GOMAXPROCS(0)
	h := &Hasher{
		params:  p,
		running: make(chan struct{}, slots),
		waiting: make(chan struct{}, slots*(1+waitingPerSlot)),
	}
	h.nobody = encode(p, make([]byte, saltBytes), make([]byte, hashBytes))
	return h
}

// Hash derives a new hash with a random salt.
func (h *Hasher) Hash(ctx context.Context, p account.Password) (account.PasswordHash, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	sum, err := h.compute(ctx, p, salt, h.params, hashBytes)
	if err != nil {
		return "", err
	}
	return encode(h.params, salt, sum), nil
}

// Verify compares p with a stored hash; with an empty one it computes as long and answers false.
func (h *Hasher) Verify(ctx context.Context, stored account.PasswordHash, p account.Password) (match, outdated bool, err error) {
	nobody := stored == ""
	if nobody {
		stored = h.nobody
	}
	params, salt, want, err := decode(stored)
	if err != nil {
		return false, false, err
	}
	got, err := h.compute(ctx, p, salt, params, uint32(len(want))) //nolint:gosec // G115: decode bounds it
	if err != nil {
		return false, false, err
	}
	match = subtle.ConstantTimeCompare(got, want) == 1 && !nobody
	return match, params != h.params, nil
}

func (h *Hasher) compute(ctx context.Context, p account.Password, salt []byte, with Params, size uint32) ([]byte, error) {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return nil, account.ErrBusy
	}
	select {
	case h.running <- struct{}{}:
		defer func() { <-h.running }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// One password can be typed as different bytes: é is one code point on one keyboard and two on another (RFC 8265, 4.2.2).
	typed := norm.NFC.Bytes([]byte(p))
	return argon2.IDKey(typed, salt, with.Passes, with.MemoryKiB, with.Lanes, size), nil
}

func encode(p Params, salt, sum []byte) account.PasswordHash {
	b64 := base64.RawStdEncoding
	return account.PasswordHash(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.MemoryKiB, p.Passes, p.Lanes, b64.EncodeToString(salt), b64.EncodeToString(sum)))
}

func decode(stored account.PasswordHash) (p Params, salt, sum []byte, err error) {
	parts := strings.Split(string(stored), "$")
	if len(stored) > maxStored || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return Params{}, nil, nil, errMalformed
	}
	if parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return Params{}, nil, nil, errMalformed
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &p.Lanes); err != nil {
		return Params{}, nil, nil, errMalformed
	}
	if p.MemoryKiB > maxMemoryKiB || p.Passes == 0 || p.Passes > maxPasses || p.Lanes == 0 {
		return Params{}, nil, nil, errMalformed
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || sumErr != nil || len(salt) == 0 || len(sum) < 16 {
		return Params{}, nil, nil, errMalformed
	}
	return p, salt, sum, nil
}
