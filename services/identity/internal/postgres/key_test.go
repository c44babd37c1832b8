package postgres

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

func TestReplicasThatRotateAtOnceMakeOneKey(t *testing.T) {
	s := newStore(t)
	now := noon
	for range 3 {
		var wg sync.WaitGroup
		signers := make([]string, 6)
		for i := range signers {
			wg.Go(func() {
				ring := signing.NewKeyring(s, account.AccessTokenLife, func() time.Time { return now })
				if err := ring.Rotate(t.Context()); err != nil {
					t.Error(err)
				}
				k, err := ring.Signer(t.Context())
				if err != nil {
					t.Error(err)
				}
				signers[i] = k.ID
			})
		}
		wg.Wait()
		for _, id := range signers {
			if id != signers[0] {
				t.Fatalf("replicas sign with %s and %s", signers[0], id)
			}
		}
		now = now.Add(signing.Period)
	}
	set, err := s.Keys(t.Context(), noon)
	if err != nil || len(set) != 3 {
		t.Fatalf("%d keys after three rotations, %v", len(set), err)
	}
	removed, err := s.RemoveRetired(t.Context(), now)
	if err != nil || removed != 2 {
		t.Errorf("%d keys removed, %v; want the two whose tokens have all ended", removed, err)
	}
}

func TestPrivateKeysAreSealedAndComeBack(t *testing.T) {
	s := newStore(t)
	ring := signing.NewKeyring(s, account.AccessTokenLife, func() time.Time { return noon })
	if err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	k, err := ring.Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var sealed, public []byte
	err = s.pool.QueryRow(t.Context(), `SELECT private_sealed, public_key FROM identity.signing_key`).Scan(&sealed, &public)
	if err != nil || bytes.Contains(sealed, k.Private.Seed()) {
		t.Errorf("the private key lies in clear (%v)", err)
	}
	if !bytes.Equal(public, k.Public()) {
		t.Error("the public part is another key's")
	}
}

// Nobody needs a retired key, so one that nobody can open any more is no reason to let nobody in.
func TestARetiredKeyThatCannotBeOpenedHindersNobody(t *testing.T) {
	s := newStore(t)
	now := noon
	ring := signing.NewKeyring(s, account.AccessTokenLife, func() time.Time { return now })
	for range 2 {
		if err := ring.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(signing.Period)
	}
	_, err := s.pool.Exec(t.Context(), `UPDATE identity.signing_key SET private_sealed = 'damaged' WHERE generation = 1`)
	if err != nil {
		t.Fatal(err)
	}
	if set, err := s.Keys(t.Context(), now); err != nil || len(set) != 1 || set[0].Generation != 2 {
		t.Errorf("keys = %v, %v; want the second alone", set, err)
	}
	if _, err := s.Keys(t.Context(), noon); err == nil {
		t.Error("the same key, while its tokens live, was passed over in silence")
	}
}

func TestAForeignKeysetSaysWhatToDo(t *testing.T) {
	s := newStore(t)
	if err := signing.NewKeyring(s, account.AccessTokenLife, time.Now).Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keyset, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	if s.sealer, err = seal.New(conf.Secret(keyset)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Keys(t.Context(), noon); err == nil || !strings.Contains(err.Error(), "CREDENTIALS_KEYSET") {
		t.Errorf("err = %v", err)
	}
}
