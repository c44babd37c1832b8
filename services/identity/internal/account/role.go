package account

import "slices"

// Role says what a person does here; exactly one per user.
type Role string

// The roles of DESIGN 8, from the most to the least powerful.
const (
	Admin   Role = "ADMIN"       // everything
	Manager Role = "MANAGER"     // orders, assignments, agents, parcels, alerts; people below ADMIN
	Agent   Role = "AGENT_SUIVI" // own orders, own notifications, own availability
)

// Roles lists every role, the most powerful first.
func Roles() []Role { return []Role{Admin, Manager, Agent} }

// Known reports whether r is one of Roles.
func (r Role) Known() bool { return slices.Contains(Roles(), r) }

// manages reports whether somebody of role r may create, edit, disable or reset somebody of role other: an administrator
// everybody, a manager everybody but administrators, an agent nobody (lesson P79: a team leader could promote to ADMIN).
func (r Role) manages(other Role) bool {
	switch r {
	case Admin:
		return other.Known()
	case Manager:
		return other == Manager || other == Agent
	default:
		return false
	}
}
