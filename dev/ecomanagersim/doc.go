// Package ecomanagersim is a stand-in for EcoManager: a real HTTP server that speaks the shop API byte for byte as far as it is known,
// invents a world of orders from a seed, and lets that world live.
//
// What it owns: tenants, their shops and tokens, the orders and their life cycle, webhooks and their delivery, the shop API under
// {root}/{tenant}/api/shop/v2 (or the virtual host {tenant}.anything), and a control door under /control for tests and people. What it
// never does: know our services, or call a host that is neither this machine nor in Config.DeliveryHosts. It shows an order only as the
// vendor would, dirty where the vendor is dirty; what is true is told at the control door alone, so that a test can compare what was
// stored with what was meant.
//
// The same Config gives the same world: every choice comes from PCG generators seeded from Config.Seed, and time from Config.Clock.
// Orders are immutable values; a change replaces the value under one lock, so that readers never wait for rendering.
//
// # Switches
//
// Each is a Go method of Server and a path of the control door (GET /control lists them with their bodies).
//
//   - Life: [Server.SetEngine] starts, stops and speeds it up while [Server.Run] runs; [Server.Advance] lets days pass in one call.
//   - Orders: [Server.AddOrders], [Server.ChangeOrder], [Server.DeleteOrder]; [Server.ChangeOrders] and [Server.DeleteOrders] for
//     hundreds at one instant. A [Change] may set any updated_at, such as one of 2035, or leave it untouched. A deleted order answers
//     404 with JSON when it is read alone.
//   - Dirt: [Server.SetDirt], shares of untidiness. [LightDirt] is an ordinary day, [HeavyDirt] leaves no page clean.
//   - Tokens: [Server.RegenerateToken]; the old one is answered 403, one never given out 401.
//   - Quotas: [Server.SetQuota] and [Server.SetShopQuota]: the four windows per token with any numbers, with or without Retry-After and
//     X-RateLimit headers, passing at any speed of the clock; [Server.SpendQuota] uses a window up. Off in a zero Config, on in [Demo].
//   - Faults: [Server.AddFault] with a [Fault]: a kind, the requests it concerns (tenant, shop, part of the API, page cursor, order) and
//     how often (after, share, times). [Server.Faults] tells how often each struck.
//   - Webhooks: registered over the shop API; [Server.Hooks] is the truth about them. [Server.SetHookSpeed] compresses the day of
//     retries, [Server.Deliver] makes the attempts that are due when Run does not.
//   - Counting: [Server.Requests] and [Server.ResetRequests].
//
// # Order of things
//
// A request passes the gates of gates.go: tenant, JSON, token, quota, faults, method. What is limited by the quota meets no fault; what
// a fault spoils has cost a request. Faults hold a request in real time, for as long as its caller waits: what is to last 35 seconds is
// a SLOW of 35 seconds, what is never to end is a HANG.
//
// Start reading at Config, then Server; pages.go and cursor.go hold the paginator, engine.go the life cycle, wire.go the dirt, quota.go
// the limits, fault.go what can go wrong and damage.go how, hook.go, hookapi.go and delivery.go the webhooks.
package ecomanagersim
