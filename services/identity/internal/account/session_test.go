package account

import (
	"errors"
	"testing"
	"time"
)

func TestWhatBecomesOfAShownRefreshToken(t *testing.T) {
	ago := func(d time.Duration) *time.Time {
		at := noon.Add(-d)
		return &at
	}
	live := Session{
		ID: "s", UserID: "u", CreatedAt: noon.Add(-time.Hour), ExpiresAt: noon.Add(time.Hour), RefreshWindowAt: noon.Add(-time.Hour),
	}
	revoked, expired, busy := live, live, live
	revoked.RevokedAt = ago(time.Second)
	expired.ExpiresAt = noon
	busy.RefreshWindowAt, busy.RefreshCount = noon.Add(-time.Second), RefreshesAMinute
	user := someone("u", Agent)

	tests := []struct {
		name   string
		family Family
		want   Verdict
	}{
		{"the current token is rotated", Family{Session: live, User: user}, Rotate},
		{"a token rotated just now is answered again", Family{Session: live, User: user, RotatedAt: ago(0), Successor: "lpr_2"}, Repeat},
		{"and up to 30 s later", Family{Session: live, User: user, RotatedAt: ago(ReplayWindow), Successor: "lpr_2"}, Repeat},
		{"but never with nothing", Family{Session: live, User: user, RotatedAt: ago(time.Second)}, Refuse},
		{"a moment later somebody has a copy", Family{Session: live, User: user, RotatedAt: ago(ReplayWindow + time.Microsecond)}, Revoke},
		{"reuse is seen however busy the session is", Family{Session: busy, User: user, RotatedAt: ago(time.Hour)}, Revoke},
		{"too many refreshes wait", Family{Session: busy, User: user}, Limit},
		{"repeats count, too", Family{Session: busy, User: user, RotatedAt: ago(time.Second), Successor: "lpr_2"}, Limit},
		{"a revoked session is over", Family{Session: revoked, User: user}, Refuse},
		{"and stays over for a rotated token", Family{Session: revoked, User: user, RotatedAt: ago(time.Hour)}, Refuse},
		{"an expired session is over", Family{Session: expired, User: user}, Refuse},
		{"a disabled user is out", Family{Session: live, User: disabled(user)}, Refuse},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, got := tt.family.Judge(Client{}, noon); got != tt.want {
				t.Errorf("verdict = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestASessionLivesOnWhileItIsRefreshedButNotForEver(t *testing.T) {
	s := newSession("s", "u", Client{}, false, noon)
	for at := noon; ; at = at.Add(SessionIdleLife - time.Hour) {
		next, verdict := Family{Session: s, User: someone("u", Agent)}.Judge(Client{}, at)
		if verdict == Refuse {
			if at.Before(noon.Add(SessionLongestLife)) {
				t.Fatalf("ended after %s, before its longest life", at.Sub(noon))
			}
			return
		}
		if next.ExpiresAt.After(noon.Add(SessionLongestLife)) {
			t.Fatalf("would live until %s after its login", next.ExpiresAt.Sub(noon))
		}
		s = next
	}
}

func TestTheRefreshLimitEndsWithItsMinute(t *testing.T) {
	f := Family{Session: newSession("s", "u", Client{}, false, noon), User: someone("u", Agent)}
	for i := range RefreshesAMinute {
		next, verdict := f.Judge(Client{}, noon.Add(time.Second))
		if verdict != Rotate {
			t.Fatalf("refresh %d: verdict %d", i, verdict)
		}
		f.Session = next
	}
	if _, verdict := f.Judge(Client{}, noon.Add(59*time.Second)); verdict != Limit {
		t.Errorf("one more within the minute: verdict %d, want %d", verdict, Limit)
	}
	if got, want := f.limited(noon.Add(59*time.Second)), (LimitedError{"refresh", time.Second}); !errors.Is(got, want) {
		t.Errorf("refusal = %v, want %v", got, want)
	}
	if _, verdict := f.Judge(Client{}, noon.Add(time.Minute)); verdict != Rotate {
		t.Errorf("in the next minute: verdict %d, want %d", verdict, Rotate)
	}
}

func TestHowLongAGuesserWaits(t *testing.T) {
	tenth := noon.Add(-10 * time.Minute)
	tests := []struct {
		name     string
		failures Failures
		now      time.Time
		want     time.Duration
		slow     bool
	}{
		{"nine failures do not stop anybody", Failures{OfAccount: 9}, noon, 0, false},
		{"the tenth does, until the oldest of them is 15 minutes old", Failures{TenthNewest: &tenth, OfAccount: 10}, noon, 5 * time.Minute, false},
		{"then it is over", Failures{TenthNewest: &tenth, OfAccount: 10}, noon.Add(5 * time.Minute), 0, false},
		{"fifty an hour make the account slow and lock nobody out", Failures{OfAccount: FailuresPerHour}, noon, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.failures.Wait(tt.now); got != tt.want {
				t.Errorf("wait = %s, want %s", got, tt.want)
			}
			if got := tt.failures.Slow(); got != tt.slow {
				t.Errorf("slow = %v, want %v", got, tt.slow)
			}
		})
	}
}
