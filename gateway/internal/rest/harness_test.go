package rest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
)

// seen keeps what reached a service, so that a test can say what the door let through.
type seen struct {
	mu       sync.Mutex
	request  proto.Message
	metadata metadata.MD
	deadline time.Time
	calls    int
}

func (s *seen) note(ctx context.Context, request proto.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.request = request
	s.metadata, _ = metadata.FromIncomingContext(ctx)
	s.deadline, _ = ctx.Deadline()
	s.calls++
}

func (s *seen) last() (proto.Message, metadata.MD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.request, s.metadata
}

// fakeIdentity logs in one person, whose sessions it keeps like the real one: a refresh token is good once.
type fakeIdentity struct {
	identityv1.UnimplementedIdentityServiceServer
	systemv1.UnimplementedSystemServiceServer
	seen
	keys []auth.PublicKey

	sessions map[string]bool // refresh token → asked for a cookie
	issued   int
	fail     error // what Refresh answers, whatever the token
}

func (f *fakeIdentity) next(cookie bool) string {
	f.issued++
	token := "refresh-" + strings.Repeat("x", f.issued)
	f.sessions[token] = cookie
	return token
}

func (f *fakeIdentity) Login(ctx context.Context, r *identityv1.LoginRequest) (*identityv1.LoginResponse, error) {
	f.note(ctx, r)
	if r.GetPassword() != "right" {
		return nil, rpcerr.New(codes.Unauthenticated, identityv1.ErrorReason_INVALID_CREDENTIALS, "identity.libertaphonix", "wrong e-mail or password")
	}
	return &identityv1.LoginResponse{
		AccessToken: "access", ExpiresIn: 900, RefreshToken: f.next(r.GetCookie()), Cookie: r.GetCookie(),
		User: &identityv1.User{Id: "u1", Email: r.GetEmail()},
	}, nil
}

func (f *fakeIdentity) Refresh(ctx context.Context, r *identityv1.RefreshRequest) (*identityv1.RefreshResponse, error) {
	f.note(ctx, r)
	if f.fail != nil {
		return nil, f.fail
	}
	cookie, ok := f.end(ctx, r.GetRefreshToken())
	if !ok {
		return nil, rpcerr.New(codes.Unauthenticated, identityv1.ErrorReason_REFRESH_TOKEN_INVALID, "identity.libertaphonix", "log in again")
	}
	return &identityv1.RefreshResponse{AccessToken: "access", ExpiresIn: 900, RefreshToken: f.next(cookie), Cookie: cookie}, nil
}

func (f *fakeIdentity) Logout(ctx context.Context, r *identityv1.LogoutRequest) (*identityv1.LogoutResponse, error) {
	f.note(ctx, r)
	f.end(ctx, r.GetRefreshToken())
	return &identityv1.LogoutResponse{}, nil
}

func (f *fakeIdentity) ChangePassword(ctx context.Context, r *identityv1.ChangePasswordRequest) (*identityv1.ChangePasswordResponse, error) {
	f.note(ctx, r)
	return nil, rpcerr.New(codes.Unauthenticated, identityv1.ErrorReason_INVALID_CREDENTIALS, "identity.libertaphonix", "wrong password")
}

// end spends a refresh token, from the request or else from the cookie that the gateway passed on.
func (f *fakeIdentity) end(ctx context.Context, token string) (cookie, ok bool) {
	if token == "" {
		if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("x-refresh-cookie")) == 1 {
			token = md.Get("x-refresh-cookie")[0]
		}
	}
	cookie, ok = f.sessions[token]
	delete(f.sessions, token)
	return cookie, ok
}

func (f *fakeIdentity) GetKeys(context.Context, *identityv1.GetKeysRequest) (*identityv1.GetKeysResponse, error) {
	document, err := auth.JWKS(f.keys...)
	if err != nil {
		return nil, err
	}
	answer := &identityv1.GetKeysResponse{}
	return answer, protojson.Unmarshal(document, answer)
}

