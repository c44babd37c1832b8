package rest

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// refuse answers a problem of the gateway's own.
func refuse(w http.ResponseWriter, r *http.Request, p problem) {
	writeStatus(w, r, p.status, p.err.GRPCStatus())
}

// answerError is the error handler of the router: whatever went wrong after a path was found.
func (h *handler) answerError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	v := visitOf(r.Context())
	var malformed *runtime.HTTPStatusError
	switch {
	case v.bodyTooLarge:
		refuse(w, r, bodyTooLarge())
		return
	case errors.As(err, &malformed):
		refuse(w, r, malformedPath())
		return
	}
	s := status.Convert(err)
	if !spoken(s) {
		p := unspoken(s.Code(), s.Message())
		if s.Code() != codes.InvalidArgument {
			v.cause = err
		}
		refuse(w, r, p)
		return
	}
	if v.cookieRefused(s) {
		h.origin.forgetCookie(w) // a browser that goes on sending it would be refused for ever
	}
	writeStatus(w, r, httpStatus(s.Code()), s)
}

// answerRoutingError answers where no path was found, or not with this method.
func (h *handler) answerRoutingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, _ int) {
	allowed := h.table.allowed(r)
	if len(allowed) == 0 {
		refuse(w, r, unknownPath())
		return
	}
	w.Header().Set("Allow", h.table.allow(r))
	refuse(w, r, wrongMethod(r.Method, allowed))
}

func noAnswer(context.Context, *runtime.ServeMux, runtime.Marshaler, http.ResponseWriter, *http.Request, int) {
}

// spoken says whether a service worded this error itself: its errors always carry a reason.
func spoken(s *status.Status) bool { return detail[*errdetails.ErrorInfo](s) != nil }

// detail answers the first detail of a kind, or nil.
func detail[D any](s *status.Status) (found D) {
	for _, d := range s.Details() {
		if f, ok := d.(D); ok {
			return f
		}
	}
	return found
}

// writeStatus is the one place that writes an error: a google.rpc.Status, with the request id in it and what HTTP says
// in headers.
func writeStatus(w http.ResponseWriter, r *http.Request, httpStatus int, s *status.Status) {
	v := visitOf(r.Context())
	v.code = s.Code()
	message := s.Proto()
	if detail[*errdetails.RequestInfo](s) == nil && v.requestID != "" {
		if info, err := anypb.New(&errdetails.RequestInfo{RequestId: v.requestID}); err == nil {
			message.Details = append(message.Details, info)
		}
	}
	header := w.Header()
	if retry := detail[*errdetails.RetryInfo](s); retry != nil {
		header.Set("Retry-After", strconv.Itoa(wholeSeconds(retry.GetRetryDelay().AsDuration())))
	}
	if s.Code() == codes.Unauthenticated {
		header.Set("WWW-Authenticate", "Bearer")
	}
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(httpStatus)
	_, _ = w.Write(statusJSON(message))
}

func statusJSON(message *statuspb.Status) []byte {
	body, err := protojson.Marshal(message) // code and message are never zero, and empty details would say nothing
	if err != nil {                         // a detail of a type this binary does not know, from a younger service: the rest still says enough
		message.Details = nil
		body, _ = protojson.Marshal(message)
	}
	return append(body, '\n')
}

// httpStatus is the suite's mapping of codes: gRPC's own, as every client of Google's APIs knows it.
func httpStatus(code codes.Code) int { return runtime.HTTPStatusFromCode(code) }

// wholeSeconds rounds up: who waits that long is let in.
func wholeSeconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }
