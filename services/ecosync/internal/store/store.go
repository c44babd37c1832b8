// Package store is the domain of EcoManager stores: what a store is, which ones
// may be saved, and what may be done to them.
//
// It owns base URLs, identifiers, the rule that one token is one store, and the
// use-cases of an administrator. It does no I/O of its own: PostgreSQL, the
// sealing of tokens, the shop and the orders service come in through the small
// ports in service.go. Start reading at Store, then Service.
package store

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// State says whether a store is synced.
type State string

const (
	// Active: passes run.
	Active State = "ACTIVE"
	// Paused by a person, or by a refused token; until somebody resumes it.
	Paused State = "PAUSED"
	// Inactive: switched off for good, history stays.
	Inactive State = "INACTIVE"
)

// Store is a shop as it is saved, without its token.
type Store struct {
	// ID is a UUIDv7.
	ID string
	// Identifier is the short code for people, like NATU.
	Identifier string
	Name       string
	// BaseURL and Tenant are those of a normalised BaseURL.
	BaseURL string
	Tenant  string
	// TimeZone reads the shop's times; fixed once orders exist, because stored
	// times were read in it.
	TimeZone string
	// Credential names the sealed token.
	Credential Credential

	Active bool
	// PausedAt is zero unless paused.
	PausedAt    time.Time
	PauseReason string

	// ReferencePrefixes are the letters its references begin with, as met.
	ReferencePrefixes []string
	StateMapVersion   int64

	// LastSuccessAt is the end of the last pass that read everything it had to;
	// zero before the first.
	LastSuccessAt time.Time
	// Quarantined counts its open quarantine rows.
	Quarantined int64

	// IDOnly: its listing by last change is not dependable.
	IDOnly bool
	// Gaps counts the parts of its listing that are known to be unread.
	Gaps int64

	// Version counts the changes of the settings; it is the etag.
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// State folds the two switches into one word.
func (s Store) State() State {
	switch {
	case !s.Active:
		return Inactive
	case !s.PausedAt.IsZero():
		return Paused
	}
	return Active
}

// Location is the store's zone; saved names are checked, so a failure means
// that this machine's zone tables are older than the one it was saved on.
func (s Store) Location() (*time.Location, error) { return time.LoadLocation(s.TimeZone) }

// Credential names a sealed token without holding it.
type Credential struct {
	// Version counts rotations from 1; the ciphertext is bound to it.
	Version int64
	// LastFour is all of the token that is ever shown.
	LastFour string
}

// Sealed is a token ready to be stored.
type Sealed struct {
	Credential
	// Ciphertext can be opened for this store and this version only.
	Ciphertext []byte
	// Fingerprint is a keyed hash: equal for equal tokens, and useless without
	// the key.
	Fingerprint []byte
}

// Removed counts one kind of rows that a cleanup took away.
type Removed struct {
	// Kind is the name of the table.
	Kind  string
	Count int64
}

// LastFour shows the end of a token. One shorter than a real token shows
// nothing: four of eight characters would be half the secret.
func LastFour(token shop.Token) string {
	const long = 16
	if text := token.Reveal(); len(text) >= long {
		return text[len(text)-4:]
	}
	return ""
}

// identifier is the rule of the contract, kept here as well for callers that do
// not come through it.
var identifier = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,15}$`)

// The refusals of this domain.
var (
	ErrNotFound        = errors.New("no such store")
	ErrIdentifierTaken = errors.New("another store has this identifier")
	ErrTokenInUse      = errors.New("another store has this token")
	ErrURLNotAllowed   = errors.New("the host is not on the allow-list")
	ErrOtherShop       = errors.New("the address and token answer for another shop")
	ErrStale           = errors.New("the store was changed since it was read")
	ErrMapStale        = errors.New("the state map was changed since it was read")
	ErrBusy            = errors.New("a pass over the store is running")
	ErrZoneInvalid     = errors.New("no time zone of this name")
	ErrZoneFixed       = errors.New("the times of stored orders were read in the present zone")
	ErrIncomplete      = errors.New("a store needs an identifier, a name, a base URL and a token")
	// ErrOrdersUnavailable: what must be checked with the orders service cannot
	// be checked now, so nothing is changed.
	ErrOrdersUnavailable = errors.New("the orders service cannot be asked")
)

// HasOrdersError refuses to delete what orders hang on.
type HasOrdersError struct{ Count int64 }

func (e *HasOrdersError) Error() string {
	return fmt.Sprintf("%d orders hang on the store", e.Count)
}

// ConnectionError says that address and token were tried and failed.
type ConnectionError struct {
	Failure shop.Failure
	Advice  string
}

func (e *ConnectionError) Error() string { return e.Advice }
