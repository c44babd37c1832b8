// Package rpcerr gives every error that leaves a service one shape.
//
// It owns the google.rpc details on the wire: ErrorInfo (reason, domain, metadata), BadRequest for fields, RetryInfo for
// limits and RequestInfo for support. It owns the one table by which a service turns its domain errors into statuses.
//
// It never logs (the log interceptor of kit/grpcserver does, once), never lets the text of an unforeseen error reach a
// caller, and never compares message text.
//
// Start at [Table.Status], which is where every error of every handler passes; [Reason] is its counterpart for callers.
//
// What the codes mean in the whole suite: InvalidArgument can never work; FailedPrecondition, the state forbids it;
// Aborted, a race was lost, try again now; ResourceExhausted, later; Unavailable, try again with back-off; Internal, our bug.
package rpcerr
