package account

import (
	"errors"
	"fmt"
	"time"
)

// What can be refused. Each is one row of the error table of package rpc.
var (
	ErrInvalidEmail   = errors.New("not an e-mail address")
	ErrInvalidName    = errors.New("a name has 1 to 120 characters, none of them a control character")
	ErrInvalidRole    = errors.New("not a role")
	ErrUserNotFound   = errors.New("no such user")
	ErrEmailTaken     = errors.New("another user has this e-mail address")
	ErrStale          = errors.New("the user was changed since it was read")
	ErrRank           = errors.New("a manager can neither make, become, nor change an administrator")
	ErrLastAdmin      = errors.New("the last active administrator cannot be disabled or given another role")
	ErrOwnPassword    = errors.New("the own password is changed, not reset: use ChangePassword, which asks for the current one")
	ErrActorNotActive = errors.New("the acting user may not do this any more")

	// ErrBadCredentials is the one answer to an unknown account and a wrong password: which it was is nobody's business who cannot
	// log in.
	ErrBadCredentials = errors.New("e-mail or password is wrong")
	// ErrUserDisabled answers a right password, or a token that was good, of a disabled user: who proves so much may know.
	ErrUserDisabled = errors.New("an administrator disabled this account")
	// ErrWrongPassword refuses a change of password whose old password is wrong. The caller is known, so it may be said.
	ErrWrongPassword = errors.New("the current password is wrong")
	// ErrSessionEnded answers a refresh token that is unknown, expired, or whose session or user has ended.
	ErrSessionEnded = errors.New("the session has ended")
	// ErrTokenReused answers a rotated token shown again too late: somebody holds a copy, and the family has been revoked.
	ErrTokenReused = errors.New("the refresh token was used before; its session has been ended")
	// ErrBusy says that more passwords are waiting to be verified than this replica has memory for.
	ErrBusy = errors.New("too many passwords are being verified at once")
)

// LimitedError refuses what was tried too often; the same call can succeed After that long.
type LimitedError struct {
	What  string // "login" or "refresh"
	After time.Duration
}

// Error says what and how long.
func (e LimitedError) Error() string {
	return fmt.Sprintf("too many %s attempts, wait %s", e.What, e.After)
}
