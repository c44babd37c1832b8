package account

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func someone(id string, r Role) User {
	return User{
		ID: id, Email: Email(id + "@shop.dz"), Name: id, Role: r, Version: 3,
		PasswordChangedAt: noon.Add(-time.Hour), CreatedAt: noon.Add(-time.Hour), UpdatedAt: noon.Add(-time.Hour),
	}
}

func disabled(u User) User {
	at := noon.Add(-time.Minute)
	u.DisabledAt = &at
	return u
}

// The table of DESIGN 8: an administrator may change everybody, a manager everybody below, an agent nobody (lesson P79).
func TestWhoMayChangeWhom(t *testing.T) {
	allowed := map[[2]Role]bool{
		{Admin, Admin}: true, {Admin, Manager}: true, {Admin, Agent}: true,
		{Manager, Manager}: true, {Manager, Agent}: true,
	}
	newName := "Another Name"
	operations := map[string]func(Circumstances) (User, error){
		"edit":    func(c Circumstances) (User, error) { return c.amend(Amendment{Name: &newName}, noon) },
		"disable": func(c Circumstances) (User, error) { return c.disable(noon) },
		"enable":  func(c Circumstances) (User, error) { return c.enable(noon) },
		"reset":   func(c Circumstances) (User, error) { return c.resetPassword(noon) },
	}
	for _, by := range Roles() {
		for _, of := range Roles() {
			for name, operate := range operations {
				t.Run(fmt.Sprintf("%s %ss %s", by, name, of), func(t *testing.T) {
					_, err := operate(Circumstances{Actor: someone("actor", by), Target: someone("target", of), OtherAdmins: true})
					if allowed[[2]Role{by, of}] != (err == nil) {
						t.Errorf("allowed = %v, want %v (%v)", err == nil, allowed[[2]Role{by, of}], err)
					}
				})
			}
		}
	}
}

func TestRoleGivenAndTaken(t *testing.T) {
	tests := []struct {
		name        string
		actor       User
		target      User
		role        Role
		otherAdmins bool
		want        error
	}{
		{"an admin makes an agent a manager", someone("a", Admin), someone("t", Agent), Manager, true, nil},
		{"an admin makes a manager an admin", someone("a", Admin), someone("t", Manager), Admin, true, nil},
		{"a manager makes an agent a manager", someone("m", Manager), someone("t", Agent), Manager, true, nil},
		{"a manager makes an agent an admin", someone("m", Manager), someone("t", Agent), Admin, true, ErrRank},
		{"a manager becomes an admin", someone("m", Manager), someone("m", Manager), Admin, true, ErrRank},
		{"a manager takes an admin's role", someone("m", Manager), someone("t", Admin), Agent, true, ErrRank},
		{"an agent promotes himself", someone("g", Agent), someone("g", Agent), Manager, true, ErrActorNotActive},
		{"the last admin steps down", someone("a", Admin), someone("a", Admin), Manager, false, ErrLastAdmin},
		{"an admin steps down beside another", someone("a", Admin), someone("a", Admin), Manager, true, nil},
		{"a disabled admin is demoted by the last active one", someone("a", Admin), disabled(someone("t", Admin)), Agent, true, nil},
		{"a role nobody knows", someone("a", Admin), someone("t", Agent), "OWNER", true, ErrInvalidRole},
		{"an admin disabled meanwhile", disabled(someone("a", Admin)), someone("t", Agent), Manager, true, ErrActorNotActive},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Circumstances{Actor: tt.actor, Target: tt.target, OtherAdmins: tt.otherAdmins}
			got, err := c.amend(Amendment{Role: &tt.role}, noon)
			if !errors.Is(err, tt.want) {
				t.Fatalf("err = %v, want %v", err, tt.want)
			}
			if err == nil && got.Role != tt.role {
				t.Errorf("role = %s, want %s", got.Role, tt.role)
			}
		})
	}
}

func TestTheLastActiveAdminCannotBeDisabled(t *testing.T) {
	last := Circumstances{Actor: someone("a", Admin), Target: someone("a", Admin)}
	if _, err := last.disable(noon); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("err = %v, want %v", err, ErrLastAdmin)
	}
}

func TestAChangeRaisesTheVersionAndRepeatingItDoesNot(t *testing.T) {
	c := Circumstances{Actor: someone("a", Admin), Target: someone("t", Agent)}
	once, err := c.disable(noon)
	if err != nil {
		t.Fatal(err)
	}
	want := someone("t", Agent)
	want.DisabledAt, want.UpdatedAt, want.Version = &noon, noon, 4
	if diff := cmp.Diff(want, once); diff != "" {
		t.Errorf("disabled once (-want +got):\n%s", diff)
	}
	c.Target = once
	twice, err := c.disable(noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Errorf("disabled twice (-once +twice):\n%s", diff)
	}
}

func TestAStaleChangeIsRefused(t *testing.T) {
	name := "New Name"
	c := Circumstances{Actor: someone("a", Admin), Target: someone("t", Agent)}
	if _, err := c.amend(Amendment{Name: &name, Version: 2}, noon); !errors.Is(err, ErrStale) {
		t.Errorf("an older version: err = %v, want %v", err, ErrStale)
	}
	if _, err := c.amend(Amendment{Name: &name, Version: 3}, noon); err != nil {
		t.Errorf("the stored version: %v", err)
	}
}

// UpdateUser is idempotent in the contract: a client that lost the answer repeats the request as it was, etag and all.
func TestAChangeThatIsDoneAlreadyIsNoStaleOne(t *testing.T) {
	name, role := "New Name", Manager
	wanted := Amendment{Name: &name, Role: &role, Version: 3}
	c := Circumstances{Actor: someone("a", Admin), Target: someone("t", Agent)}
	once, err := c.amend(wanted, noon)
	if err != nil {
		t.Fatal(err)
	}
	c.Target = once
	twice, err := c.amend(wanted, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Errorf("repeated (-once +twice):\n%s", diff)
	}
	c.Target.Name = "Changed By Somebody"
	if _, err := c.amend(wanted, noon.Add(time.Hour)); !errors.Is(err, ErrStale) {
		t.Errorf("over somebody else's change: %v, want %v", err, ErrStale)
	}
}

func TestNames(t *testing.T) {
	tests := map[string]struct {
		typed, want string
		err         error
	}{
		"inner and outer spaces are tidied": {"  Amina \t Benali ", "Amina Benali", nil},
		"Arabic is a name":                  {"أمينة بن علي", "أمينة بن علي", nil},
		"nothing is none":                   {"   ", "", ErrInvalidName},
		"a control character is none":       {"Amina\x00", "", ErrInvalidName},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseName(tt.typed)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}
