// Package postgres keeps orders in PostgreSQL: it implements the ports of package order, with the SQL beside each method.
//
// It owns the schema `orders` (migrations/) and the locks: what is locked, in which order, and what a conflict means. It
// never decides anything about an order; where a decision must be made under a lock, the domain hands it in as a function.
//
// Start reading at [Store], then store_ingest.go for how a batch is written and why it cannot deadlock.
package postgres
