package account

import (
	"context"
	"crypto/rand"
)

// NewUser is a user to be made.
type NewUser struct {
	Email    string
	Name     string
	Role     Role
	Password Password // empty: one is drawn and answered once
}

// User answers one user; ErrUserNotFound.
func (s *Service) User(ctx context.Context, id string) (User, error) { return s.store.User(ctx, id) }

// Users answers a page of users, ordered by id.
func (s *Service) Users(ctx context.Context, f Filter) ([]User, error) { return s.store.Users(ctx, f) }

// CountUsers counts what f selects, up to most.
func (s *Service) CountUsers(ctx context.Context, f Filter, most int) (int, error) {
	return s.store.CountUsers(ctx, f, most)
}

// CreateUser makes a user on behalf of actor, who must outrank or equal the new role. The password is answered only when it was
// drawn here, and only the first time.
func (s *Service) CreateUser(ctx context.Context, actor string, n NewUser, once Once) (User, Password, error) {
	u, err := s.newUser(n)
	if err != nil {
		return User{}, "", err
	}
	chosen, drawn := n.Password, Password("")
	if chosen == "" {
		drawn = drawPassword()
		chosen = drawn
	}
	if err := checkPassword(chosen, u.Email, u.Name); err != nil {
		return User{}, "", err
	}
	hash, err := s.hasher.Hash(ctx, chosen)
	if err != nil {
		return User{}, "", err
	}
	made, err := s.store.CreateUser(ctx, actor, u, hash, once, func(by User) error {
		if !by.Active() || by.Role == Agent {
			return ErrActorNotActive
		}
		if !by.Role.manages(u.Role) {
			return ErrRank
		}
		return nil
	})
	if err != nil || made.ID != u.ID {
		return made, "", err
	}
	return made, drawn, nil
}

func (s *Service) newUser(n NewUser) (User, error) {
	email, err := ParseEmail(n.Email)
	if err != nil {
		return User{}, err
	}
	name, err := parseName(n.Name)
	if err != nil {
		return User{}, err
	}
	if !n.Role.Known() {
		return User{}, ErrInvalidRole
	}
	now := s.now()
	return User{
		ID: s.newID(), Email: email, Name: name, Role: n.Role, MustChangePassword: true,
		PasswordChangedAt: now, Version: 1, CreatedAt: now, UpdatedAt: now,
	}, nil
}

// UpdateUser changes name or role.
func (s *Service) UpdateUser(ctx context.Context, actor, id string, a Amendment) (User, error) {
	now := s.now()
	return s.store.ChangeUser(ctx, actor, id, Change{Action: "user.update"}, func(c Circumstances) (User, error) {
		return c.amend(a, now)
	})
}

// DisableUser ends a user's access: sessions at once, access tokens within AccessTokenLife.
func (s *Service) DisableUser(ctx context.Context, actor, id string) (User, error) {
	now := s.now()
	w := Change{Action: "user.disable", Revoke: RevokedByDisabling}
	return s.store.ChangeUser(ctx, actor, id, w, func(c Circumstances) (User, error) { return c.disable(now) })
}

// EnableUser gives access back; the user logs in anew.
func (s *Service) EnableUser(ctx context.Context, actor, id string) (User, error) {
	now := s.now()
	return s.store.ChangeUser(ctx, actor, id, Change{Action: "user.enable"}, func(c Circumstances) (User, error) {
		return c.enable(now)
	})
}

// ResetPassword gives a user another password and ends all its sessions. An empty one is drawn and answered, once.
func (s *Service) ResetPassword(ctx context.Context, actor, id string, p Password) (User, Password, error) {
	now, drawn := s.now(), Password("")
	target, err := s.store.User(ctx, id)
	if err != nil {
		return User{}, "", err
	}
	if p == "" {
		drawn = drawPassword()
		p = drawn
	}
	if err := checkPassword(p, target.Email, target.Name); err != nil {
		return User{}, "", err
	}
	hash, err := s.hasher.Hash(ctx, p)
	if err != nil {
		return User{}, "", err
	}
	w := Change{Action: "user.resetPassword", Password: hash, Revoke: RevokedByPasswordReset}
	u, err := s.store.ChangeUser(ctx, actor, id, w, func(c Circumstances) (User, error) { return c.resetPassword(now) })
	if err != nil {
		return User{}, "", err
	}
	return u, drawn, nil
}

// ChangePassword replaces a person's own password and ends all other sessions of that person. A wrong current password counts
// against the account like a failed login: a stolen access token must not become a place to guess at.
func (s *Service) ChangePassword(ctx context.Context, id, session string, current, next Password, from Client) error {
	u, stored, err := s.store.CredentialsOf(ctx, id)
	if err != nil {
		return err
	}
	if !u.Active() {
		return ErrActorNotActive
	}
	key := NewAccountKey(string(u.Email))
	failures, err := s.store.LoginFailures(ctx, key, from.Address, s.now())
	if err != nil {
		return err
	}
	if err := failures.refusal(s.now()); err != nil {
		return err
	}
	match, _, err := s.hasher.Verify(ctx, stored, current)
	if err != nil {
		return err
	}
	if !match {
		if err := s.store.CountFailure(ctx, key, from.Address, s.now()); err != nil {
			return err
		}
		return ErrWrongPassword
	}
	if next == current {
		return ErrSamePassword
	}
	if err := checkPassword(next, u.Email, u.Name); err != nil {
		return err
	}
	hash, err := s.hasher.Hash(ctx, next)
	if err != nil {
		return err
	}
	now := s.now()
	u.MustChangePassword, u.PasswordChangedAt, u.UpdatedAt = false, now, now
	u.Version++
	return s.store.ChangePassword(ctx, u, stored, hash, session)
}

// drawPassword answers a random password of 26 letters and digits, over 128 bits (crypto/rand.Text).
func drawPassword() Password { return Password(rand.Text()) }
