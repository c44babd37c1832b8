package account

import (
	"context"
	"time"
)

// AccessTokenLife is how long an access token is valid by its signature alone. A disabled user keeps access that long at most
// (lesson P83: the predecessor's tokens lived a day and could not be taken back).
const AccessTokenLife = 15 * time.Minute

// Hasher turns passwords into hashes and compares them. Both are slow and memory-hungry by design, so an implementation bounds
// how many run at once and answers ErrBusy when the queue is full.
type Hasher interface {
	// Hash derives a new salted hash with today's parameters.
	Hash(ctx context.Context, p Password) (PasswordHash, error)
	// Verify compares p with h; outdated says that h was made with other parameters than today's. An empty h (an account that does
	// not exist) costs as much time as a real one and never matches.
	Verify(ctx context.Context, h PasswordHash, p Password) (match, outdated bool, err error)
}

// Issuer signs access tokens.
type Issuer interface {
	// Issue signs a token for u in this session that ends AccessTokenLife from now.
	Issue(ctx context.Context, u User, session string) (AccessToken, error)
}

// Attempt is a login whose password has been compared, ready to be settled.
type Attempt struct {
	Account FailureKey
	From    Client
	At      time.Time
	// Session and Token begin the session of a right password; Session is nil for a wrong one, which is counted.
	Session *Session
	Token   RefreshToken
	// Password is when the compared password was set: a login settles only if it is still the user's, so that a password changed
	// meanwhile opens nothing.
	Password time.Time
	// Rehashed is the same password with today's parameters when the stored hash has others; empty otherwise.
	Rehashed PasswordHash
}

// Replacement is a change of a person's own password whose current one has been compared, ready to be settled.
type Replacement struct {
	UserID   string
	Account  FailureKey
	From     Client
	At       time.Time
	Verified time.Time // when the password that was compared had been set
	Next     PasswordHash
	Keep     string // the session that goes on; empty: none
}

// Once makes a write happen once for a request id; a zero Key does not.
type Once struct {
	Key     string
	Request [32]byte // hash of the request: the same key with another body is refused
}

// Filter selects users for a list, which is ordered by name in any case, then by id.
type Filter struct {
	Roles    []Role // none: all
	Disabled *bool  // nil: both
	After    string // id of the last user of the page before; empty: the first page
	Limit    int
}

// Store keeps users, sessions and failures. Each method is one transaction; changes of users are written to the audit log in it.
type Store interface {
	// Credentials answers the user with this e-mail and what its password is compared with; ErrUserNotFound.
	Credentials(ctx context.Context, e Email) (User, PasswordHash, error)
	// CredentialsOf is Credentials by id.
	CredentialsOf(ctx context.Context, id string) (User, PasswordHash, error)
	// LoginFailures counts what stands against a login at this moment; network is Client.Network.
	LoginFailures(ctx context.Context, k FailureKey, network string, at time.Time) (Failures, error)
	// SettleLogin counts again while no other attempt of the same account and network can settle, so that any number of guesses made
	// at once get FailuresPerPair answers: it refuses with LimitedError, else records the failure (ErrBadCredentials) or begins the
	// session. ErrBadCredentials, too, when the user was disabled or the password changed meanwhile.
	SettleLogin(ctx context.Context, a Attempt) (User, error)
	// CountFailure is SettleLogin's counting for a wrong password given elsewhere: LimitedError, else it is recorded.
	CountFailure(ctx context.Context, k FailureKey, network string, at time.Time) error

	// Refresh finds the family of a token under its session's lock, lets judge decide and carries the verdict out; next becomes the
	// successor if it is to rotate. An unknown token answers ErrSessionEnded.
	Refresh(ctx context.Context, shown TokenHash, next RefreshToken, at time.Time, judge func(Family) (Session, Verdict)) (Family, Verdict, error)
	// RevokeByToken ends the session of a token; an unknown or ended one changes nothing.
	RevokeByToken(ctx context.Context, shown TokenHash, why RevokeReason, at time.Time) error

	// User answers one user; ErrUserNotFound.
	User(ctx context.Context, id string) (User, error)
	// Users answers a page, in the order of Filter.
	Users(ctx context.Context, f Filter) ([]User, error)
	// CreateUser inserts u if judge allows its actor to; ErrEmailTaken. A repeated Once answers the user made the first time.
	CreateUser(ctx context.Context, actor string, u User, h PasswordHash, once Once, judge func(actor User) error) (User, error)
	// ChangeUser reads actor and target while no other change of users runs, lets change decide, and writes what differs.
	// ErrUserNotFound for the target, ErrActorNotActive for an unknown actor.
	ChangeUser(ctx context.Context, actor, target string, w Change, decide func(Circumstances) (User, error)) (User, error)
	// ChangePassword counts again as SettleLogin does (LimitedError), then gives the user another password if the verified one is
	// still the stored one (else ErrStale), and ends the user's other sessions.
	ChangePassword(ctx context.Context, r Replacement) error

	// Bootstrap inserts u if there is no user at all; of several replicas one wins.
	Bootstrap(ctx context.Context, u User, h PasswordHash) (won bool, err error)
	// Empty reports whether there is no user at all.
	Empty(ctx context.Context) (bool, error)

	// RemoveExpired deletes sessions that ended before now with their tokens, forgets successors that can no longer be answered, and
	// deletes failures older than keepFailuresAfter.
	RemoveExpired(ctx context.Context, now, keepFailuresAfter time.Time) (Removed, error)
	// Tidy lets the database reuse the room of what was removed. It takes as long as it takes, and blocks nobody.
	Tidy(ctx context.Context) error
}

// Change says what else belongs to a change of a user.
type Change struct {
	Action   string       // what the audit log calls it: the RPC's name
	Reason   string       // as the person gave it, for the audit log
	Password PasswordHash // replaces the stored one; empty: it stays
	Revoke   RevokeReason // ends all sessions of the target; empty: they stay
}

// Removed counts what a cleanup deleted.
type Removed struct {
	Sessions, RefreshTokens, LoginFailures, RequestIDs int64
}

// Service is the use-cases of people and their sessions. Safe for concurrent use.
type Service struct {
	store  Store
	hasher Hasher
	issuer Issuer
	now    func() time.Time
	newID  func() string
	pause  func(ctx context.Context, d time.Duration) error
}

// Deps is what a Service works with.
type Deps struct {
	Store  Store
	Hasher Hasher
	Issuer Issuer
	Now    func() time.Time
	NewID  func() string // a new UUIDv7
	// Pause waits d, or until ctx ends: how the answers of an attacked account are slowed.
	Pause func(ctx context.Context, d time.Duration) error
}

// NewService puts a Service together.
func NewService(d Deps) *Service {
	return &Service{
		store: d.Store, hasher: d.Hasher, issuer: d.Issuer, newID: d.NewID, pause: d.Pause,
		// PostgreSQL keeps microseconds; a time that does not survive the way there and back makes equal things differ.
		now: func() time.Time { return d.Now().UTC().Truncate(time.Microsecond) },
	}
}
