package rpcerr

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reason reads what a called service answered: the code, and whose vocabulary says what. Domain and reason are empty
// when the answer carries no ErrorInfo, as when no connection came about (code Unavailable).
func Reason(err error) (code codes.Code, domain, reason string) {
	s := status.Convert(err)
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return s.Code(), info.GetDomain(), info.GetReason()
		}
	}
	return s.Code(), "", ""
}

// Metadata reads the facts a called service added to its answer; nil when there are none.
func Metadata(err error) map[string]string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetMetadata()
		}
	}
	return nil
}

// Fields reads the field violations of an answer, paths in the JSON spelling.
func Fields(err error) []Field {
	var fields []Field
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				fields = append(fields, Field{Path: v.GetField(), Description: v.GetDescription()})
			}
		}
	}
	return fields
}

// Delay reads how long a called service asked to wait before another attempt; 0 when it did not say.
func Delay(err error) time.Duration {
	for _, d := range status.Convert(err).Details() {
		if retry, ok := d.(*errdetails.RetryInfo); ok {
			return retry.GetRetryDelay().AsDuration()
		}
	}
	return 0
}
