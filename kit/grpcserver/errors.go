package grpcserver

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// errStopping is the cause of a stream's context ending because the server does.
var errStopping = errors.New("the server is stopping")

// errorsLayer is innermost: it sets how long a handler may run, and turns what it answers into a status by the
// service's table. Both belong together, because a handler out of time answers whatever its driver makes of that.
type errorsLayer struct{ server *Server }

func (s *Server) errors() errorsLayer { return errorsLayer{s} }

func (l errorsLayer) named(name string) Interceptor { return Interceptor{name, l.unary, l.stream} }

func (l errorsLayer) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.server.cfg.DefaultDeadline)
		defer cancel()
	}
	answer, err := handler(ctx, req)
	if err != nil {
		return nil, l.server.cfg.Errors.Status(ctx, err)
	}
	return answer, nil
}

func (l errorsLayer) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, cancel := context.WithCancelCause(ss.Context())
	defer cancel(nil)
	forget := context.AfterFunc(l.server.draining, func() { cancel(errStopping) })
	defer forget()

	err := handler(srv, &boundedStream{contextStream{ss, ctx}})
	var answered *rpcerr.Error
	if err != nil && errors.Is(context.Cause(ctx), errStopping) && !errors.As(err, &answered) {
		return rpcerr.Unavailable(errStopping).ForRequest(ctx)
	}
	return l.server.cfg.Errors.Status(ctx, err)
}

// boundedStream tells a message that is too big from a bug of ours: gRPC gives both to the handler as an error to return.
type boundedStream struct{ contextStream }

func (s *boundedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if status.Code(err) != codes.ResourceExhausted {
		return err
	}
	return rpcerr.New(codes.ResourceExhausted, rpcerr.ReasonInvalidRequest, rpcerr.PlumbingDomain,
		"a message of the request is larger than %d bytes", MaxReceiveBytes).Cause(err)
}
