package argon2id

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

var cheap = Params{MemoryKiB: 8, Passes: 1, Lanes: 1}

func TestAHashMatchesItsPasswordAndNoOther(t *testing.T) {
	h := New(cheap)
	hash, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(hash), "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Errorf("not the PHC string of these parameters: %s", string(hash))
	}
	for p, want := range map[account.Password]bool{"correct horse": true, "correct horsf": false, "": false} {
		match, outdated, err := h.Verify(t.Context(), hash, p)
		if match != want || outdated || err != nil {
			t.Errorf("Verify(%q) = %v, %v, %v; want %v", string(p), match, outdated, err, want)
		}
	}
}

func TestTwoHashesOfOnePasswordDiffer(t *testing.T) {
	h := New(cheap)
	a, errA := h.Hash(t.Context(), "correct horse")
	b, errB := h.Hash(t.Context(), "correct horse")
	if errA != nil || errB != nil || a == b {
		t.Error("the salt is not random")
	}
}

func TestOneLetterTypedInTwoWaysIsOnePassword(t *testing.T) {
	h := New(cheap)
	hash, err := h.Hash(t.Context(), "caf\u00e9 du port")
	if err != nil {
		t.Fatal(err)
	}
	if match, _, err := h.Verify(t.Context(), hash, "cafe\u0301 du port"); !match || err != nil {
		t.Errorf("match = %v, %v", match, err)
	}
}

func TestAHashOfOtherParametersIsVerifiedAndOutdated(t *testing.T) {
	hash, err := New(Params{MemoryKiB: 16, Passes: 2, Lanes: 1}).Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	match, outdated, err := New(cheap).Verify(t.Context(), hash, "correct horse")
	if !match || !outdated || err != nil {
		t.Errorf("match, outdated, err = %v, %v, %v", match, outdated, err)
	}
}

func TestNobodysPasswordIsComputedAndNeverMatches(t *testing.T) {
	h := New(cheap)
	for _, p := range []account.Password{"", "correct horse"} {
		if match, _, err := h.Verify(t.Context(), "", p); match || err != nil {
			t.Errorf("match = %v, %v", match, err)
		}
	}
	// The same work: an unknown account goes through compute with today's parameters, as a known one does.
	full := &Hasher{params: cheap, running: h.running, waiting: make(chan struct{}), nobody: h.nobody}
	if _, _, err := full.Verify(t.Context(), "", "x"); !errors.Is(err, account.ErrBusy) {
		t.Errorf("err = %v: nobody's password did not queue like anybody's", err)
	}
}

func TestAForeignOrExcessiveHashIsRefused(t *testing.T) {
	for name, stored := range map[string]account.PasswordHash{
		"bcrypt":          "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":         "$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"gigabytes":       "$argon2id$v=19$m=4194304,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"no passes":       "$argon2id$v=19$m=8,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"an empty sum":    "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$",
		"another version": "$argon2id$v=16$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
	} {
		t.Run(name, func(t *testing.T) {
			if match, _, err := New(cheap).Verify(t.Context(), stored, "x"); match || err == nil {
				t.Errorf("match = %v, err = %v", match, err)
			}
		})
	}
}

// A login flood holds no more memory than the slots allow, and is told to come back instead of queueing without end.
func TestAFloodIsBounded(t *testing.T) {
	h := New(cheap)
	for range cap(h.running) { // every slot is taken and stays so
		h.running <- struct{}{}
		h.waiting <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var queue sync.WaitGroup
	for range cap(h.waiting) - cap(h.running) {
		queue.Go(func() {
			if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
				t.Errorf("a waiting one ended with %v", err)
			}
		})
	}
	for len(h.waiting) < cap(h.waiting) { // until all of them stand in the queue
		runtime.Gosched()
	}
	if _, err := h.Hash(t.Context(), "x"); !errors.Is(err, account.ErrBusy) {
		t.Errorf("one more: err = %v, want %v", err, account.ErrBusy)
	}
	cancel()
	queue.Wait()
}
