package grpcclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/obs"
)

const (
	// Keepalive is the server's mirror: a frozen peer is noticed in 15 s (DESIGN 2). 10 s is the least gRPC allows.
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second

	// defaultTimeout is what a unary call gets that brings no deadline: none may hang for ever.
	defaultTimeout = 10 * time.Second

	// maxReceiveBytes bounds one answer: a page of 200 orders in full is below 1 MiB.
	maxReceiveBytes = 16 << 20

	// connectTimeout bounds one attempt; a peer on another host answers in milliseconds or not at all.
	connectTimeout = 5 * time.Second
)

// Options is what differs from connection to connection.
type Options struct {
	// Service is the name of the callee, "orders": the audience of the tokens and the label of the metrics.
	Service string
	// Tokens shows who we are. Nil: the calls carry no service token.
	Tokens *auth.ServiceTokens
	// TLS is nil for plaintext; see TLS.
	TLS *tls.Config
	// Obs is where to count and trace; nil does neither.
	Obs *obs.Observability
	// Idempotent are the services called: their methods with an idempotency_level are retried, others never.
	Idempotent []protoreflect.ServiceDescriptor
	// DefaultTimeout is what a unary call without a deadline gets; zero means 10 s. Streams get none.
	DefaultTimeout time.Duration
	// Dialer replaces the network in tests (bufconn).
	Dialer func(context.Context, string) (net.Conn, error)
}

// Dial makes a connection to target, host:port or a gRPC target such as dns:///orders:7102. It reaches nothing yet: a
// service starts and stays up with its peers down.
func Dial(target string, o Options) (*grpc.ClientConn, error) {
	switch {
	case target == "":
		return nil, errors.New("grpcclient: no target")
	case o.Service == "":
		return nil, errors.New("grpcclient: the options do not name the Service called")
	}
	if o.DefaultTimeout == 0 {
		o.DefaultTimeout = defaultTimeout
	}
	config, err := serviceConfig(o.Idempotent)
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithDefaultServiceConfig(config),
		grpc.WithDisableServiceConfig(), // nobody changes our retries by a DNS record
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: connectTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceiveBytes)),
	}
	transport := insecure.NewCredentials()
	if o.TLS != nil {
		transport = credentials.NewTLS(o.TLS)
	}
	options = append(options, grpc.WithTransportCredentials(transport))
	if o.Tokens != nil {
		options = append(options, grpc.WithPerRPCCredentials(serviceToken{o.Tokens, o.Service}))
	}
	if o.Obs != nil {
		options = append(options, grpc.WithStatsHandler(otelgrpc.NewClientHandler(
			otelgrpc.WithTracerProvider(o.Obs.Tracer), otelgrpc.WithPropagators(o.Obs.Propagator))))
	}
	if o.Dialer != nil {
		options = append(options, grpc.WithContextDialer(o.Dialer))
	}
	metrics, err := newMetrics(o)
	if err != nil {
		return nil, err
	}
	for _, l := range []layer{metrics.around(), layer(forward)} {
		options = append(options, grpc.WithChainUnaryInterceptor(l.unary), grpc.WithChainStreamInterceptor(l.stream))
	}
	options = append(options, grpc.WithChainUnaryInterceptor(deadline(o.DefaultTimeout)))

	conn, err := grpc.NewClient(resolvable(target), options...)
	if err != nil {
		return nil, fmt.Errorf("grpcclient: %s at %s: %w", o.Service, target, err)
	}
	return conn, nil
}

// resolvable makes host:port a DNS target, so that all replicas behind a name are found.
func resolvable(target string) string {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "unix:") {
		return target
	}
	return "dns:///" + target
}
