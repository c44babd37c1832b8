package grpcserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/grpcserver"
	"github.com/libertaphonix/libertaphonix/kit/internal/testservice"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/run"
)

var serviceKey = []byte(strings.Repeat("k", 32))

// rules: Find is for admins and the scheduler, Save for every user, Replace and the streams for everybody.
func rules() map[string]auth.Rule {
	return map[string]auth.Rule{
		testservice.Find:    {Roles: []string{"ADMIN"}, Services: []string{"scheduler"}},
		testservice.Save:    {Authenticated: true},
		testservice.Replace: {Anonymous: true},
		testservice.Watch:   {Roles: []string{"ADMIN"}},
		testservice.Upload:  {Anonymous: true},
	}
}

// door is a running server of the service "shop", reached without a network.
type door struct {
	group  *run.Group
	server *grpcserver.Server
	conn   *grpc.ClientConn
	obs    *obs.Observability
	key    auth.SigningKey
	log    *lines
}

func open(t *testing.T, h testservice.Handlers, change ...func(*grpcserver.Config)) *door {
	t.Helper()
	key, err := auth.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	d := &door{group: &run.Group{}, key: key, log: &lines{}}
	d.obs = obs.New(d.log, "shop", slog.LevelInfo)
	listener := bufconn.Listen(1 << 20)
	keys := auth.NewKeys(func(context.Context) ([]byte, error) { return auth.JWKS(key.Public()) }, nil, time.Now)
	cfg := grpcserver.Config{
		Name: "shop", Listener: listener, Rules: rules(), Obs: d.obs,
		Verifier:   auth.NewVerifier("shop", serviceKey, keys, time.Now),
		Reflection: grpcserver.ReflectionRule(true),
		Ready:      func(context.Context) error { return nil },
	}
	for _, c := range change {
		c(&cfg)
	}
	d.server, err = grpcserver.New(cfg, func(s grpc.ServiceRegistrar) { testservice.Register(s, h) })
	if err != nil {
		t.Fatal(err)
	}
	if err := d.server.Serve(d.group); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.group.Stop() })
	d.conn = connect(t, listener)
	return d
}

func connect(t *testing.T, listener *bufconn.Listener) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///shop", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// awaitHealth waits until health says this, and fails the test when it never does.
func awaitHealth(t *testing.T, conn *grpc.ClientConn, want healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		answer, err := watch.Recv()
		if err != nil {
			t.Fatalf("health never said %v: %v", want, err)
		}
		if answer.GetStatus() == want {
			return
		}
	}
}

// as is a context that carries the token of a user with the role, issued age ago.
func (d *door) as(t *testing.T, role string, age time.Duration) context.Context {
	t.Helper()
	issuer := auth.NewIssuer(func(context.Context) (auth.SigningKey, error) { return d.key, nil },
		func() time.Time { return time.Now().Add(-age) })
	token, _, err := issuer.Issue(context.Background(), auth.Person{Subject: "u-" + role, Session: "s", Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return bearer(token)
}

// asService is a context that carries a token of the service for audience.
func asService(t *testing.T, ctx context.Context, name, audience string) context.Context {
	t.Helper()
	tokens, err := auth.NewServiceTokens(name, serviceKey, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	token, err := tokens.Token(ctx, audience)
	if err != nil {
		t.Fatal(err)
	}
	return bearer(token)
}

func bearer(token string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
}

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// about answers the lines with this message.
func (l *lines) about(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("the log is JSON, but %s: %v", line, err)
		}
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

func without(rules map[string]auth.Rule, method string) map[string]auth.Rule {
	left := maps.Clone(rules)
	delete(left, method)
	return left
}
