// Package auth decides who is calling, and answers whether a rule lets that caller in.
//
// It owns the two kinds of token: user tokens (EdDSA, 15 minutes, signed by identity, verified with published keys) and
// service tokens (HS256 under the suite's shared key, 60 seconds, bound to one callee). It owns the verification keys,
// in memory and in the service's own schema, and the refusals, each with its own reason.
//
// It never knows a method (rules come from the contract, see proto/access), never reads metadata (kit/grpcserver does),
// never takes a key from Redis, and never checks a password.
//
// Start at [Verifier.Authenticate]; [Rule.Allows] is the other half of every decision.
package auth
