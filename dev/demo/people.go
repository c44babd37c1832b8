package demo

// Account is a person who logs in to the demo. The passwords protect invented data on a loopback address and are printed by the launcher.
type Account struct {
	Email    string
	Name     string
	Role     string // as the contract spells it
	Password string
}

// Admin is the first administrator of the demo, made by the bootstrap of the identity service.
func Admin() Account {
	return Account{Email: "admin@demo.example", Name: "Administrateur", Role: "ADMIN", Password: "demo-admin-password"}
}

// Staff are the manager and the follow-up agents of the demo, in the order in which the launcher creates them.
func Staff() []Account {
	return []Account{
		{"manager@demo.example", "Salima Benhadj", "MANAGER", "demo-manager-password"},
		{"agent@demo.example", "Nabil Ouahab", "AGENT_SUIVI", "demo-agent-password"},
		{"agent2@demo.example", "Dounia Kaddour", "AGENT_SUIVI", "demo-agent2-password"},
		{"agent3@demo.example", "Fares Mebarki", "AGENT_SUIVI", "demo-agent3-password"},
	}
}
