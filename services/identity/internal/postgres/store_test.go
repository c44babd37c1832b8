package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return pg.Migrate(ctx, pool, Schema, Migrations()...)
}

func newStore(t *testing.T) *Store {
	t.Helper()
	keyset, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(conf.Secret(keyset))
	if err != nil {
		t.Fatal(err)
	}
	return NewStore(pgtest.New(t, migrate), sealer)
}

func someone(r account.Role) account.User {
	id := uuid.Must(uuid.NewV7()).String()
	return account.User{
		ID: id, Email: account.Email(id + "@shop.dz"), Name: "Somebody", Role: r, Version: 1,
		PasswordChangedAt: noon, CreatedAt: noon, UpdatedAt: noon,
	}
}

// put stores a user as it is, with a hash that names the user.
func put(t *testing.T, s *Store, u account.User) account.User {
	t.Helper()
	err := pg.InTx(t.Context(), s.pool, func(tx pgxTx) error { return insert(t.Context(), tx, u, account.PasswordHash("hash of "+u.ID)) })
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func begin(t *testing.T, s *Store, u account.User) (account.Session, account.RefreshToken) {
	t.Helper()
	a := attempt(u, noon)
	if _, err := s.SettleLogin(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return *a.Session, a.Token
}

func attempt(u account.User, at time.Time) account.Attempt {
	return account.Attempt{
		Account: account.NewFailureKey(string(u.Email)), From: account.Client{Address: "203.0.113.7", UserAgent: "test"}, At: at,
		Session: &account.Session{
			ID: uuid.Must(uuid.NewV7()).String(), UserID: u.ID, CreatedAt: at, ExpiresAt: at.Add(time.Hour), RefreshWindowAt: at,
			Client: account.Client{Address: "203.0.113.7", UserAgent: "test"},
		},
		Token: account.NewRefreshToken(), Password: u.PasswordChangedAt,
	}
}

func guess(u account.User, at time.Time) account.Attempt {
	a := attempt(u, at)
	a.Session = nil
	return a
}

func replacement(u account.User, next account.PasswordHash, keep string) account.Replacement {
	return account.Replacement{
		UserID: u.ID, Account: account.NewFailureKey(string(u.Email)), From: account.Client{Address: "203.0.113.7"},
		At: noon.Add(time.Minute), Verified: u.PasswordChangedAt, Next: next, Keep: keep,
	}
}

func TestAUserComesBackAsItWasStored(t *testing.T) {
	s := newStore(t)
	disabledAt := noon.Add(time.Minute)
	want := someone(account.Manager)
	want.DisabledAt, want.MustChangePassword = &disabledAt, true
	put(t, s, want)
	got, hash, err := s.Credentials(t.Context(), want.Email)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("user (-stored +read):\n%s", diff)
	}
	if string(hash) != "hash of "+want.ID {
		t.Error("the hash is not what was stored: a masked type was written as stars")
	}
	if _, err := s.User(t.Context(), uuid.NewString()); !errors.Is(err, account.ErrUserNotFound) {
		t.Errorf("unknown user: %v", err)
	}
}

func TestTwoUsersCannotShareAnEmail(t *testing.T) {
	s := newStore(t)
	admin := put(t, s, someone(account.Admin))
	twin := someone(account.Agent)
	twin.Email = admin.Email
	_, err := s.CreateUser(t.Context(), admin.ID, twin, "h", account.Once{}, allow)
	if !errors.Is(err, account.ErrEmailTaken) {
		t.Errorf("err = %v, want %v", err, account.ErrEmailTaken)
	}
}

func allow(account.User) error { return nil }

func TestARepeatedRequestIDMakesOneUser(t *testing.T) {
	s := newStore(t)
	admin := put(t, s, someone(account.Admin))
	once := account.Once{Key: "r-1", Request: [32]byte{1}}
	first, err := s.CreateUser(t.Context(), admin.ID, someone(account.Agent), "h", once, allow)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.CreateUser(t.Context(), admin.ID, someone(account.Agent), "h", once, allow)
	if err != nil || again.ID != first.ID {
		t.Errorf("repeated: user %s, %v; want %s", again.ID, err, first.ID)
	}
	once.Request[0] = 2
	if _, err := s.CreateUser(t.Context(), admin.ID, someone(account.Agent), "h", once, allow); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("the same id with another body: %v", err)
	}
	users, err := s.Users(t.Context(), account.Filter{Limit: 10})
	if err != nil || len(users) != 2 {
		t.Errorf("%d users, %v; want the admin and one more", len(users), err)
	}
}

