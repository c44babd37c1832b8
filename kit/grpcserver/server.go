package grpcserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/libertaphonix/libertaphonix/kit/run"
)

// Server is a gRPC server that knows who may call each of its methods.
type Server struct {
	cfg          Config
	grpc         *grpc.Server
	health       *health.Server
	interceptors []Interceptor
	listener     net.Listener

	// draining ends when the streams under way are asked to end.
	draining context.Context
	drainNow context.CancelFunc
}

// New builds the server and refuses what would only be found in production: a method without a rule, a rule without a
// method, a validation rule of the contract that does not compile. register calls the generated Register functions.
func New(cfg Config, register func(grpc.ServiceRegistrar)) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, health: health.NewServer()}
	s.draining, s.drainNow = context.WithCancel(context.Background())

	var services registrations
	register(&services)
	rules, err := completeRules(cfg.Rules, services.methods())
	if err != nil {
		return nil, err
	}
	healthpb.RegisterHealthServer(&services, s.health)
	if !cfg.Reflection.Empty() {
		reflection.Register(reflected{&services})
	}
	addPlumbingRules(rules, services.methods(), cfg.Reflection)

	validator, err := newValidator(services.inputs())
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(cfg.Obs.Metrics)
	if err != nil {
		return nil, err
	}
	s.interceptors = []Interceptor{
		recovery(cfg.Obs.Log).named("recover"),
		requestIDs{}.named("requestid"),
		logging(cfg.Obs.Log).named("log"),
		metrics.interceptor().named("metrics"),
		authentication(rules, cfg.Verifier).named("auth"),
		validator.named("validate"),
		s.errors().named("errors"),
	}
	s.grpc = grpc.NewServer(s.options()...)
	services.registerAt(s.grpc)
	return s, nil
}

func (s *Server) options() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxReceiveBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(20 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, MaxConnectionAge: maxConnectionAge,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: clientsMayPingEvery, PermitWithoutStream: true}),
		grpc.StatsHandler(otelgrpc.NewServerHandler(
			otelgrpc.WithTracerProvider(s.cfg.Obs.Tracer), otelgrpc.WithPropagators(s.cfg.Obs.Propagator))),
	}
	if s.cfg.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.cfg.TLS)))
	}
	for _, i := range s.interceptors {
		options = append(options, grpc.ChainUnaryInterceptor(i.Unary), grpc.ChainStreamInterceptor(i.Stream))
	}
	return options
}

// Interceptors is what a call goes through, outermost first.
func (s *Server) Interceptors() []Interceptor { return s.interceptors }

// Addr is where the server listens, once Serve was called; with ":0" this tells the port.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Serve listens, says SERVING as soon as the service is ready, and hands the server to the group, which stops it before
// whatever was opened earlier.
func (s *Server) Serve(g *run.Group) error {
	s.listener = s.cfg.Listener
	if s.listener == nil {
		listener, err := net.Listen("tcp", s.cfg.Addr)
		if err != nil {
			return fmt.Errorf("listen for gRPC at %s: %w (is the port taken? GRPC_ADDR chooses another)", s.cfg.Addr, err)
		}
		s.listener = listener
	}
	s.serving(healthpb.HealthCheckResponse_NOT_SERVING)
	s.cfg.Obs.Log.Info("serving gRPC", "address", s.listener.Addr().String(), "tls", s.cfg.TLS != nil)
	g.Go("grpc", func(context.Context) error {
		if err := s.grpc.Serve(s.listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			return err
		}
		return nil
	})
	g.Go("grpc health", s.awaitReady)
	g.OnStop("grpc drain", s.stop)
	return nil
}

// awaitReady says SERVING once the service was ready. A database that is lost later is told by /readyz and by each call:
// health that flaps with it would turn away callers whose retries bridge the gap, and would keep an idle pool awake.
func (s *Server) awaitReady(ctx context.Context) error {
	wait := firstLook
	for s.lookReady(ctx) != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
			wait = min(2*wait, lastLook)
		}
	}
	s.serving(healthpb.HealthCheckResponse_SERVING) // without effect once the stop began
	return nil
}

func (s *Server) lookReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return s.cfg.Ready(ctx)
}

// serving sets the health of the server as a whole and of each service by name, as clients of the protocol may ask for.
func (s *Server) serving(status healthpb.HealthCheckResponse_ServingStatus) {
	s.health.SetServingStatus("", status)
	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, status)
	}
}

// stop says NOT_SERVING, lets calls under way end, then ends what is left within the time that ctx gives.
func (s *Server) stop(ctx context.Context) error {
	s.health.Shutdown()
	patience := time.AfterFunc(streamDrain, s.drainNow)
	defer patience.Stop()
	defer s.drainNow()
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-stopReserve))
		defer cancel()
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.grpc.GracefulStop()
	}()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		s.grpc.Stop() // unblocks GracefulStop
		<-drained
		return errors.New("calls under way were cut: the grace period is over")
	}
}
