package rpcerr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/libertaphonix/libertaphonix/kit/pg"
)

// PlumbingDomain is the domain of the reasons below, which belong to no service's own vocabulary.
const PlumbingDomain = "libertaphonix"

// Plumbing is a reason that any RPC of any service may answer with: the spelling of access.v1.ErrorReason in the
// contract, which a test in proto/access holds equal to these.
type Plumbing string

// The reasons of the plumbing; those of authentication are in kit/auth.
const (
	ReasonInternal         Plumbing = "INTERNAL"               // our bug; the request id leads to the log line
	ReasonUnavailable      Plumbing = "DEPENDENCY_UNAVAILABLE" // something this service needs is down: back off, then retry
	ReasonCancelled        Plumbing = "CANCELLED"              // the caller went away
	ReasonDeadlineExceeded Plumbing = "DEADLINE_EXCEEDED"      // the caller's time is over
	ReasonNoSuchMethod     Plumbing = "NO_SUCH_METHOD"         // declared and not built, or never declared
	ReasonInvalidRequest   Plumbing = "INVALID_REQUEST"        // a rule of the contract is broken: see the field violations
	ReasonRateLimited      Plumbing = "RATE_LIMITED"           // too many requests: wait what RetryInfo says
	ReasonRequestIDReused  Plumbing = "REQUEST_ID_REUSED"      // the request id came before with another body
)

// String is the reason as it stands on the wire.
func (r Plumbing) String() string { return string(r) }

// UnavailableRetry is what a caller is told to wait when the database or a peer is away: longer than a reconnect of a
// pool, shorter than the patience of a person.
const UnavailableRetry = 2 * time.Second

// Row says what one domain error is to the outside.
type Row struct {
	Err     error                      // matched with errors.Is
	Match   func(error) bool           // or, for typed errors: matched when it says so
	Code    codes.Code                 //
	Reason  fmt.Stringer               // an enum of the contract
	Domain  string                     // empty: the service in whose contract the reason's enum stands
	Message string                     // empty: the domain error's own text, which then must be fit for callers
	Detail  func(error, *Error) *Error // optional: adds fields, metadata or a delay from a typed error
}

// Table is the whole of what a service's errors mean, in internal/rpc/errors.go. The first row that matches decides.
type Table []Row

// Status turns what a handler returned into what the caller gets: an *Error with the request id, or nil.
//
// An *Error made on purpose passes as it is. What nobody foresaw is Internal with a fixed text; its own text stays
// reachable as the cause, for the log. A status that came from a peer never passes, not even its message: a peer's
// vocabulary means nothing to our caller, the adapter of that peer is where it is translated.
func (t Table) Status(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return t.classify(ctx, err).ForRequest(ctx)
}

func (t Table) classify(ctx context.Context, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	for _, row := range t {
		if row.matches(err) {
			return row.status(err)
		}
	}
	// The caller's own clock goes before what the driver made of it: a query cut short because the caller left is no outage.
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return cancelled.Cause(err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return deadlineExceeded.Cause(err)
	case pg.Unavailable(err):
		return unavailable.Cause(err)
	case errors.Is(err, context.Canceled):
		return cancelled.Cause(err)
	case errors.Is(err, context.DeadlineExceeded):
		return deadlineExceeded.Cause(err)
	}
	switch status.Code(err) {
	case codes.Unavailable:
		return unavailable.Cause(err)
	case codes.Unimplemented:
		return unimplemented.Cause(err)
	}
	return internal.Cause(err)
}

// Internal is the answer to a bug: a fixed text, with the cause kept for the log.
func Internal(cause error) *Error { return internal.Cause(cause) }

// Unavailable is the answer while something the service needs is away, with the delay after which to try again.
func Unavailable(cause error) *Error { return unavailable.Cause(cause) }

// The fixed answers. They are values, and the builder methods copy, so nothing can change them.
var (
	internal = New(codes.Internal, ReasonInternal, PlumbingDomain,
		"something went wrong on our side; the request id leads to the cause")
	unavailable = New(codes.Unavailable, ReasonUnavailable, PlumbingDomain,
		"something this service needs is not available at the moment; please try again").RetryAfter(UnavailableRetry)
	cancelled        = New(codes.Canceled, ReasonCancelled, PlumbingDomain, "the caller cancelled the request")
	deadlineExceeded = New(codes.DeadlineExceeded, ReasonDeadlineExceeded, PlumbingDomain, "the time for this request is over")
	unimplemented    = New(codes.Unimplemented, ReasonNoSuchMethod, PlumbingDomain, "this method is not available")
)

func (r Row) matches(err error) bool {
	return r.Err != nil && errors.Is(err, r.Err) || r.Match != nil && r.Match(err)
}

func (r Row) status(err error) *Error {
	message := r.Message
	if message == "" {
		message = err.Error()
	}
	domain := r.Domain
	if domain == "" {
		domain = domainOf(r.Reason)
	}
	e := New(r.Code, r.Reason, domain, "%s", message).Cause(err)
	if r.Detail != nil {
		e = r.Detail(err, e)
	}
	return e
}

// sharedPackage is the contract package whose reasons belong to every service: libertaphonix.access.v1.
const sharedPackage = "access"

// domainOf is the service whose contract declares the reason: "orders" for an enum of libertaphonix.orders.v1.
func domainOf(reason fmt.Stringer) string {
	enum, ok := reason.(protoreflect.Enum)
	if !ok {
		return PlumbingDomain
	}
	pkg := string(enum.Descriptor().ParentFile().Package())
	parts := strings.Split(pkg, ".")
	if len(parts) < 2 || parts[len(parts)-2] == sharedPackage {
		return PlumbingDomain
	}
	return parts[len(parts)-2]
}
