package signing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// table is a store in memory; the real one is held to the same races in package postgres.
type table struct {
	set  Set
	down error
}

func (s *table) Keys(context.Context, time.Time) (Set, error) { return s.set, s.down }

func (s *table) AddKey(_ context.Context, k Key, _ time.Time) (bool, error) {
	for _, other := range s.set {
		if other.Generation == k.Generation {
			return false, nil
		}
	}
	s.set = append(s.set, k)
	return true, nil
}

func (s *table) RemoveRetired(context.Context, time.Time) (int64, error) { return 0, nil }

func TestTokensGoOnWhileTheDatabaseIsAway(t *testing.T) {
	now := start
	s := &table{}
	ring := NewKeyring(s, tokenLife, func() time.Time { return now })
	if _, err := ring.Signer(t.Context()); !errors.Is(err, ErrNoKey) {
		t.Errorf("before the first key: %v", err)
	}
	if err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.down = errors.New("connection refused")
	now = now.Add(time.Hour)
	if _, err := ring.Signer(t.Context()); err != nil {
		t.Errorf("sign: %v", err)
	}
	if _, err := ring.Published(t.Context()); err != nil {
		t.Errorf("publish: %v", err)
	}
	if err := NewKeyring(s, tokenLife, time.Now).Rotate(t.Context()); !errors.Is(err, s.down) {
		t.Errorf("a replica that never read a key: %v", err)
	}
}

func TestAKeyOfAnotherReplicaIsSeenWithinAMinute(t *testing.T) {
	now := start
	s := &table{}
	ring := NewKeyring(s, tokenLife, func() time.Time { return now })
	if err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := Key{ID: "other", Generation: 2, Private: s.set[0].Private, PublishFrom: start, SignFrom: start.Add(Lead)}
	s.set = append(s.set, other)
	now = now.Add(reloadEvery)
	if published, err := ring.Published(t.Context()); err != nil || len(published) != 2 {
		t.Errorf("published = %v, %v", published, err)
	}
}

func TestAPrivateKeyIsNotPrinted(t *testing.T) {
	s := &table{}
	if err := NewKeyring(s, tokenLife, time.Now).Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	k := s.set[0]
	printed := fmt.Sprintf("%v %+v %#v %s", k, k, k, k) + k.LogValue().String()
	if strings.Contains(printed, fmt.Sprintf("%d", k.Private)) || strings.Count(printed, k.ID) != 5 {
		t.Errorf("printed: %s", printed)
	}
}