func (f *fakeIdentity) GetSystem(ctx context.Context, _ *systemv1.GetSystemRequest) (*systemv1.GetSystemResponse, error) {
	return describeAdminOnly(ctx, "identity")
}

// fakeOrders holds one order.
type fakeOrders struct {
	ordersv1.UnimplementedOrdersServiceServer
	systemv1.UnimplementedSystemServiceServer
	seen
	order *ordersv1.Order
	fail  error
}

func (f *fakeOrders) ListOrders(ctx context.Context, r *ordersv1.ListOrdersRequest) (*ordersv1.ListOrdersResponse, error) {
	f.note(ctx, r)
	return &ordersv1.ListOrdersResponse{Orders: []*ordersv1.Order{f.order}}, f.fail
}

func (f *fakeOrders) GetOrder(ctx context.Context, r *ordersv1.GetOrderRequest) (*ordersv1.GetOrderResponse, error) {
	f.note(ctx, r)
	if f.fail != nil {
		return nil, f.fail
	}
	if r.GetOrderId() != f.order.GetId() {
		return nil, rpcerr.New(codes.NotFound, ordersv1.ErrorReason_ORDER_NOT_FOUND, "orders.libertaphonix", "no such order")
	}
	return &ordersv1.GetOrderResponse{Order: f.order}, nil
}

func (f *fakeOrders) ChangeStatus(ctx context.Context, r *ordersv1.ChangeStatusRequest) (*ordersv1.ChangeStatusResponse, error) {
	f.note(ctx, r)
	return &ordersv1.ChangeStatusResponse{Order: f.order}, f.fail
}

func (f *fakeOrders) AddNote(ctx context.Context, r *ordersv1.AddNoteRequest) (*ordersv1.AddNoteResponse, error) {
	f.note(ctx, r)
	return &ordersv1.AddNoteResponse{Note: &ordersv1.Note{}}, f.fail
}

func (f *fakeOrders) GetSystem(ctx context.Context, _ *systemv1.GetSystemRequest) (*systemv1.GetSystemResponse, error) {
	return describeAdminOnly(ctx, "orders")
}

// describeAdminOnly decides by the token alone, like every service.
func describeAdminOnly(ctx context.Context, name string) (*systemv1.GetSystemResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	switch token := strings.Join(md.Get("authorization"), ","); token {
	case "Bearer admin":
		return &systemv1.GetSystemResponse{Service: name, Version: "v1"}, nil
	case "":
		return nil, rpcerr.New(codes.Unauthenticated, auth.TokenMissing, domain, "log in")
	default:
		return nil, rpcerr.New(codes.PermissionDenied, auth.PermissionDenied, domain, "not for you")
	}
}

type fakeEcosync struct {
	ecosyncv1.UnimplementedEcosyncServiceServer
	systemv1.UnimplementedSystemServiceServer
}

// suite is the door with three services behind it.
type suite struct {
	identity *fakeIdentity
	orders   *fakeOrders
	servers  map[string]*grpc.Server
	backends []Backend
	health   map[string]*health.Server
	issuer   *auth.Issuer
	ready    *Readiness
	log      *bytes.Buffer
	metrics  *prometheus.Registry
	clock    *clock
	handler  *handler
	door     http.Handler
}

