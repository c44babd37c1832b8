package order

// Role is what a person may.
type Role string

// The roles.
const (
	Admin      Role = "ADMIN"
	Manager    Role = "MANAGER"
	AgentSuivi Role = "AGENT_SUIVI"
)

// Actor is who asks. A service that asks for itself has no mover and no role: it reads every order and moves none by hand.
type Actor struct {
	Mover Mover
	ID    string // user id
	Role  Role
}

// Person makes the actor of somebody with a role.
func Person(id string, role Role) Actor {
	a := Actor{ID: id, Role: role, Mover: ByAgent} // the least rights unless the role is known to have more
	if role == Admin || role == Manager {
		a.Mover = ByManager
	}
	return a
}

// Sees tells whether the order is there for this actor: to an agent, anybody else's is not (lesson P80).
func (a Actor) Sees(o *Order) bool {
	return o.DeletedAt == nil && (a.Mover != ByAgent || o.AgentID == a.ID)
}
