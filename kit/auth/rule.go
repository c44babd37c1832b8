package auth

import "slices"

// Rule says who may call a method. It is read from the permission option of the contract; the zero Rule lets nobody in.
type Rule struct {
	Anonymous     bool     // everybody, token or not
	Authenticated bool     // every user, whatever the role; no service
	Roles         []string // users with one of these roles
	Services      []string // these services, by themselves or for a person
}

// Allows is the one decision of rights by role. A service must be listed even when the person it acts for has a listed
// role: acting for an admin does not make a service one.
func (r Rule) Allows(p Principal) bool {
	if r.Anonymous {
		return true
	}
	switch p.Kind {
	case User:
		return r.Authenticated || slices.Contains(r.Roles, p.Role)
	case Service:
		return slices.Contains(r.Services, p.Service)
	default:
		return false
	}
}

// Empty says that the rule lets nobody in, which in a contract is always a mistake.
func (r Rule) Empty() bool {
	return !r.Anonymous && !r.Authenticated && len(r.Roles) == 0 && len(r.Services) == 0
}
