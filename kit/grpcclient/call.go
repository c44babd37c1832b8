package grpcclient

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/obs"
)

const (
	authorizationKey = "authorization"
	requestIDKey     = "x-request-id"
)

// serviceToken puts a fresh token on every attempt. It implements credentials.PerRPCCredentials.
type serviceToken struct {
	tokens   *auth.ServiceTokens
	audience string
}

func (t serviceToken) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := t.tokens.Token(ctx, t.audience)
	if err != nil {
		return nil, err
	}
	return map[string]string{authorizationKey: "Bearer " + token}, nil
}

// RequireTransportSecurity is false because one machine, and a cluster with its own encryption, run without
// certificates; the token is bound to one callee and lives a minute.
func (serviceToken) RequireTransportSecurity() bool { return false }

// layer is an interceptor that changes the context of a call, or watches how it ends.
type layer func(ctx context.Context, method string) (context.Context, func(error))

func (l layer) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, over := l(ctx, method)
	err := invoke(ctx, method, req, reply, cc, opts...)
	over(err)
	return err
}

func (l layer) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, over := l(ctx, method)
	var once sync.Once // gRPC may report the end of a stream that failed to open more than once
	finish := grpc.OnFinish(func(err error) { once.Do(func() { over(err) }) })
	return streamer(ctx, desc, cc, method, append(opts, finish)...)
}

// forward sends along the id of the request under way, and nothing else of what came in: whoever calls for a user says so himself.
func forward(ctx context.Context, _ string) (context.Context, func(error)) {
	outgoing, _ := metadata.FromOutgoingContext(ctx)
	if id := obs.RequestID(ctx); id != "" && len(outgoing.Get(requestIDKey)) == 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, requestIDKey, id)
	}
	return ctx, func(error) {}
}

// deadline gives a call that has none the default one.
func deadline(timeout time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, has := ctx.Deadline(); !has {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}
