package rpcerr

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/libertaphonix/libertaphonix/kit/obs"
)

// Error is an error that is fit to leave the service: what it shows was written for the caller to read.
//
// The builder methods copy, so an Error may be kept in a package variable and refined per call.
// Its cause is for the log alone: it is reachable by errors.Unwrap and never put on the wire.
type Error struct {
	code       codes.Code
	reason     string
	domain     string
	message    string
	metadata   map[string]string
	fields     []Field
	retryAfter time.Duration
	requestID  string
	cause      error
}

// Field is one thing wrong with a request.
type Field struct {
	Path        string // where, in the JSON spelling: "orders[3].phoneNumber"
	Description string // what is wrong and what would be right
}

// New makes an error with a code, a reason of the domain's vocabulary, and a text for people.
//
// The reason is an enum of the contract (its String is what goes on the wire); the domain is the short name of the
// service whose vocabulary it is ("orders"). The text must hold no secret and no driver's words.
func New(code codes.Code, reason fmt.Stringer, domain, format string, args ...any) *Error {
	return &Error{code: code, reason: reason.String(), domain: domain, message: fmt.Sprintf(format, args...)}
}

// With adds one pair to the metadata of ErrorInfo: facts a program may use, such as the status that forbade a move.
func (e *Error) With(key, value string) *Error {
	c := e.copy()
	if c.metadata == nil {
		c.metadata = map[string]string{}
	}
	c.metadata[key] = value
	return c
}

// Field adds a field violation; the path is in the JSON spelling, as the caller wrote it.
func (e *Error) Field(path, description string) *Error {
	c := e.copy()
	c.fields = append(c.fields, Field{Path: path, Description: description})
	return c
}

// RetryAfter says when another attempt may succeed.
func (e *Error) RetryAfter(d time.Duration) *Error {
	c := e.copy()
	c.retryAfter = d
	return c
}

// Cause keeps the error that led here for the log. It never reaches the caller.
func (e *Error) Cause(err error) *Error {
	c := e.copy()
	c.cause = err
	return c
}

// ForRequest adds the request id of ctx, by which support finds the log line; an id already there is kept.
func (e *Error) ForRequest(ctx context.Context) *Error {
	id := obs.RequestID(ctx)
	if id == "" || e.requestID != "" {
		return e
	}
	c := e.copy()
	c.requestID = id
	return c
}

// Code is the gRPC code of the error.
func (e *Error) Code() codes.Code { return e.code }

// Error is the text the caller reads: the cause is not part of it.
func (e *Error) Error() string { return e.message }

// Unwrap gives the log, and errors.Is, the cause.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus is what gRPC sends. Details are in a fixed order so that answers can be compared.
func (e *Error) GRPCStatus() *status.Status {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: e.reason, Domain: e.domain, Metadata: e.metadata}}
	if len(e.fields) > 0 {
		bad := &errdetails.BadRequest{}
		for _, f := range e.fields {
			bad.FieldViolations = append(bad.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: f.Path, Description: f.Description})
		}
		details = append(details, bad)
	}
	if e.retryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.retryAfter)})
	}
	if e.requestID != "" {
		details = append(details, &errdetails.RequestInfo{RequestId: e.requestID})
	}
	s := status.New(e.code, e.message)
	detailed, err := s.WithDetails(details...)
	if err != nil { // only for codes.OK, which is no error, or text that is not UTF-8
		return s
	}
	return detailed
}

func (e *Error) copy() *Error {
	c := *e
	c.metadata = maps.Clone(e.metadata)
	c.fields = slices.Clone(e.fields)
	return &c
}