// clock stands still until it is told to move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newSuite starts everything; change may alter the options first.
func newSuite(t *testing.T, change ...func(*Options)) *suite {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s := &suite{
		identity: &fakeIdentity{keys: []auth.PublicKey{{ID: "k1", Key: public}}, sessions: map[string]bool{}},
		orders:   &fakeOrders{order: &ordersv1.Order{Id: "12", Reference: "NATU-1"}},
		servers:  map[string]*grpc.Server{}, health: map[string]*health.Server{},
		log: &bytes.Buffer{}, metrics: prometheus.NewRegistry(), clock: &clock{now: time.Now()},
	}
	s.issuer = auth.NewIssuer(func(context.Context) (auth.SigningKey, error) {
		return auth.SigningKey{ID: "k1", Private: private}, nil
	}, s.clock.read)
	s.serve(t, "identity", func(r grpc.ServiceRegistrar) {
		identityv1.RegisterIdentityServiceServer(r, s.identity)
		systemv1.RegisterSystemServiceServer(r, s.identity)
	})
	s.serve(t, "orders", func(r grpc.ServiceRegistrar) {
		ordersv1.RegisterOrdersServiceServer(r, s.orders)
		systemv1.RegisterSystemServiceServer(r, s.orders)
	})
	s.serve(t, "ecosync", func(r grpc.ServiceRegistrar) {
		ecosync := &fakeEcosync{}
		ecosyncv1.RegisterEcosyncServiceServer(r, ecosync)
		systemv1.RegisterSystemServiceServer(r, ecosync)
	})
	s.ready = NewReadiness("identity", "orders", "ecosync")
	keys := auth.NewKeys(func(context.Context) ([]byte, error) { return auth.JWKS(s.identity.keys...) }, nil, s.clock.read)
	o := Options{
		Backends: s.backends, Verifier: auth.NewVerifier("gateway", nil, keys, s.clock.read), Ready: s.ready,
		PublicBaseURL: &url.URL{Scheme: "http", Host: "office.example"}, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Version: "v9.9.9", Log: slog.New(slog.NewJSONHandler(s.log, nil)), Metrics: s.metrics, Now: s.clock.read,
	}
	for _, f := range change {
		f(&o)
	}
	s.handler, err = newHandler(o)
	must(t, err)
	s.door = s.handler.chain()
	return s
}

func (s *suite) serve(t *testing.T, name string, register func(grpc.ServiceRegistrar)) {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	register(server)
	s.health[name] = health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, s.health[name])
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///"+name,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	s.servers[name] = server
	for _, row := range Services() {
		if row.Name == name {
			s.backends = append(s.backends, Backend{row, conn})
		}
	}
}

// call sends one request; headers are pairs.
func (s *suite) call(t *testing.T, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.do(r)
}

func (s *suite) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.door.ServeHTTP(w, r)
	return w
}

func (s *suite) token(t *testing.T, user string) string {
	t.Helper()
	token, _, err := s.issuer.Issue(t.Context(), auth.Person{Subject: user, Session: "s", Role: "MANAGER"})
	must(t, err)
	return "Bearer " + token
}

// refusal is the JSON of an error.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Details []struct {
		Type       string `json:"@type"`
		Reason     string `json:"reason"`
		Domain     string `json:"domain"`
		RequestID  string `json:"requestId"`
		RetryDelay string `json:"retryDelay"`
		Fields     []struct {
			Field       string `json:"field"`
			Description string `json:"description"`
		} `json:"fieldViolations"`
	} `json:"details"`
}

func (r refusal) reason() string {
	for _, d := range r.Details {
		if strings.HasSuffix(d.Type, "google.rpc.ErrorInfo") {
			return d.Reason
		}
	}
	return ""
}

func (r refusal) fields() (names []string) {
	for _, d := range r.Details {
		for _, f := range d.Fields {
			names = append(names, f.Field)
		}
	}
	return names
}

func (r refusal) requestID() string {
	for _, d := range r.Details {
		if strings.HasSuffix(d.Type, "google.rpc.RequestInfo") {
			return d.RequestID
		}
	}
	return ""
}

// refused checks what every error of the door promises, and answers its body.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int, reason string) refusal {
	t.Helper()
	var body refusal
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("status %d, an error that is not JSON: %v\n%s", w.Code, err, w.Body)
	}
	if w.Code != status || body.reason() != reason {
		t.Fatalf("got %d %s, want %d %s\n%s", w.Code, body.reason(), status, reason, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if id := w.Header().Get("X-Request-Id"); id == "" || body.requestID() != id {
		t.Errorf("request id is %q in the header and %q in the body", id, body.requestID())
	}
	return body
}

func answered(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("got %d, want %d\n%s", w.Code, status, w.Body)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
