// Package grpcclient is how services and the gateway reach a service: one connection, set up the same way everywhere.
//
// It owns what goes along with a call (request id, service token with the person behind it, or the user's own token), the
// default deadline, keepalive, balancing over replicas, and the retries, which only methods get that the contract marks
// with idempotency_level.
//
// It never waits for a peer to come up (a call to one that is down fails at once, UNAVAILABLE), and never translates an
// answer: the adapter of the peer does, with rpcerr.Reason.
//
// Start at [Dial].
package grpcclient
