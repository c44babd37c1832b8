package account

import (
	"context"
	"crypto/rand"
	"errors"
)

// DevelopmentAdmin is the first administrator's e-mail when development names none.
const DevelopmentAdmin Email = "admin@libertaphonix.example"

// ErrBootstrapMissing refuses a start in production on an empty database without a first administrator.
var ErrBootstrapMissing = errors.New("there is no user yet: set BOOTSTRAP_ADMIN_EMAIL and BOOTSTRAP_ADMIN_PASSWORD to make the first administrator")

// FirstAdmin is who the environment names as the first administrator; both empty when it names nobody.
type FirstAdmin struct {
	Email    string
	Password Password
}

// Complete reports whether an administrator can be made without drawing anything.
func (f FirstAdmin) Complete() bool { return f.Email != "" && f.Password != "" }

// Check judges what the environment says, without a database.
func (f FirstAdmin) Check() error {
	if f == (FirstAdmin{}) {
		return nil
	}
	if f.Email == "" {
		return errors.New("BOOTSTRAP_ADMIN_PASSWORD is set without BOOTSTRAP_ADMIN_EMAIL: set both or neither")
	}
	email, err := ParseEmail(f.Email)
	if err != nil {
		return err
	}
	if f.Password == "" {
		return nil
	}
	return checkPassword(f.Password, email, "")
}

// Bootstrapped tells what a start made.
type Bootstrapped struct {
	Made  bool
	Email Email
	// Drawn is the random password of an administrator made without one; it is told once, and only by the replica that won.
	Drawn Password
}

// Bootstrap makes the first administrator if there is no user at all, and never touches an existing one: a password left in the
// environment is no way back in (lesson P84). With mayDraw (development) a missing e-mail or password is made up.
func (s *Service) Bootstrap(ctx context.Context, f FirstAdmin, mayDraw bool) (Bootstrapped, error) {
	empty, err := s.store.Empty(ctx)
	if err != nil || !empty {
		return Bootstrapped{}, err
	}
	if !f.Complete() && !mayDraw {
		return Bootstrapped{}, ErrBootstrapMissing
	}
	if err := f.Check(); err != nil {
		return Bootstrapped{}, err
	}
	drawn := Password("")
	if f.Email == "" {
		f.Email = string(DevelopmentAdmin)
	}
	if f.Password == "" {
		drawn = Password(rand.Text()) // 26 letters and digits, over 128 bits
		f.Password = drawn
	}
	u, err := s.newUser(NewUser{Email: f.Email, Name: "Administrator", Role: Admin})
	if err != nil {
		return Bootstrapped{}, err
	}
	u.MustChangePassword = false
	hash, err := s.hasher.Hash(ctx, f.Password)
	if err != nil {
		return Bootstrapped{}, err
	}
	won, err := s.store.Bootstrap(ctx, u, hash)
	if err != nil || !won {
		return Bootstrapped{}, err
	}
	return Bootstrapped{Made: true, Email: u.Email, Drawn: drawn}, nil
}