func TestUsersAreListedByNameAndFiltered(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"zohra", "Amina", "karim", "Karim", "أمينة"} {
		u := someone(account.Agent)
		u.Name = name
		if name == "karim" {
			at := noon
			u.DisabledAt = &at
		}
		put(t, s, u)
	}
	put(t, s, someone(account.Manager))
	var got []string
	f := account.Filter{Roles: []account.Role{account.Agent}, Limit: 2}
	for {
		page, err := s.Users(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			got = append(got, u.Name)
		}
		f.After = page[len(page)-1].ID
	}
	if diff := cmp.Diff([]string{"Amina", "karim", "Karim", "zohra", "أمينة"}, got); diff != "" {
		t.Errorf("agents by name (-want +got):\n%s", diff)
	}
	yes := true
	page, err := s.Users(t.Context(), account.Filter{Disabled: &yes, Limit: 10})
	if err != nil || len(page) != 1 || page[0].Name != "karim" {
		t.Errorf("disabled users = %v, %v", page, err)
	}
}

func TestEveryChangeIsAuditedWithoutSecrets(t *testing.T) {
	s := newStore(t)
	admin := put(t, s, someone(account.Admin))
	ctx := auth.With(t.Context(), auth.Principal{Kind: auth.User, Subject: admin.ID, Role: "ADMIN", Address: "203.0.113.7"})
	made, err := s.CreateUser(ctx, admin.ID, someone(account.Agent), "secret-hash", account.Once{}, allow)
	if err != nil {
		t.Fatal(err)
	}
	w := account.Change{Action: "ResetPassword", Reason: "forgotten", Password: "another-secret-hash", Revoke: account.RevokedByPasswordReset}
	_, err = s.ChangeUser(ctx, admin.ID, made.ID, w, func(c account.Circumstances) (account.User, error) {
		u := c.Target
		u.Name, u.UpdatedAt = "Another", noon
		return u, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	events, _, err := s.AuditEvents(t.Context(), audit.Filter{Resource: "user/" + made.ID})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s by %s (%s from %s, %q): %s → %s", e.Action, e.Actor, e.Role, e.Address, e.Reason, e.Before, e.After))
	}
	want := []string{
		fmt.Sprintf(`ResetPassword by %s (ADMIN from 203.0.113.7, "forgotten"): {"name": "Somebody"} → {"name": "Another", "password": "***"}`, admin.ID),
		fmt.Sprintf(`CreateUser by %s (ADMIN from 203.0.113.7, ""):  → {"name": "Somebody", "role": "AGENT_SUIVI", "email": "%s", "disabled": "false"}`, admin.ID, made.Email),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

// Two administrators take each other's role away in the same moment; whoever comes second is refused. Run many times, since a
// race lost once proves little.
func TestTwoDemotionsOfTheLastTwoAdminsLeaveOne(t *testing.T) {
	s := newStore(t)
	for range 20 {
		a, b := put(t, s, someone(account.Admin)), put(t, s, someone(account.Admin))
		demote := func(actor, target account.User) error {
			_, err := s.ChangeUser(t.Context(), actor.ID, target.ID, account.Change{Action: "UpdateUser"},
				func(c account.Circumstances) (account.User, error) {
					if c.Actor.Role != account.Admin {
						return account.User{}, account.ErrRank
					}
					if !c.OtherAdmins {
						return account.User{}, account.ErrLastAdmin
					}
					u := c.Target
					u.Role = account.Agent
					u.Version++
					return u, nil
				})
			return err
		}
		var wg sync.WaitGroup
		var errs [2]error
		wg.Go(func() { errs[0] = demote(a, a) })
		wg.Go(func() { errs[1] = demote(b, b) })
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("%v and %v: one of the two must go through, and one must be refused", errs[0], errs[1])
		}
		var left int
		err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM identity.user_account WHERE role = 'ADMIN' AND disabled_at IS NULL`).Scan(&left)
		if err != nil || left != 1 {
			t.Fatalf("%d administrators are left (%v), want 1", left, err)
		}
		if _, err := s.pool.Exec(t.Context(), `UPDATE identity.user_account SET role = 'AGENT_SUIVI'`); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplicasThatStartAtOnceMakeOneFirstAdmin(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	var won [8]bool
	for i := range won {
		wg.Go(func() {
			var err error
			if won[i], err = s.Bootstrap(t.Context(), someone(account.Admin), "h"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	winners := 0
	for _, w := range won {
		if w {
			winners++
		}
	}
	users, err := s.Users(t.Context(), account.Filter{Limit: 10})
	if winners != 1 || len(users) != 1 || err != nil {
		t.Errorf("%d replicas won and %d users exist (%v), want one of each", winners, len(users), err)
	}
}
