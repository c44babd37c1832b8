package stack

// program is one row of the table of what is started. A new service is one more row.
type program struct {
	name    string
	source  string   // package to build, from the root of the repository
	address string   // variable of its own address; the default port stands beside it
	port    int      // default port; health and metrics are at port + 1000
	without []string // variables it must not get to see
}

// programs in the order of start. All of them start at once and wait for what they need; the order decides what is waited for and
// printed first, and, reversed, the stop: the door closes before the rooms.
func programs() []program {
	return []program{
		{name: "identity", source: "./services/identity/cmd/identity", address: "IDENTITY_ADDR", port: 7101},
		{name: "orders", source: "./services/orders/cmd/orders", address: "ORDERS_ADDR", port: 7102, without: bootstrapSecrets},
		{name: "ecosync", source: "./services/ecosync/cmd/ecosync", address: "ECOSYNC_ADDR", port: 7103, without: bootstrapSecrets},
		{
			name: "gateway", source: "./gateway/cmd/gateway", address: "GATEWAY_ADDR", port: 8080,
			// The door holds no key and no database (DESIGN 8): what it does not know cannot be stolen from it.
			without: append([]string{"DATABASE_URL", "SERVICE_AUTH_KEY", "CREDENTIALS_KEYSET"}, bootstrapSecrets...),
		},
	}
}

// bootstrapSecrets concern identity alone.
var bootstrapSecrets = []string{"BOOTSTRAP_ADMIN_EMAIL", "BOOTSTRAP_ADMIN_PASSWORD"}

// simulator is the program behind the demo stores.
func simulator() program {
	return program{name: "shops", source: "./dev/cmd/ecomanagersim", address: "ECOMANAGERSIM_ADDR", port: 7190}
}
