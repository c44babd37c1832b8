// Package grpcserver is the door of every service: one gRPC server, set up the same way everywhere.
//
// It owns the order of the interceptors, the check that every method has a rule, health, reflection, the limits and
// time-outs of connections, and the graceful stop.
//
// It never holds a rule of its own beyond health (anonymous), never logs a body, and never decides about a row: whose
// order it is stands in the service.
//
// Start at [New]; the order of the interceptors is the slice in [Server.Interceptors].
package grpcserver
