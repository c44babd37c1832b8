// Package app puts the gateway together: the one place that knows every part. Read New from top to bottom.
package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/libertaphonix/libertaphonix/gateway/internal/rest"
	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/grpcclient"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/run"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
)

// Name of the process.
const Name = "gateway"

// New starts the gateway. It starts, and stays up, with every service down.
func New(_ context.Context, cfg Config, g *run.Group) error {
	o, err := obs.Start(g, Name, conf.Service{Process: cfg.Process})
	if err != nil {
		return err
	}

	backends, err := dial(cfg, o, g)
	if err != nil {
		return err
	}

	keys := auth.NewKeys(publishedKeys(backends), nil, time.Now)
	ready := rest.NewReadiness(names(backends)...)
	handler, err := door(cfg, o, backends, keys, ready)
	if err != nil {
		return err
	}

	g.Go("verification keys", keys.Run)
	for _, b := range backends {
		g.Go("wait for "+b.Name, func(ctx context.Context) error { return ready.Watch(ctx, b) })
	}
	if err := obs.ServeAdmin(g, cfg.adminListenAddr(), o.Metrics, ready.Ready); err != nil {
		return err
	}
	return serve(g, cfg, o, handler, ready)
}

// Check reaches every service and changes nothing.
func Check(ctx context.Context, cfg Config) error {
	g := &run.Group{}
	defer func() { _ = g.Stop() }()
	if _, err := serverTLS(cfg); err != nil {
		return err
	}
	backends, err := dial(cfg, nil, g)
	if err != nil {
		return err
	}
	var faults []error
	for _, b := range backends {
		if err := rest.Reach(ctx, b); err != nil {
			faults = append(faults, fmt.Errorf("%s at %s: %w", b.Name, cfg.Peers.Addr(b.Name), err))
		}
	}
	return errors.Join(faults...)
}

// dial connects to every service that has REST paths. Nothing is reached yet.
func dial(cfg Config, o *obs.Observability, g *run.Group) ([]rest.Backend, error) {
	config, err := grpcclient.TLS(cfg.Process)
	if err != nil {
		return nil, err
	}
	var backends []rest.Backend
	for _, service := range rest.Services() {
		conn, err := grpcclient.Dial(cfg.Peers.Addr(service.Name), grpcclient.Options{
			Service: service.Name, TLS: config, Obs: o, Idempotent: rpcServices(service),
		})
		if err != nil {
			return nil, err
		}
		g.OnStop("connection to "+service.Name, func(context.Context) error { return conn.Close() })
		backends = append(backends, rest.Backend{Service: service, Conn: conn})
	}
	return backends, nil
}

func rpcServices(service rest.Service) []protoreflect.ServiceDescriptor {
	var all []protoreflect.ServiceDescriptor
	for _, file := range []protoreflect.FileDescriptor{service.Contract, systemv1.File_libertaphonix_system_v1_system_proto} {
		for i := range file.Services().Len() {
			all = append(all, file.Services().Get(i))
		}
	}
	return all
}

func names(backends []rest.Backend) (all []string) {
	for _, b := range backends {
		all = append(all, b.Name)
	}
	return all
}

// publishedKeys asks identity for the keys of user tokens, as the JWKS document they are at /.well-known/jwks.json.
func publishedKeys(backends []rest.Backend) func(context.Context) ([]byte, error) {
	var identity grpc.ClientConnInterface
	for _, b := range backends {
		if b.Name == "identity" {
			identity = b.Conn
		}
	}
	return func(ctx context.Context) ([]byte, error) {
		if identity == nil {
			return nil, errors.New("identity is not configured")
		}
		answer, err := identityv1.NewIdentityServiceClient(identity).GetKeys(ctx, &identityv1.GetKeysRequest{})
		if err != nil {
			return nil, err
		}
		return protojson.Marshal(answer)
	}
}

// door is the handler of everything people and programs may ask. The gateway has no service key: it verifies user
// tokens only, and those only to tell callers apart.
func door(cfg Config, o *obs.Observability, backends []rest.Backend, keys *auth.Keys, ready *rest.Readiness) (http.Handler, error) {
	base, err := cfg.publicBaseURL()
	if err != nil {
		return nil, err
	}
	proxies, _ := rest.ParseProxies(cfg.TrustedProxies) // Validate told about the unreadable ones
	return rest.New(rest.Options{
		Backends: backends, Verifier: auth.NewVerifier(Name, nil, keys, time.Now), Ready: ready,
		PublicBaseURL: base, TrustedProxies: proxies, Version: run.VersionText(),
		Log: o.Log, Metrics: o.Metrics, Now: time.Now,
	})
}
