package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

func (f *fixture) guess(email, password, address string) error {
	_, err := f.Login(f.from(address), &identityv1.LoginRequest{Email: email, Password: password})
	return err
}

func (f *fixture) refresh(token string) (*identityv1.RefreshResponse, error) {
	return f.Refresh(f.from(office), &identityv1.RefreshRequest{RefreshToken: token})
}

func TestALoginOpensASessionWhoseTokenEndsAfterFifteenMinutes(t *testing.T) {
	f := serve(t)
	session := f.login("ADMIN@Shop.DZ ", adminPassword)
	if session.GetExpiresIn() != 900 || session.GetUser().GetRole() != accessv1.Role_ADMIN || session.GetCookie() {
		t.Errorf("login answered %v", session)
	}
	me, err := f.GetMe(f.with(session.GetAccessToken()), &identityv1.GetMeRequest{})
	if err != nil || me.GetUser().GetEmail() != adminEmail || me.GetUser().GetLastLoginAt() == nil {
		t.Fatalf("me = %v, %v", me, err)
	}
	f.clock.advance(account.AccessTokenLife + auth.Leeway + time.Second)
	_, err = f.GetMe(f.with(session.GetAccessToken()), &identityv1.GetMeRequest{})
	refused(t, "the token of 15 minutes ago", err, codes.Unauthenticated, "TOKEN_EXPIRED")
	next, err := f.refresh(session.GetRefreshToken())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.GetMe(f.with(next.GetAccessToken()), &identityv1.GetMeRequest{}); err != nil {
		t.Errorf("the refreshed token: %v", err)
	}
}

func TestAnUnknownAccountAndAWrongPasswordAreAnsweredAlike(t *testing.T) {
	f := serve(t)
	wrong, unknown := f.guess(adminEmail, "wrong", office), f.guess("nobody@shop.dz", "wrong", office)
	refused(t, "a wrong password", wrong, codes.Unauthenticated, "INVALID_CREDENTIALS")
	refused(t, "an unknown account", unknown, codes.Unauthenticated, "INVALID_CREDENTIALS")
	refused(t, "no e-mail at all", f.guess("nobody", "wrong", office), codes.Unauthenticated, "INVALID_CREDENTIALS")
	if status.Convert(wrong).Message() != status.Convert(unknown).Message() {
		t.Errorf("%v and %v tell accounts apart", wrong, unknown)
	}
}

