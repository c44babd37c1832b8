package passtest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// Subject is a journal under test with a store in it, and what a person or
// another replica may do to that store.
type Subject struct {
	Journal pass.Journal
	StoreID string
	// Expire lets the lease run out, Pause stops the store, Resume lets it run.
	Expire, Pause, Resume func()
}

// JournalSuite holds a journal to its contract.
func JournalSuite(t *testing.T, subject func(t *testing.T) Subject) {
	const lease = time.Minute
	begin := func(t *testing.T, s Subject) pass.Ticket {
		t.Helper()
		ticket, err := s.Journal.Begin(t.Context(), s.StoreID, lease)
		if err != nil {
			t.Fatal(err)
		}
		return ticket
	}
	finish := func(t *testing.T, s Subject, ticket pass.Ticket, e pass.Ending) {
		t.Helper()
		if e.Position.Mode == "" {
			e.Position = ticket.Position
		}
		if err := s.Journal.Finish(t.Context(), ticket, e); err != nil {
			t.Fatal(err)
		}
	}
	want := func(t *testing.T, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	t.Run("a new store has read nothing", func(t *testing.T) {
		ticket := begin(t, subject(t))
		if diff := cmp.Diff(pass.Position{Mode: pass.ByChange}, ticket.Position); diff != "" || ticket.States.Version != 1 || ticket.PassID == 0 || ticket.Store.ID == "" || ticket.Store.TimeZone != "Africa/Algiers" {
			t.Errorf("%+v\n%s", ticket, diff)
		}
	})
	t.Run("one pass at a time", func(t *testing.T) {
		s := subject(t)
		first := begin(t, s)
		_, err := s.Journal.Begin(t.Context(), s.StoreID, lease)
		want(t, err, pass.ErrAlreadyRunning)
		finish(t, s, first, pass.Ending{Result: pass.Failed, Failure: shop.Unavailable, Message: "down"})
		if next := begin(t, s); next.Term <= first.Term || next.Position.Head != nil {
			t.Errorf("first %+v, next %+v", first, next)
		}
	})
	t.Run("who has lost the term writes nothing", func(t *testing.T) {
		s := subject(t)
		first := begin(t, s)
		want(t, s.Journal.Renew(t.Context(), first, lease), nil)
		s.Expire()
		second := begin(t, s)
		ctx := t.Context()
		want(t, s.Journal.Renew(ctx, first, lease), pass.ErrTermLost)
		want(t, s.Journal.Checkpoint(ctx, first, pass.Checkpoint{Position: first.Position}), pass.ErrTermLost)
		want(t, s.Journal.Finish(ctx, first, pass.Ending{Result: pass.Succeeded, Position: pass.Position{Mode: pass.ByChange, Head: &shop.Key{At: time.Now(), ID: 9}}}), pass.ErrTermLost)
		want(t, s.Journal.Checkpoint(ctx, second, pass.Checkpoint{Position: second.Position}), nil)
		finish(t, s, second, pass.Ending{Result: pass.Cancelled})
		if next := begin(t, s); next.Position.Head != nil {
			t.Error("the head was moved by a pass that had lost its term")
		}
	})
	t.Run("the position is kept and given back", func(t *testing.T) {
		s := subject(t)
		at := time.Date(2025, 11, 18, 9, 2, 44, 0, time.UTC)
		position := pass.Position{Head: &shop.Key{At: at, ID: 700123}, Settled: true, Floor: at.AddDate(0, 0, -30), Mode: pass.ByChange, Gaps: []pass.Gap{
			{Last: shop.Key{At: at.Add(-time.Hour), ID: 7}, Cursor: "c", Floor: shop.Key{At: at.Add(-2 * time.Hour), ID: 5}, Settled: true, Failures: 3, Failure: shop.Unavailable, Since: at},
			{Cursor: "d"},
		}, Scan: &pass.Scan{Last: 9, Cursor: "e", Rows: 100, Bottom: 3}, ScannedAt: at}
		finish(t, s, begin(t, s), pass.Ending{Result: pass.Succeeded, Position: position})
		ticket := begin(t, s)
		if diff := cmp.Diff(position, ticket.Position); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// A checkpoint moves it too: who takes over a dead pass goes on from there
		// (lesson P9).
		position.Gaps = position.Gaps[:1]
		want(t, s.Journal.Checkpoint(t.Context(), ticket, pass.Checkpoint{Position: position}), nil)
		s.Expire()
		if diff := cmp.Diff(position, begin(t, s).Position); diff != "" {
			t.Errorf("after a checkpoint (-want +got):\n%s", diff)
		}
	})
	t.Run("a paused store is told to its pass and begins no other", func(t *testing.T) {
		s := subject(t)
		ticket := begin(t, s)
		s.Pause()
		want(t, s.Journal.Renew(t.Context(), ticket, lease), pass.ErrPaused)
		finish(t, s, ticket, pass.Ending{Result: pass.Cancelled})
		_, err := s.Journal.Begin(t.Context(), s.StoreID, lease)
		want(t, err, pass.ErrPaused)
		s.Resume()
		begin(t, s)
	})
	t.Run("an unknown store is gone", func(t *testing.T) {
		_, err := subject(t).Journal.Begin(t.Context(), "00000000-0000-7000-8000-000000000000", lease)
		want(t, err, pass.ErrGone)
	})
}
