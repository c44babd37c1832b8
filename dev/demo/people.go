package demo

// Account is a person who logs in to the demo.
type Account struct {
	Email    string
	Name     string
	Role     string // as the contract spells it
	Password string
}

// password is the same for every demo login and printed by the launcher: it protects invented data on a loopback address.
const password = "Demo-2026-tizi"

// Admin is the first administrator of the demo, made by the bootstrap of the identity service.
func Admin() Account {
	return Account{Email: "admin@demo.test", Name: "Administrateur", Role: "ADMIN", Password: password}
}

// Staff are the manager and the follow-up agents of the demo, in the order in which the launcher creates them.
func Staff() []Account {
	return []Account{
		{"manager@demo.test", "Salima Benhadj", "MANAGER", password},
		{"agent@demo.test", "Nabil Ouahab", "AGENT_SUIVI", password},
		{"agent2@demo.test", "Dounia Kaddour", "AGENT_SUIVI", password},
		{"agent3@demo.test", "Fares Mebarki", "AGENT_SUIVI", password},
	}
}
