// Package e2e proves the suite from outside: built binaries, a private PostgreSQL and Redis, the simulated shops, and nothing but the doors that
// users have (REST, gRPC). Only what was stored is compared in the database itself, row by row.
//
// One business serves all tests of the package (business); each test makes the stores and people it needs. Tests that need an environment of
// their own start a stack of their own. Start reading at suite_test.go.
package e2e
