package postgres_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

func TestAMapIsSavedAsItsNextVersionAndAudited(t *testing.T) {
	db, pool := open(t)
	s := insert(t, db, "NATU")
	entries := []statemap.Entry{{State: "Expédié", Meaning: statemap.FollowUp}}
	saved, err := db.SaveStateMap(asAdmin(t), s.ID, 1, entries, store.Request{Action: "UpdateStateMap"})
	if meaning, _ := saved.Meaning("expediee"); err != nil || saved.Version != 2 || meaning != statemap.FollowUp {
		t.Fatalf("version %d, %s, %v", saved.Version, meaning, err)
	}
	if _, err := db.SaveStateMap(asAdmin(t), s.ID, 1, entries, store.Request{}); !errors.Is(err, store.ErrMapStale) {
		t.Errorf("a version that is gone: %v", err)
	}
	if _, err := db.SaveStateMap(asAdmin(t), uuid.NewString(), 1, entries, store.Request{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no such store: %v", err)
	}
	events, _, err := db.Audit(t.Context(), audit.Filter{Resource: "store/" + s.ID, PageSize: 1})
	if err != nil || len(events) != 1 || events[0].Action != "UpdateStateMap" {
		t.Errorf("%+v, %v", events, err)
	}
	var versions int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM ecosync.state_map WHERE store_id = $1`, s.ID).Scan(&versions); err != nil || versions != 2 {
		t.Errorf("%d versions are kept, %v", versions, err)
	}
}
