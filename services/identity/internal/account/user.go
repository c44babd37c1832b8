package account

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name, in characters.
const maxName = 120

// User is a person who can log in. Never deleted, since history names it: disabled instead.
type User struct {
	ID    string // UUIDv7: ids sort by creation
	Email Email
	Name  string
	Role  Role
	// MustChangePassword is set while the password was chosen by somebody else.
	MustChangePassword bool
	PasswordChangedAt  time.Time
	DisabledAt         *time.Time // nil: active
	LastLoginAt        *time.Time // nil: never
	Version            int64      // the etag; a login does not raise it
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// Active reports whether the user may log in.
func (u User) Active() bool { return u.DisabledAt == nil }

// activeAdmin reports whether u is one of those of whom one must be left.
func (u User) activeAdmin() bool { return u.Active() && u.Role == Admin }

// Circumstances is what a change of a user must know, read while no other change of users can run: both people as they are now,
// not as a token of up to fifteen minutes ago says, and whether anybody else could still administer.
type Circumstances struct {
	Actor       User
	Target      User
	OtherAdmins bool // an active administrator other than Target exists
}

// allow judges whether Actor may change Target at all.
func (c Circumstances) allow() error {
	if !c.Actor.Active() || c.Actor.Role == Agent {
		return ErrActorNotActive
	}
	if !c.Actor.Role.manages(c.Target.Role) {
		return ErrRank
	}
	return nil
}

// Amendment is what a person wants changed; nil leaves a field alone.
type Amendment struct {
	Name    *string
	Role    *Role
	Version int64 // the version the change was made from; 0: whatever it is now
}

// amend applies a to the target. What is so already is done, whatever the version: a request repeated because its answer was lost
// comes with the version of before.
func (c Circumstances) amend(a Amendment, now time.Time) (User, error) {
	if err := c.allow(); err != nil {
		return User{}, err
	}
	u := c.Target
	if a.Name != nil {
		name, err := parseName(*a.Name)
		if err != nil {
			return User{}, err
		}
		u.Name = name
	}
	if a.Role != nil {
		switch {
		case !a.Role.Known():
			return User{}, ErrInvalidRole
		case !c.Actor.Role.manages(*a.Role):
			return User{}, ErrRank
		}
		u.Role = *a.Role
	}
	if u != c.Target && a.Version != 0 && a.Version != u.Version {
		return User{}, ErrStale
	}
	return c.settle(u, now)
}

// disable ends the target's access. Disabling twice changes nothing.
func (c Circumstances) disable(now time.Time) (User, error) {
	if err := c.allow(); err != nil {
		return User{}, err
	}
	u := c.Target
	if u.DisabledAt == nil {
		u.DisabledAt = &now
	}
	return c.settle(u, now)
}

// enable gives access back. Enabling twice changes nothing.
func (c Circumstances) enable(now time.Time) (User, error) {
	if err := c.allow(); err != nil {
		return User{}, err
	}
	u := c.Target
	u.DisabledAt = nil
	return c.settle(u, now)
}

// resetPassword stamps the target as having a password that somebody else chose. One's own is refused: whoever stole an access
// token could make it a login for good, without ever knowing the current password.
func (c Circumstances) resetPassword(now time.Time) (User, error) {
	if err := c.allow(); err != nil {
		return User{}, err
	}
	if c.Actor.ID == c.Target.ID {
		return User{}, ErrOwnPassword
	}
	u := c.Target
	u.MustChangePassword = true
	u.PasswordChangedAt = now
	return c.settle(u, now)
}

// settle is the last step of every change: the guard of the last administrator, and a new version if anything differs.
func (c Circumstances) settle(u User, now time.Time) (User, error) {
	if c.Target.activeAdmin() && !u.activeAdmin() && !c.OtherAdmins {
		return User{}, ErrLastAdmin
	}
	if u == c.Target {
		return u, nil
	}
	u.Version++
	u.UpdatedAt = now
	return u, nil
}

// parseName trims a name and refuses an empty, overlong or unprintable one.
func parseName(typed string) (string, error) {
	name := strings.Join(strings.Fields(typed), " ")
	if name == "" || utf8.RuneCountInString(name) > maxName || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, unicode.IsControl) {
		return "", ErrInvalidName
	}
	return name, nil
}
