// Package rest is the HTTP face of the suite: REST for programs and people, translated to one gRPC call each.
//
// It owns what only an HTTP door can: the limits of a request (size, time, rate), who it comes from, strict JSON and
// strict query parameters, the shape of errors, the login cookie, and the pages at / and /docs. The paths themselves are
// the contract's: they are read from the HTTP annotations, never written here a second time.
//
// It never decides who may do what (each service does, with the same token), never stores anything, and calls one RPC
// for one request; GET /api/v1/admin/system, which asks every service, is the one exception.
//
// Start at [New], whose layers are listed in the order a request meets them.
package rest
