package postgres

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

type pgxTx = pgx.Tx

func judgeAt(at time.Time) func(account.Family) (account.Session, account.Verdict) {
	return func(f account.Family) (account.Session, account.Verdict) { return f.Judge(account.Client{}, at) }
}

// refresh answers what the client would hold afterwards.
func refresh(t *testing.T, s *Store, shown account.RefreshToken, at time.Time) (account.RefreshToken, account.Verdict, error) {
	t.Helper()
	next := account.NewRefreshToken()
	f, verdict, err := s.Refresh(t.Context(), shown.Hash(), next, at, judgeAt(at))
	if verdict == account.Repeat {
		return f.Successor, verdict, err
	}
	return next, verdict, err
}

func TestManyRefreshesOfOneTokenAtOnceGetOneSuccessor(t *testing.T) {
	s := newStore(t)
	for range 10 {
		_, token := begin(t, s, put(t, s, someone(account.Agent)))
		var wg sync.WaitGroup
		var got [6]account.RefreshToken
		var verdicts [6]account.Verdict
		for i := range got {
			wg.Go(func() {
				var err error
				if got[i], verdicts[i], err = refresh(t, s, token, noon.Add(time.Second)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		rotations := 0
		for i := range got {
			if verdicts[i] == account.Rotate {
				rotations++
			}
			if string(got[i]) != string(got[0]) {
				t.Fatalf("two successors of one token (verdicts %v)", verdicts)
			}
		}
		if rotations != 1 {
			t.Fatalf("%d rotations of one token, want 1", rotations)
		}
		if _, verdict, err := refresh(t, s, got[0], noon.Add(2*time.Second)); verdict != account.Rotate || err != nil {
			t.Fatalf("the successor does not work: verdict %d, %v", verdict, err)
		}
	}
}

func TestATokenReusedLateRevokesItsFamilyAndNoOther(t *testing.T) {
	s := newStore(t)
	u := put(t, s, someone(account.Agent))
	_, stolen := begin(t, s, u)
	_, other := begin(t, s, u)
	current, _, err := refresh(t, s, stolen, noon)
	if err != nil {
		t.Fatal(err)
	}
	late := noon.Add(account.ReplayWindow + time.Second)
	if _, verdict, err := refresh(t, s, stolen, late); verdict != account.Revoke || err != nil {
		t.Fatalf("reuse: verdict %d, %v", verdict, err)
	}
	if _, verdict, _ := refresh(t, s, current, late); verdict != account.Refuse {
		t.Errorf("the family lives on: verdict %d", verdict)
	}
	if _, verdict, _ := refresh(t, s, other, late); verdict != account.Rotate {
		t.Errorf("another session of the user ended with it: verdict %d", verdict)
	}
}

func TestASuccessorIsKeptSealedAndOnlyAsLongAsItIsAnswered(t *testing.T) {
	s := newStore(t)
	session, first := begin(t, s, put(t, s, someone(account.Agent)))
	second, _, err := refresh(t, s, first, noon)
	if err != nil {
		t.Fatal(err)
	}
	var readable, sealed int
	const count = `SELECT count(*) FILTER (WHERE position($2::bytea IN successor_sealed) > 0), count(successor_sealed)
		FROM identity.refresh_token WHERE session_id = $1`
	if err := s.pool.QueryRow(t.Context(), count, session.ID, []byte(second)).Scan(&readable, &sealed); err != nil {
		t.Fatal(err)
	}
	if readable != 0 || sealed != 1 {
		t.Errorf("%d successors in clear and %d sealed, want 0 and 1", readable, sealed)
	}
	if _, _, err := refresh(t, s, second, noon.Add(account.SuccessorLife+time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := s.pool.QueryRow(t.Context(), count, session.ID, []byte(second)).Scan(&readable, &sealed); err != nil {
		t.Fatal(err)
	}
	if sealed != 1 {
		t.Errorf("%d successors are kept after the first one's seconds are over, want 1", sealed)
	}
}

// Replicas' clocks differ: the successor of a token must outlive its seconds on the slowest of them.
func TestASuccessorIsStillKnownToAReplicaWhoseClockIsBehind(t *testing.T) {
	s := newStore(t)
	_, first := begin(t, s, put(t, s, someone(account.Agent)))
	second, _, err := refresh(t, s, first, noon)
	if err != nil {
		t.Fatal(err)
	}
	ahead := noon.Add(account.ReplayWindow + 5*time.Second)
	if _, err := s.RemoveExpired(t.Context(), ahead, noon); err != nil {
		t.Fatal(err)
	}
	if _, _, err := refresh(t, s, second, ahead); err != nil {
		t.Fatal(err)
	}
	again, verdict, err := refresh(t, s, first, noon.Add(account.ReplayWindow))
	if verdict != account.Repeat || string(again) != string(second) || err != nil {
		t.Errorf("verdict %d, the same successor: %v (%v)", verdict, string(again) == string(second), err)
	}
}

func TestAnUnknownTokenIsAnEndedSession(t *testing.T) {
	s := newStore(t)
	if _, _, err := refresh(t, s, account.NewRefreshToken(), noon); !errors.Is(err, account.ErrSessionEnded) {
		t.Errorf("err = %v", err)
	}
	if err := s.RevokeByToken(t.Context(), account.NewRefreshToken().Hash(), account.RevokedByLogout, noon); err != nil {
		t.Errorf("logging out with it: %v", err)
	}
}

func TestTenFailuresOfOnePairAreAnsweredHoweverManyComeAtOnce(t *testing.T) {
	s := newStore(t)
	u := put(t, s, someone(account.Agent))
	var wg sync.WaitGroup
	results := make(chan error, 40)
	for range cap(results) {
		wg.Go(func() {
			_, err := s.SettleLogin(t.Context(), guess(u, noon))
			results <- err
		})
	}
	wg.Wait()
	close(results)
	wrong, limited := 0, 0
	for err := range results {
		var l account.LimitedError
		switch {
		case errors.Is(err, account.ErrBadCredentials):
			wrong++
		case errors.As(err, &l):
			limited++
		default:
			t.Errorf("unexpected: %v", err)
		}
	}
	if wrong != account.FailuresPerPair || limited != 40-account.FailuresPerPair {
		t.Errorf("%d guesses were judged and %d refused, want 10 and 30", wrong, limited)
	}
	// Even the right password learns nothing now, or the eleventh guess would have been judged.
	var l account.LimitedError
	if _, err := s.SettleLogin(t.Context(), attempt(u, noon)); !errors.As(err, &l) || l.After != account.PairWindow {
		t.Errorf("the right password: %v", err)
	}
	elsewhere := attempt(u, noon)
	elsewhere.From.Address = "198.51.100.9"
	if _, err := s.SettleLogin(t.Context(), elsewhere); err != nil {
		t.Errorf("another address must not suffer: %v", err)
	}
	if _, err := s.SettleLogin(t.Context(), attempt(u, noon.Add(account.PairWindow))); err != nil {
		t.Errorf("15 minutes later: %v", err)
	}
}

func TestFailuresFromManyAddressesMakeTheAccountSlow(t *testing.T) {
	s := newStore(t)
	u := put(t, s, someone(account.Agent))
	for i := range account.FailuresPerHour {
		a := guess(u, noon.Add(time.Duration(i)*time.Second))
		a.From.Address = fmt.Sprintf("198.51.100.%d", i)
		if _, err := s.SettleLogin(t.Context(), a); !errors.Is(err, account.ErrBadCredentials) {
			t.Fatal(err)
		}
	}
	key := account.NewFailureKey(string(u.Email))
	for at, want := range map[time.Time]bool{noon.Add(time.Minute): true, noon.Add(account.AccountWindow): false} {
		f, err := s.LoginFailures(t.Context(), key, "203.0.113.7", at)
		if err != nil || f.Slow() != want || f.Wait(at) != 0 {
			t.Errorf("at %s: slow = %v, wait = %s, %v; want slow = %v and no lock", at, f.Slow(), f.Wait(at), err, want)
		}
	}
}

// The limit is looked at before the password is compared, which takes long; only the count under the lock is certain.
func TestTheRightPasswordAmongGuessesMadeAtOnceChangesNothingOnceTheLimitIsReached(t *testing.T) {
	s := newStore(t)
	u := put(t, s, someone(account.Agent))
	r := replacement(u, "new", "")
	for range account.FailuresPerPair {
		if err := s.CountFailure(t.Context(), r.Account, r.From.Network(), r.At); err != nil {
			t.Fatal(err)
		}
	}
	var l account.LimitedError
	if err := s.ChangePassword(t.Context(), r); !errors.As(err, &l) {
		t.Errorf("err = %v, want to wait", err)
	}
	if _, hash, err := s.CredentialsOf(t.Context(), u.ID); err != nil || string(hash) == "new" {
		t.Errorf("the password was changed (%v)", err)
	}
	r.From.Address = "198.51.100.9"
	if err := s.ChangePassword(t.Context(), r); err != nil {
		t.Errorf("from another address: %v", err)
	}
}

func TestALoginWithAPasswordChangedMeanwhileOpensNothing(t *testing.T) {
	s := newStore(t)
	u := put(t, s, someone(account.Agent))
	if err := s.ChangePassword(t.Context(), replacement(u, "new", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SettleLogin(t.Context(), attempt(u, noon)); !errors.Is(err, account.ErrBadCredentials) {
		t.Errorf("err = %v", err)
	}
	if err := s.ChangePassword(t.Context(), replacement(u, "newer", "")); !errors.Is(err, account.ErrStale) {
		t.Errorf("a second change from the same old password: %v", err)
	}
}

func TestAChangedPasswordEndsAllSessionsButTheOneThatChangedIt(t *testing.T) {
	s := newStore(t)
	u := put(t, s, someone(account.Agent))
	mine, mineToken := begin(t, s, u)
	_, otherToken := begin(t, s, u)
	if err := s.ChangePassword(t.Context(), replacement(u, "new", mine.ID)); err != nil {
		t.Fatal(err)
	}
	if _, verdict, _ := refresh(t, s, mineToken, noon); verdict != account.Rotate {
		t.Errorf("own session: verdict %d", verdict)
	}
	if _, verdict, _ := refresh(t, s, otherToken, noon); verdict != account.Refuse {
		t.Errorf("other session: verdict %d", verdict)
	}
}

func TestCleanupRemovesWhatEndedAndKeepsTheTokensOfALivingFamily(t *testing.T) {
	s := newStore(t)
	u := put(t, s, someone(account.Agent))
	_, first := begin(t, s, u) // rotated below; its session lives an hour
	second, _, err := refresh(t, s, first, noon)
	if err != nil {
		t.Fatal(err)
	}
	_, loggedOut := begin(t, s, u)
	if err := s.RevokeByToken(t.Context(), loggedOut.Hash(), account.RevokedByLogout, noon); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SettleLogin(t.Context(), guess(u, noon.AddDate(0, 0, -31))); !errors.Is(err, account.ErrBadCredentials) {
		t.Fatal(err)
	}
	if _, err := s.SettleLogin(t.Context(), guess(u, noon)); !errors.Is(err, account.ErrBadCredentials) {
		t.Fatal(err)
	}
	at := noon.Add(30 * time.Minute)
	removed, err := s.RemoveExpired(t.Context(), at, at.AddDate(0, 0, -30))
	if want := (account.Removed{Sessions: 1, RefreshTokens: 1, LoginFailures: 1}); removed != want || err != nil {
		t.Errorf("removed %+v, %v; want %+v", removed, err, want)
	}
	if err := s.Tidy(t.Context()); err != nil {
		t.Error(err)
	}
	if _, verdict, _ := refresh(t, s, first, at); verdict != account.Revoke {
		t.Errorf("a stolen token of a living family is no longer recognised: verdict %d", verdict)
	}
	if _, verdict, _ := refresh(t, s, second, at); verdict != account.Refuse {
		t.Errorf("and its family goes on: verdict %d", verdict)
	}
}
