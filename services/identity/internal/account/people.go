package account

import "context"

// NewUser is a user to be made.
type NewUser struct {
	Email    string
	Name     string
	Role     Role
	Password Password // the first one, to be changed by the user
}

// User answers one user; ErrUserNotFound.
func (s *Service) User(ctx context.Context, id string) (User, error) { return s.store.User(ctx, id) }

// Users answers a page of users, ordered by name.
func (s *Service) Users(ctx context.Context, f Filter) ([]User, error) { return s.store.Users(ctx, f) }

// CreateUser makes a user on behalf of actor, who must be allowed to manage the new role. A repeated request id answers the user
// made the first time.
func (s *Service) CreateUser(ctx context.Context, actor string, n NewUser, once Once) (User, error) {
	u, err := s.newUser(n)
	if err != nil {
		return User{}, err
	}
	if err := checkPassword(n.Password, u.Email, u.Name); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.Hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	return s.store.CreateUser(ctx, actor, u, hash, once, func(by User) error {
		if !by.Active() || by.Role == Agent {
			return ErrActorNotActive
		}
		if !by.Role.manages(u.Role) {
			return ErrRank
		}
		return nil
	})
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
	return s.store.ChangeUser(ctx, actor, id, Change{Action: "UpdateUser"}, func(c Circumstances) (User, error) {
		return c.amend(a, now)
	})
}

// DisableUser ends a user's access: sessions at once, access tokens within AccessTokenLife.
func (s *Service) DisableUser(ctx context.Context, actor, id, reason string) (User, error) {
	now := s.now()
	w := Change{Action: "DisableUser", Reason: reason, Revoke: RevokedByDisabling}
	return s.store.ChangeUser(ctx, actor, id, w, func(c Circumstances) (User, error) { return c.disable(now) })
}

// EnableUser gives access back; the user logs in anew.
func (s *Service) EnableUser(ctx context.Context, actor, id, reason string) (User, error) {
	now := s.now()
	w := Change{Action: "EnableUser", Reason: reason}
	return s.store.ChangeUser(ctx, actor, id, w, func(c Circumstances) (User, error) { return c.enable(now) })
}

// ResetPassword gives another user a new first password and ends all its sessions.
func (s *Service) ResetPassword(ctx context.Context, actor, id string, p Password) (User, error) {
	now := s.now()
	target, err := s.store.User(ctx, id)
	if err != nil {
		return User{}, err
	}
	if err := checkPassword(p, target.Email, target.Name); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.Hash(ctx, p)
	if err != nil {
		return User{}, err
	}
	w := Change{Action: "ResetPassword", Password: hash, Revoke: RevokedByPasswordReset}
	return s.store.ChangeUser(ctx, actor, id, w, func(c Circumstances) (User, error) { return c.resetPassword(now) })
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
	// Before the current one is compared: judged after it, the answer to a weak new password would tell a right guess past the limit.
	if err := checkPassword(next, u.Email, u.Name); err != nil {
		return err
	}
	key := NewFailureKey(string(u.Email))
	failures, err := s.store.LoginFailures(ctx, key, from.Network(), s.now())
	if err != nil {
		return err
	}
	if failures.Slow() {
		if err := s.pause(ctx, SlowAnswer); err != nil {
			return err
		}
	}
	if err := failures.refusal(s.now()); err != nil {
		return err
	}
	match, _, err := s.hasher.Verify(ctx, stored, current)
	if err != nil {
		return err
	}
	if !match {
		if err := s.store.CountFailure(ctx, key, from.Network(), s.now()); err != nil {
			return err
		}
		return ErrWrongPassword
	}
	hash, err := s.hasher.Hash(ctx, next)
	if err != nil {
		return err
	}
	return s.store.ChangePassword(ctx, Replacement{
		UserID: id, Account: key, From: from, At: s.now(), Verified: u.PasswordChangedAt, Next: hash, Keep: session,
	})
}
