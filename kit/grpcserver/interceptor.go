package grpcserver

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// Interceptor is one named layer around every call.
type Interceptor struct {
	Name   string
	Unary  grpc.UnaryServerInterceptor
	Stream grpc.StreamServerInterceptor
}

// around is a layer that does not look at messages, so that one text serves unary calls and streams.
type around func(ctx context.Context, method string, next func(context.Context) error) error

func (a around) named(name string) Interceptor { return Interceptor{name, a.unary, a.stream} }

func (a around) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	var answer any
	err := a(ctx, info.FullMethod, func(ctx context.Context) (err error) {
		answer, err = handler(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (a around) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return a(ss.Context(), info.FullMethod, func(ctx context.Context) error {
		return handler(srv, &contextStream{ServerStream: ss, ctx: ctx})
	})
}

// contextStream is a stream under another context. The context is in a struct because gRPC has it so.
type contextStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *contextStream) Context() context.Context { return s.ctx }

// call is what inner layers tell outer ones about a call: who called is known to auth and wanted by log.
type call struct {
	requestID string
	principal auth.Principal
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// recovery turns a panic into Internal; it is outermost, so that no layer's own mistake ends the process. The layers
// within see the panic pass and count it by themselves.
func recovery(log *slog.Logger) around {
	return func(ctx context.Context, method string, next func(context.Context) error) (err error) {
		c := &call{}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			log.ErrorContext(ctx, "panic", "method", method, "request_id", c.requestID,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = rpcerr.Internal(fmt.Errorf("panic: %v", p)).ForRequest(obs.WithRequestID(ctx, c.requestID))
		}()
		return next(context.WithValue(ctx, callKey{}, c))
	}
}

// requestIDKey is the metadata key of the id that ties a caller's question to our log lines.
const requestIDKey = "x-request-id"

// requestIDs takes the caller's request id when it is well formed, else makes one, and sends it back: in the header of
// a good answer, in the trailer of a bad one. A header on a failed call would tell the client's gRPC that an answer had
// begun, and a call whose answer has begun is never retried.
type requestIDs struct{}

func (r requestIDs) named(name string) Interceptor { return Interceptor{name, r.unary, r.stream} }

func (requestIDs) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	id := identify(ctx)
	answer, err := handler(obs.WithRequestID(ctx, id), req)
	md := metadata.Pairs(requestIDKey, id)
	if err != nil {
		_ = grpc.SetTrailer(ctx, md) // fails only when the call is over already, and then nobody reads it
		return nil, err
	}
	_ = grpc.SetHeader(ctx, md)
	return answer, nil
}

func (requestIDs) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	id := identify(ss.Context())
	md := metadata.Pairs(requestIDKey, id)
	err := handler(srv, &echoingStream{contextStream{ss, obs.WithRequestID(ss.Context(), id)}, md, sync.Once{}})
	if err != nil {
		ss.SetTrailer(md)
	}
	return err
}

// echoingStream sends the request id before the first message.
type echoingStream struct {
	contextStream
	header metadata.MD
	first  sync.Once
}

func (s *echoingStream) SendMsg(m any) error {
	var err error
	s.first.Do(func() { err = s.SetHeader(s.header) })
	if err != nil {
		return err
	}
	return s.contextStream.SendMsg(m)
}

func identify(ctx context.Context) string {
	id := ""
	if values := metadata.ValueFromIncomingContext(ctx, requestIDKey); len(values) == 1 && obs.PlainRequestID(values[0]) {
		id = values[0]
	} else {
		id = uuid.Must(uuid.NewV7()).String() // fails only without a source of randomness; then the panic is right
	}
	callOf(ctx).requestID = id
	return id
}
