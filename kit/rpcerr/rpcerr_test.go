package rpcerr_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

type reason string

func (r reason) String() string { return string(r) }

var (
	errGone   = errors.New("order 7 is not there")
	errSecret = errors.New(`ERROR: duplicate key "customer_phone_key" (SQLSTATE 23505)`)
)

type wrongField struct{ name string }

func (e wrongField) Error() string { return e.name + " is owned by the shop" }

func table() rpcerr.Table {
	return rpcerr.Table{
		{Err: errGone, Code: codes.NotFound, Reason: reason("ORDER_NOT_FOUND"), Domain: "orders"},
		{
			Match: func(err error) bool { var f wrongField; return errors.As(err, &f) },
			Code:  codes.FailedPrecondition, Reason: reason("FIELD_OWNED_BY_SHOP"), Domain: "orders", Message: "the shop owns this field",
			Detail: func(err error, e *rpcerr.Error) *rpcerr.Error {
				var f wrongField
				errors.As(err, &f)
				return e.Field(f.name, "the shop owns it").With("field", f.name)
			},
		},
	}
}

func TestATableSaysWhatADomainErrorIsToTheOutside(t *testing.T) {
	past, cancelPast := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancelPast()
	left, leave := context.WithCancel(context.Background())
	leave()
	live := context.Background()
	for name, tc := range map[string]struct {
		ctx     context.Context
		err     error
		code    codes.Code
		domain  string
		reason  string
		message string
	}{
		"a row by value":      {live, fmt.Errorf("load: %w", errGone), codes.NotFound, "orders", "ORDER_NOT_FOUND", "load: order 7 is not there"},
		"a row by type":       {live, wrongField{"phone"}, codes.FailedPrecondition, "orders", "FIELD_OWNED_BY_SHOP", "the shop owns this field"},
		"unforeseen":          {live, errSecret, codes.Internal, "libertaphonix", "INTERNAL", "something went wrong on our side; the request id leads to the cause"},
		"made on purpose":     {live, fmt.Errorf("x: %w", rpcerr.New(codes.Aborted, reason("STALE"), "orders", "changed meanwhile")), codes.Aborted, "orders", "STALE", "changed meanwhile"},
		"database away":       {live, fmt.Errorf("list: %w", &pgconn.PgError{Code: "53300"}), codes.Unavailable, "libertaphonix", "DEPENDENCY_UNAVAILABLE", "something this service needs is not available at the moment; please try again"},
		"connection refused":  {live, &net.OpError{Op: "dial", Err: errors.New("refused")}, codes.Unavailable, "libertaphonix", "DEPENDENCY_UNAVAILABLE", "something this service needs is not available at the moment; please try again"},
		"caller left":         {left, errSecret, codes.Canceled, "libertaphonix", "CANCELLED", "the caller cancelled the request"},
		"caller's time over":  {past, &pgconn.PgError{Code: "57014"}, codes.DeadlineExceeded, "libertaphonix", "DEADLINE_EXCEEDED", "the time for this request is over"},
		"own cancellation":    {live, context.Canceled, codes.Canceled, "libertaphonix", "CANCELLED", "the caller cancelled the request"},
		"peer's status":       {live, status.Error(codes.NotFound, "secret of the peer"), codes.Internal, "libertaphonix", "INTERNAL", "something went wrong on our side; the request id leads to the cause"},
		"peer away":           {live, fmt.Errorf("ask: %w", status.Error(codes.Unavailable, "10.0.0.7 refused")), codes.Unavailable, "libertaphonix", "DEPENDENCY_UNAVAILABLE", "something this service needs is not available at the moment; please try again"},
		"declared, not built": {live, status.Error(codes.Unimplemented, "method X not implemented"), codes.Unimplemented, "libertaphonix", "NO_SUCH_METHOD", "this method is not available"},
	} {
		t.Run(name, func(t *testing.T) {
			err := table().Status(tc.ctx, tc.err)
			code, domain, reason := rpcerr.Reason(err)
			if diff := cmp.Diff([]any{tc.code, tc.domain, tc.reason, tc.message}, []any{code, domain, reason, status.Convert(err).Message()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if err := table().Status(live, nil); err != nil {
		t.Errorf("no error is no error, got %v", err)
	}
}

func TestTheCauseIsForTheLogAndNotForTheWire(t *testing.T) {
	err := table().Status(context.Background(), errSecret)
	if !errors.Is(err, errSecret) {
		t.Error("the log must be able to find the cause")
	}
	wire := status.Convert(err).Proto().String()
	if strings.Contains(wire, "SQLSTATE") {
		t.Errorf("the wire shows the driver's words: %s", wire)
	}
}

func TestDetailsGoOutInAFixedOrder(t *testing.T) {
	ctx := obs.WithRequestID(context.Background(), "req-1")
	e := rpcerr.New(codes.ResourceExhausted, rpcerr.ReasonRateLimited, "libertaphonix", "%d are too many", 7).
		With("limit", "5").Field("pageSize", "at most 5").RetryAfter(1500 * time.Millisecond)
	s := status.Convert(rpcerr.Table{}.Status(ctx, e))
	want := []any{
		&errdetails.ErrorInfo{Reason: "RATE_LIMITED", Domain: "libertaphonix", Metadata: map[string]string{"limit": "5"}},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "pageSize", Description: "at most 5"}}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
		&errdetails.RequestInfo{RequestId: "req-1"},
	}
	if diff := cmp.Diff(want, s.Details(), protocmp.Transform()); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
	if s.Message() != "7 are too many" {
		t.Errorf("message %q", s.Message())
	}
	answered := s.Err()
	if d := rpcerr.Delay(answered); d != 1500*time.Millisecond {
		t.Errorf("delay %v", d)
	}
	if diff := cmp.Diff([]rpcerr.Field{{Path: "pageSize", Description: "at most 5"}}, rpcerr.Fields(answered)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"limit": "5"}, rpcerr.Metadata(answered)); diff != "" {
		t.Error(diff)
	}
}

func TestRefiningAnErrorLeavesTheSharedOneAlone(t *testing.T) {
	shared := rpcerr.New(codes.NotFound, reason("GONE"), "orders", "gone").With("kind", "order")
	_ = shared.With("id", "7").Field("id", "unknown").RetryAfter(time.Second).Cause(errGone)
	if d := rpcerr.Delay(shared); d != 0 || len(rpcerr.Fields(shared)) != 0 || len(rpcerr.Metadata(shared)) != 1 || errors.Unwrap(shared) != nil {
		t.Errorf("the shared error changed: %v", shared.GRPCStatus())
	}
}

func TestAReasonOfTheContractKnowsItsDomain(t *testing.T) {
	// Any generated enum will do: its package says whose vocabulary it is.
	rows := rpcerr.Table{{Err: errGone, Code: codes.NotFound, Reason: descriptorpb.FieldDescriptorProto_TYPE_BOOL}}
	if _, domain, reason := rpcerr.Reason(rows.Status(context.Background(), errGone)); domain != "google" || reason != "TYPE_BOOL" {
		t.Errorf("domain %q, reason %q", domain, reason)
	}
}

func TestAnAnswerWithoutDetailsStillHasACode(t *testing.T) {
	if code, domain, reason := rpcerr.Reason(errors.New("connection refused")); code != codes.Unknown || domain != "" || reason != "" {
		t.Errorf("got %v %q %q", code, domain, reason)
	}
}
