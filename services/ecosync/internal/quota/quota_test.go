package quota_test

import (
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestEveryWindowEndsWhereItsBudgetDoes(t *testing.T) {
	for window, limits := range [][2]int64{{4, 2}, {40, 20}, {800, 400}, {8_000, 4_000}} {
		if live, background := quota.Limit(window, quota.Live), quota.Limit(window, quota.Background); live != limits[0] || background != limits[1] {
			t.Errorf("window %d: %d and %d, want %v", window, live, background, limits)
		}
		var s quota.State
		s.Windows[window] = quota.Window{Began: noon, Spent: limits[0] - 1}
		s, wait := s.Take(noon, quota.Live)
		if !wait.IsZero() {
			t.Errorf("window %d: its last request waits until %s", window, wait)
		}
		if got := s.Left(noon); got != 0 {
			t.Errorf("window %d: %d left", window, got)
		}
		end := noon.Add(quota.Length(window))
		if _, wait = s.Take(noon, quota.Live); !wait.Equal(end) {
			t.Errorf("window %d: one too many waits until %s, want %s", window, wait, end)
		}
		if wait := s.Wait(end, quota.Live); !wait.IsZero() {
			t.Errorf("window %d: at its end it waits until %s", window, wait)
		}
	}
}

func TestBackgroundWaitsWhereTheLiveGoOn(t *testing.T) {
	var s quota.State
	for range 2 {
		s, _ = s.Take(noon, quota.Background)
	}
	if wait := s.Wait(noon, quota.Background); !wait.Equal(noon.Add(time.Second)) {
		t.Errorf("half is spent, and background waits until %s", wait)
	}
	if wait := s.Wait(noon, quota.Live); !wait.IsZero() {
		t.Errorf("a live pass waits for background until %s", wait)
	}
}

func TestABlockHoldsEverybody(t *testing.T) {
	s := quota.State{BlockedUntil: noon.Add(quota.Unsaid)}
	for _, share := range []quota.Share{quota.Live, quota.Background} {
		if wait := s.Wait(noon, share); !wait.Equal(noon.Add(time.Minute)) {
			t.Errorf("%d waits until %s", share, wait)
		}
	}
	if s.Left(noon) != 0 || s.Left(noon.Add(time.Minute)) != 8_000 {
		t.Error("a block leaves requests, or outlives itself")
	}
}
