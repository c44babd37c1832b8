// Package pg is how a service reaches its PostgreSQL: the pool, the migrations, the
// retry of transactions that lost a race, and the recognition of errors by SQLSTATE.
//
// It owns: connection settings (UTC, an empty search_path, timeouts), the migration
// table of each schema, the advisory lock migrations run under, and kit's own
// tables, which every service has in its schema (KitMigrations). It never builds a
// query and never looks at the text of an error.
//
// Start reading at Start, which is all an app.New needs; then Open, Migrate, InTx.
package pg
