// Package ecomanagersim is a stand-in for EcoManager: a real HTTP server that speaks the shop API byte for byte as far as it is known,
// invents a world of orders from a seed, and lets that world live.
//
// What it owns: tenants, their shops and tokens, the orders and their life cycle, the shop API under
// {root}/{tenant}/api/shop/v2 (or the virtual host {tenant}.anything), and a control door under /control for tests and people. What it
// never does: know our services. It shows an order only as the vendor would, dirty where the vendor is dirty; what is true is told at
// the control door alone, so that a test can compare what was stored with what was meant.
//
// The same Config gives the same world: every choice comes from PCG generators seeded from Config.Seed, and time from Config.Clock.
// Orders are immutable values; a change replaces the value under one lock, so that readers never wait for rendering.
//
// Start reading at Config, then Server; pages.go and cursor.go hold the paginator, engine.go the life cycle, wire.go the dirt.
// A request passes the gates of gates.go in order; quotas and faults are further gates.
package ecomanagersim