func TestTenFailuresOfAnAccountFromOneAddressMustWait(t *testing.T) {
	f := serve(t)
	for i := range account.FailuresPerPair {
		refused(t, "a guess", f.guess(adminEmail, "wrong", office), codes.Unauthenticated, "INVALID_CREDENTIALS")
		if i == 0 {
			f.clock.advance(5 * time.Minute)
		}
	}
	err := f.guess(adminEmail, adminPassword, office)
	refused(t, "the eleventh, and right", err, codes.ResourceExhausted, "TOO_MANY_FAILURES")
	if got := rpcerr.Delay(err); got != 10*time.Minute {
		t.Errorf("wait %s, want until the first failure is 15 minutes old", got)
	}
	if err := f.guess(adminEmail, adminPassword, "198.51.100.9"); err != nil {
		t.Errorf("from another address: %v", err)
	}
	refused(t, "another account from there", f.guess("nobody@shop.dz", "wrong", office), codes.Unauthenticated, "INVALID_CREDENTIALS")
	f.clock.advance(10 * time.Minute)
	if err := f.guess(adminEmail, adminPassword, office); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// One customer of IPv6 owns a /64: a fresh address for every guess is free there.
func TestAGuesserWithAWholeNetworkIsOneGuesser(t *testing.T) {
	f := serve(t)
	judged := 0
	for i := range 2 * account.FailuresPerPair {
		err := f.guess(adminEmail, "wrong", fmt.Sprintf("2001:db8:1:1::%x", i+1))
		if _, _, reason := rpcerr.Reason(err); reason == "INVALID_CREDENTIALS" {
			judged++
		}
	}
	if judged != account.FailuresPerPair {
		t.Errorf("%d guesses from one /64 were judged, want %d", judged, account.FailuresPerPair)
	}
	const next = "2001:db8:1:2::1"
	if err := f.guess(adminEmail, adminPassword, next); err != nil {
		t.Errorf("from the next /64: %v", err)
	}
	var kept string
	if err := f.pool.QueryRow(t.Context(), `SELECT address FROM identity.session`).Scan(&kept); err != nil || kept != next {
		t.Errorf("the session keeps %q (%v), want the whole address", kept, err)
	}
}

// Behind the gateway, user-agent names the gateway's own client; the person's browser comes under a key of the suite.
func TestASessionNamesThePersonsBrowser(t *testing.T) {
	f := serve(t)
	behind := func(agents ...string) context.Context {
		ctx := f.from(office)
		for _, agent := range agents {
			ctx = metadata.AppendToOutgoingContext(ctx, "x-client-agent", agent)
		}
		return ctx
	}
	const browser = "Mozilla/5.0 (X11; Linux x86_64)"
	tests := map[string]struct {
		ctx  context.Context
		want string
	}{
		"a browser":                          {behind(browser), browser},
		"a browser without name":             {behind(""), ""},
		"more than is worth kept":            {behind(strings.Repeat("a", 300)), strings.Repeat("a", 256)},
		"grpcurl, which is nobody's gateway": {f.from(office), "grpc-go/" + grpc.Version},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := f.Login(tt.ctx, &identityv1.LoginRequest{Email: adminEmail, Password: adminPassword}); err != nil {
				t.Fatal(err)
			}
			var got string
			err := f.pool.QueryRow(t.Context(), `SELECT user_agent FROM identity.session ORDER BY session_id DESC LIMIT 1`).Scan(&got)
			if err != nil || got != tt.want {
				t.Errorf("user agent = %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

func TestSuccessesAreNeverCounted(t *testing.T) {
	f := serve(t)
	for range account.FailuresPerPair + 5 {
		f.login(adminEmail, adminPassword)
	}
}

func TestFiftyFailuresAnHourSlowTheAccountAndNeverLockIt(t *testing.T) {
	f := serve(t)
	for i := range account.FailuresPerHour {
		address := "198.51.100." + string(rune('1'+i/account.FailuresPerPair))
		refused(t, "a guess", f.guess(adminEmail, "wrong", address), codes.Unauthenticated, "INVALID_CREDENTIALS")
	}
	if f.clock.pauses() != 0 {
		t.Fatalf("%d answers were slowed before the fiftieth failure", f.clock.pauses())
	}
	if err := f.guess(adminEmail, adminPassword, office); err != nil || f.clock.pauses() != 1 {
		t.Errorf("the owner: %v, %d pauses; want to get in, slowly", err, f.clock.pauses())
	}
	f.clock.advance(account.AccountWindow)
	if err := f.guess(adminEmail, adminPassword, office); err != nil || f.clock.pauses() != 1 {
		t.Errorf("an hour later: %v, %d pauses; want to get in at once", err, f.clock.pauses())
	}
}

func TestATokenShownAgainSoonGetsTheSameSuccessorAndLaterEndsTheSession(t *testing.T) {
	f := serve(t)
	first := f.login(adminEmail, adminPassword).GetRefreshToken()
	second, err := f.refresh(first)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.advance(account.ReplayWindow)
	again, err := f.refresh(first)
	if err != nil || again.GetRefreshToken() != second.GetRefreshToken() {
		t.Fatalf("within 30 s: another successor, or %v", err)
	}
	f.clock.advance(time.Second)
	_, err = f.refresh(first)
	refused(t, "after 31 s", err, codes.Unauthenticated, "REFRESH_TOKEN_REUSED")
	_, err = f.refresh(second.GetRefreshToken())
	refused(t, "the successor of a reused token", err, codes.Unauthenticated, "REFRESH_TOKEN_INVALID")
	_, err = f.refresh("lpr_invented")
	refused(t, "an invented token", err, codes.Unauthenticated, "REFRESH_TOKEN_INVALID")
}

func TestRefreshesOfOneSessionAreLimited(t *testing.T) {
	f := serve(t)
	token := f.login(adminEmail, adminPassword).GetRefreshToken()
	other := f.login(adminEmail, adminPassword).GetRefreshToken()
	for range account.RefreshesAMinute {
		next, err := f.refresh(token)
		if err != nil {
			t.Fatal(err)
		}
		token = next.GetRefreshToken()
	}
	_, err := f.refresh(token)
	refused(t, "one more", err, codes.ResourceExhausted, "RATE_LIMITED")
	if got := rpcerr.Delay(err); got != time.Minute {
		t.Errorf("wait %s, want a minute", got)
	}
	if _, err := f.refresh(other); err != nil {
		t.Errorf("another session: %v", err)
	}
	f.clock.advance(time.Minute)
	if _, err := f.refresh(token); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestLogoutEndsTheSessionAndTellsNothing(t *testing.T) {
	f := serve(t)
	token := f.login(adminEmail, adminPassword).GetRefreshToken()
	for _, shown := range []string{token, token, "lpr_invented", ""} {
		if _, err := f.Logout(f.from(office), &identityv1.LogoutRequest{RefreshToken: shown}); err != nil {
			t.Errorf("logout: %v", err)
		}
	}
	_, err := f.refresh(token)
	refused(t, "after logout", err, codes.Unauthenticated, "REFRESH_TOKEN_INVALID")
}

func TestASessionRemembersThatItBeganWithACookie(t *testing.T) {
	f := serve(t)
	res, err := f.Login(f.from(office), &identityv1.LoginRequest{Email: adminEmail, Password: adminPassword, Cookie: true})
	if err != nil || !res.GetCookie() || res.GetRefreshToken() == "" {
		t.Fatalf("login: %v, %v", res.GetCookie(), err)
	}
	for range 2 { // rotated, and answered again
		next, err := f.refresh(res.GetRefreshToken())
		if err != nil || !next.GetCookie() {
			t.Errorf("refresh: cookie = %v, %v", next.GetCookie(), err)
		}
	}
}

func TestTheNextKeyIsPublishedAnHourBeforeItSignsAndTheLastUntilItsTokensEnd(t *testing.T) {
	f := serve(t)
	published := func() []string {
		t.Helper()
		res, err := f.GetKeys(f.from(office), &identityv1.GetKeysRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, k := range res.GetKeys() {
			if k.GetKty() != "OKP" || k.GetCrv() != "Ed25519" || k.GetAlg() != "EdDSA" || k.GetUse() != "sig" || len(k.GetX()) != 43 {
				t.Errorf("not a JWK of RFC 8037: %v", k)
			}
			ids = append(ids, k.GetKid())
		}
		return ids
	}
	// tick is what every replica does every few minutes.
	tick := func(d time.Duration) {
		t.Helper()
		f.clock.advance(d)
		if err := f.keyring.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	old := kid(t, f.login(adminEmail, adminPassword).GetAccessToken())

	tick(signing.Period - signing.Lead)
	both := published()
	if len(both) != 2 || !slices.Contains(both, old) {
		t.Fatalf("an hour before the change %v is published, want %s and the next", both, old)
	}
	tick(signing.Lead - time.Second)
	last := f.login(adminEmail, adminPassword).GetAccessToken()
	if kid(t, last) != old {
		t.Error("the next key signed too early")
	}
	tick(time.Second)
	fresh := f.login(adminEmail, adminPassword).GetAccessToken()
	if kid(t, fresh) == old || !slices.Contains(both, kid(t, fresh)) {
		t.Error("the published key does not sign")
	}
	tick(account.AccessTokenLife - 2*time.Second)
	if _, err := f.GetMe(f.with(last), &identityv1.GetMeRequest{}); err != nil {
		t.Errorf("the last token of the old key, in its last second: %v", err)
	}
	tick(time.Hour)
	if now := published(); len(now) != 1 || now[0] == old {
		t.Errorf("an hour after the change %v is published, want the new key alone", now)
	}
}

func TestBootstrapMakesAnAdminOnlyWhereThereIsNobody(t *testing.T) {
	f := serve(t)
	other := account.FirstAdmin{Email: "other@shop.dz", Password: "another password"}
	if made, err := f.accounts.Bootstrap(t.Context(), other, true); err != nil || made.Made {
		t.Errorf("beside an admin: %+v, %v", made, err)
	}
	changed := account.FirstAdmin{Email: adminEmail, Password: "another password"}
	if made, err := f.accounts.Bootstrap(t.Context(), changed, true); err != nil || made.Made {
		t.Errorf("over an admin: %+v, %v", made, err)
	}
	f.login(adminEmail, adminPassword)

	for _, table := range []string{"refresh_token", "session", "user_account"} {
		if _, err := f.pool.Exec(t.Context(), "DELETE FROM identity."+table); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.accounts.Bootstrap(t.Context(), account.FirstAdmin{}, false); !errors.Is(err, account.ErrBootstrapMissing) {
		t.Errorf("production without the variables: %v", err)
	}
	if made, err := f.accounts.Bootstrap(t.Context(), account.FirstAdmin{Email: adminEmail, Password: "short"}, true); err == nil || made.Made {
		t.Errorf("a trivial password (lesson P84): %+v, %v", made, err)
	}
	made, err := f.accounts.Bootstrap(t.Context(), account.FirstAdmin{}, true)
	if err != nil || !made.Made || len(made.Drawn) < 20 {
		t.Fatalf("development: %+v, %v", made, err)
	}
	f.login(string(made.Email), string(made.Drawn))
	if again, err := f.accounts.Bootstrap(t.Context(), account.FirstAdmin{}, true); err != nil || again.Made || again.Drawn != "" {
		t.Errorf("the second start: %+v, %v", again, err)
	}
}

func TestNoSecretReachesTheLog(t *testing.T) {
	f := serve(t)
	session := f.login(adminEmail, adminPassword)
	next, err := f.refresh(session.GetRefreshToken())
	if err != nil {
		t.Fatal(err)
	}
	user := f.make("amina", accessv1.Role_AGENT_SUIVI)
	_ = f.guess(adminEmail, "typed by mistake", office)
	_ = f.guess("typed in the wrong box", "x", office)
	_, _ = f.refresh(session.GetRefreshToken())
	_, err = f.ResetPassword(f.admin(), &identityv1.ResetPasswordRequest{UserId: user.GetId(), NewPassword: "another of amina's"})
	if err != nil {
		t.Fatal(err)
	}
	log := f.log.String()
	if !strings.Contains(log, "IdentityService/Login") {
		t.Fatal("nothing was logged: the test would prove nothing")
	}
	for _, secret := range []string{
		adminPassword, somePassword, "typed by mistake", "typed in the wrong box", "another of amina's", session.GetAccessToken(),
		session.GetRefreshToken(), next.GetRefreshToken(), next.GetAccessToken(), f.cfg.ServiceAuthKey.Reveal(), "argon2id",
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log contains %q", secret)
		}
	}
}

func TestALoginReplacesAHashOfOutdatedParameters(t *testing.T) {
	f := serve(t)
	stronger := f.world
	stronger.cost.Passes = 2
	accounts, _ := domain(f.store, stronger)
	for range 2 { // the second verifies what the first stored
		if _, err := accounts.Login(t.Context(), adminEmail, adminPassword, false, account.Client{Address: office}); err != nil {
			t.Fatal(err)
		}
		var hash string
		if err := f.pool.QueryRow(t.Context(), `SELECT password_hash FROM identity.user_account`).Scan(&hash); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=8,t=2,p=1$") {
			t.Errorf("the stored hash has the parameters %s", strings.Split(hash, "$")[3])
		}
	}
}
