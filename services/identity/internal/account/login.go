package account

import (
	"context"
	"errors"
	"fmt"
)

// Grant is what a login or refresh gives: two tokens, and who they are for.
type Grant struct {
	User    User
	Session Session
	Access  AccessToken // ends in AccessTokenLife
	Refresh RefreshToken
}

// Login opens a session for the right password. An unknown account and a wrong password get the same answer in the same time; the
// right password of a disabled user is told so, and counted as a failure all the same. LimitedError when this account failed too
// often from this address.
func (s *Service) Login(ctx context.Context, typed string, p Password, cookie bool, from Client) (Grant, error) {
	key := NewFailureKey(typed)
	failures, err := s.store.LoginFailures(ctx, key, from.Network(), s.now())
	if err != nil {
		return Grant{}, err
	}
	if failures.Slow() {
		if err := s.pause(ctx, SlowAnswer); err != nil {
			return Grant{}, err
		}
	}
	if err := failures.refusal(s.now()); err != nil {
		return Grant{}, err
	}
	u, stored, err := s.credentials(ctx, typed)
	if err != nil {
		return Grant{}, err
	}
	match, outdated, err := s.hasher.Verify(ctx, stored, p)
	if err != nil {
		return Grant{}, err
	}
	now := s.now()
	attempt := Attempt{Account: key, From: from, At: now}
	if match && u.Active() {
		session := newSession(s.newID(), u.ID, from, cookie, now)
		attempt.Session, attempt.Token, attempt.Password = &session, NewRefreshToken(), u.PasswordChangedAt
		if outdated {
			if attempt.Rehashed, err = s.hasher.Hash(ctx, p); err != nil {
				return Grant{}, err
			}
		}
	}
	settled, err := s.store.SettleLogin(ctx, attempt)
	if match && !u.Active() && errors.Is(err, ErrBadCredentials) {
		return Grant{}, ErrUserDisabled
	}
	if err != nil {
		return Grant{}, err
	}
	return s.grant(ctx, settled, *attempt.Session, attempt.Token)
}

// credentials finds whose password is compared; nobody's for an address that is none or unknown, so that the comparison still runs.
func (s *Service) credentials(ctx context.Context, typed string) (User, PasswordHash, error) {
	email, err := ParseEmail(typed)
	var u User
	var h PasswordHash
	if err == nil {
		u, h, err = s.store.Credentials(ctx, email)
	}
	if errors.Is(err, ErrInvalidEmail) || errors.Is(err, ErrUserNotFound) {
		return User{}, "", nil
	}
	return u, h, err
}

// Refresh exchanges a refresh token for its successor and a new access token (see Verdict).
func (s *Service) Refresh(ctx context.Context, shown RefreshToken, from Client) (Grant, error) {
	now := s.now()
	next := NewRefreshToken()
	var written Session
	family, verdict, err := s.store.Refresh(ctx, shown.Hash(), next, now, func(f Family) (Session, Verdict) {
		session, v := f.Judge(from, now)
		written = session
		return session, v
	})
	if err != nil {
		return Grant{}, err
	}
	switch verdict {
	case Rotate:
		return s.grant(ctx, family.User, written, next)
	case Repeat:
		return s.grant(ctx, family.User, written, family.Successor)
	case Revoke:
		return Grant{}, ErrTokenReused
	case Limit:
		return Grant{}, family.limited(now)
	case Refuse: // below
	}
	if !family.User.Active() {
		return Grant{}, ErrUserDisabled
	}
	return Grant{}, ErrSessionEnded
}

// grant signs the access token. It comes after the write: if signing fails now, the client repeats its token within ReplayWindow
// and gets the same successor.
func (s *Service) grant(ctx context.Context, u User, session Session, refresh RefreshToken) (Grant, error) {
	access, err := s.issuer.Issue(ctx, u, session.ID)
	if err != nil {
		return Grant{}, fmt.Errorf("sign an access token: %w", err)
	}
	return Grant{User: u, Session: session, Access: access, Refresh: refresh}, nil
}

// Logout ends the session a refresh token belongs to. Repeating it, or a token nobody knows, is no error: the caller is out.
func (s *Service) Logout(ctx context.Context, shown RefreshToken) error {
	return s.store.RevokeByToken(ctx, shown.Hash(), RevokedByLogout, s.now())
}

// Cleanup removes sessions that have ended, with their tokens, and login failures older than keepDays. May be repeated.
func (s *Service) Cleanup(ctx context.Context, keepDays int) (Removed, error) {
	now := s.now()
	removed, err := s.store.RemoveExpired(ctx, now, now.AddDate(0, 0, -max(keepDays, 1)))
	if err != nil {
		return Removed{}, err
	}
	return removed, s.store.Tidy(ctx)
}
