package rest

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
)

// domain is whose vocabulary the gateway's own refusals use: the suite's, because it has no contract of its own.
const domain = "libertaphonix"

// maxFaults keeps a refusal readable, whatever nonsense came in.
const maxFaults = 30

// problem is an error that the gateway itself answers: an HTTP status where gRPC has no code for it, and the Status.
type problem struct {
	status int
	err    *rpcerr.Error
}

func newProblem(status int, code codes.Code, reason accessv1.ErrorReason_Value, format string, args ...any) problem {
	return problem{status, rpcerr.New(code, reason, domain, format, args...)}
}

func unknownPath() problem {
	return newProblem(http.StatusNotFound, codes.NotFound, accessv1.ErrorReason_NO_SUCH_METHOD,
		"no such path; /openapi.json lists them, /docs shows them")
}

func wrongMethod(method string, allowed []string) problem {
	return newProblem(http.StatusMethodNotAllowed, codes.Unimplemented, accessv1.ErrorReason_NO_SUCH_METHOD,
		"this path does not take %s; it takes %s", printable(method), strings.Join(allowed, ", "))
}

func malformedPath() problem {
	return newProblem(http.StatusBadRequest, codes.InvalidArgument, accessv1.ErrorReason_INVALID_REQUEST,
		"the path is not valid UTF-8 after its percent signs are decoded")
}

func malformedQuery() problem {
	return newProblem(http.StatusBadRequest, codes.InvalidArgument, accessv1.ErrorReason_INVALID_REQUEST,
		"the query cannot be read: separate parameters with & and percent-encode what is not a letter or digit")
}

func wrongQuery(faults []rpcerr.Field) problem {
	first := faults[0]
	p := newProblem(http.StatusBadRequest, codes.InvalidArgument, accessv1.ErrorReason_INVALID_REQUEST,
		"query parameter %q: %s", first.Path, first.Description)
	for _, f := range faults {
		p.err = p.err.Field(f.Path, f.Description)
	}
	return p
}

func wrongIdempotencyKey() problem {
	p := newProblem(http.StatusBadRequest, codes.InvalidArgument, accessv1.ErrorReason_INVALID_REQUEST,
		"the header Idempotency-Key must be given once, with 1 to %d printable ASCII characters", maxIdempotencyKey)
	p.err = p.err.Field("Idempotency-Key", "1 to 64 printable ASCII characters, once")
	return p
}

func wrongBody(faults []rpcerr.Field) problem {
	first := faults[0]
	p := newProblem(http.StatusBadRequest, codes.InvalidArgument, accessv1.ErrorReason_INVALID_REQUEST,
		"body: field %q: %s", first.Path, first.Description)
	for _, f := range faults[:min(len(faults), maxFaults)] {
		p.err = p.err.Field(f.Path, f.Description)
	}
	return p
}

func wrongContentType(what string) problem {
	return newProblem(http.StatusUnsupportedMediaType, codes.InvalidArgument, accessv1.ErrorReason_INVALID_REQUEST, "%s", what)
}

func bodyTooLarge() problem {
	return newProblem(http.StatusRequestEntityTooLarge, codes.InvalidArgument, accessv1.ErrorReason_INVALID_REQUEST,
		"the body is larger than %d bytes", maxBody)
}

func addressTooLong() problem {
	return newProblem(http.StatusRequestURITooLong, codes.InvalidArgument, accessv1.ErrorReason_INVALID_REQUEST,
		"path and query are longer than %d bytes", maxTarget)
}

func headersTooLarge() problem {
	return newProblem(http.StatusRequestHeaderFieldsTooLarge, codes.InvalidArgument, accessv1.ErrorReason_INVALID_REQUEST,
		"the headers are larger than %d bytes", maxHeaders)
}

func foreignOrigin() problem {
	return newProblem(http.StatusForbidden, codes.PermissionDenied, accessv1.ErrorReason_PERMISSION_DENIED,
		"pages of another origin may not call this API from a browser")
}

func tooManyRequests(wait time.Duration) problem {
	p := newProblem(http.StatusTooManyRequests, codes.ResourceExhausted, accessv1.ErrorReason_RATE_LIMITED,
		"too many requests; wait %d s", wholeSeconds(wait))
	p.err = p.err.RetryAfter(wait)
	return p
}

func noneReachable() problem {
	p := newProblem(http.StatusServiceUnavailable, codes.Unavailable, accessv1.ErrorReason_DEPENDENCY_UNAVAILABLE,
		"no service can be reached, so nobody can say whether you may see this")
	p.err = p.err.RetryAfter(rpcerr.UnavailableRetry)
	return p
}

// unspoken is what a caller reads when an error did not come from a service's own hand: gRPC's transport, a peer that is
// down, or generated code. Its text is for the log: it names addresses and libraries.
func unspoken(code codes.Code, text string) problem {
	status := httpStatus(code)
	switch code {
	case codes.InvalidArgument: // generated code, about the body or a variable of the path; written for the caller
		return newProblem(status, code, accessv1.ErrorReason_INVALID_REQUEST, "%s", text)
	case codes.Unavailable:
		p := newProblem(status, code, accessv1.ErrorReason_DEPENDENCY_UNAVAILABLE,
			"the service behind this path cannot be reached at the moment; please try again")
		p.err = p.err.RetryAfter(rpcerr.UnavailableRetry)
		return p
	case codes.DeadlineExceeded:
		return newProblem(status, code, accessv1.ErrorReason_DEADLINE_EXCEEDED, "the answer took too long; please try again")
	case codes.Canceled:
		return newProblem(status, code, accessv1.ErrorReason_CANCELLED, "the request was given up")
	case codes.Unimplemented:
		return newProblem(status, code, accessv1.ErrorReason_NO_SUCH_METHOD, "the service behind this path does not know it yet")
	default:
		return newProblem(http.StatusInternalServerError, codes.Internal, accessv1.ErrorReason_INTERNAL,
			"something went wrong on our side; the request id leads to the cause")
	}
}

// crashed is the answer after a panic.
func crashed() problem { return unspoken(codes.Internal, "") }

// Error lets a problem travel as an error.
func (p problem) Error() string { return fmt.Sprintf("%d %v", p.status, p.err) }
