package account

import "time"

// RevokeReason says why a session ended before its time.
type RevokeReason string

// Why sessions are revoked.
const (
	RevokedByLogout         RevokeReason = "LOGOUT"
	RevokedByReuse          RevokeReason = "REUSE"
	RevokedByPasswordChange RevokeReason = "PASSWORD_CHANGED"
	RevokedByPasswordReset  RevokeReason = "PASSWORD_RESET"
	RevokedByDisabling      RevokeReason = "DISABLED"
)

// Session is a family of refresh tokens that began with one login.
type Session struct {
	ID              string // UUIDv7
	UserID          string
	CreatedAt       time.Time
	ExpiresAt       time.Time
	RevokedAt       *time.Time
	RefreshWindowAt time.Time // begin of the minute in which RefreshCount counts
	RefreshCount    int
	Cookie          bool   // over REST the refresh token travels in an HttpOnly cookie
	Client          Client // where it was last used from
}

// newSession begins a family now.
func newSession(id, user string, from Client, cookie bool, now time.Time) Session {
	return Session{
		ID: id, UserID: user, CreatedAt: now, ExpiresAt: expiry(now, now), RefreshWindowAt: now, Cookie: cookie, Client: from,
	}
}

// expiry is when a session created then and refreshed now ends.
func expiry(created, now time.Time) time.Time {
	idle, last := now.Add(SessionIdleLife), created.Add(SessionLongestLife)
	if idle.Before(last) {
		return idle
	}
	return last
}

// Verdict is what happens to a refresh token that was shown.
type Verdict int

// The verdicts; the store carries them out in the transaction that judged.
const (
	Refuse Verdict = iota // unknown, expired, or its session or user has ended: nothing is written
	Limit                 // too often: nothing is written
	Rotate                // the token is marked rotated and its successor issued
	Repeat                // shown again within ReplayWindow: the same successor is answered, so that a lost answer or a second tab loses nobody
	Revoke                // shown again later: a copy exists, the family is revoked
)

// Family is a shown refresh token with the session and the user it belongs to, read under the session's lock.
type Family struct {
	Session   Session
	User      User
	RotatedAt *time.Time   // of the shown token; nil: it is the current one
	Successor RefreshToken // what it was rotated to, while that is still known
}

// Judge decides what happens to the token, and answers the session as it must be written for Rotate and Repeat.
func (f Family) Judge(from Client, now time.Time) (Session, Verdict) {
	s := f.Session
	if s.RevokedAt != nil || !now.Before(s.ExpiresAt) || !f.User.Active() {
		return s, Refuse
	}
	repeated := f.RotatedAt != nil
	if repeated && now.Sub(*f.RotatedAt) > ReplayWindow {
		return s, Revoke
	}
	if now.Sub(s.RefreshWindowAt) >= refreshWindow {
		s.RefreshWindowAt, s.RefreshCount = now, 0
	}
	if repeated && f.Successor == "" {
		return f.Session, Refuse // forgotten already, by a replica whose clock is far ahead: nothing that could be answered
	}
	if s.RefreshCount >= RefreshesAMinute {
		return f.Session, Limit
	}
	s.RefreshCount++
	s.Client = from
	if repeated {
		return s, Repeat
	}
	s.ExpiresAt = expiry(s.CreatedAt, now)
	return s, Rotate
}

// limited is the refusal of Limit: how long until the counted minute is over.
func (f Family) limited(now time.Time) error {
	return LimitedError{What: "refresh", After: f.Session.RefreshWindowAt.Add(refreshWindow).Sub(now)}
}
