package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/libertaphonix/libertaphonix/dev/ecomanagersim"
	"github.com/libertaphonix/libertaphonix/dev/stack"
)

// Secrets that are put into the business on purpose, to be looked for afterwards where they must not be (secrets_test.go).
const (
	adminEmail    = "admin@example.dz"
	adminPassword = "Correct-Horse-Admin-1"
	staffPassword = "Correct-Horse-Staff-2"
	serviceKey    = "an-invented-service-key-of-tests" // 32 bytes
)

const startTimeout = 5 * time.Minute // the first build of the programs included

// suite is one business: everything started, four shops on two tenants behind it, and the people who work there.
type suite struct {
	stack *stack.Stack
	sim   *ecomanagersim.Server
	shops *httptest.Server
	dir   string
	db    *pgxpool.Pool

	admin, manager, agent *person

	mu    sync.Mutex
	heard bytes.Buffer // every body that the REST API answered, logins excepted
}

var (
	started   *suite
	startOnce sync.Once
	startErr  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if started != nil {
		if err := started.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the business:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// business starts the suite at the first call and answers it at every other.
func business(t *testing.T) *suite {
	t.Helper()
	startOnce.Do(func() { started, startErr = open() })
	if startErr != nil {
		t.Fatalf("start the business: %v", startErr)
	}
	return started
}

func open() (*suite, error) {
	sim, err := ecomanagersim.New(world())
	if err != nil {
		return nil, err
	}
	s := &suite{sim: sim, shops: httptest.NewServer(sim)}
	if s.dir, err = os.MkdirTemp("", "libertaphonix-e2e-"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s.stack, err = stack.Start(ctx, stack.Options{
		FreePorts: true, Throwaway: true, NoRestart: true, Bin: s.dir + "/bin",
		Env: environment(s.dir, "UPSTREAM_ALLOWED_HOSTS="+host(s.shops.URL),
			"BOOTSTRAP_ADMIN_EMAIL="+adminEmail, "BOOTSTRAP_ADMIN_PASSWORD="+adminPassword,
			"SERVICE_AUTH_KEY="+base64.StdEncoding.EncodeToString([]byte(serviceKey))),
	})
	if err != nil {
		return nil, err
	}
	if s.db, err = pgxpool.New(ctx, s.stack.DatabaseURL()); err != nil {
		return nil, err
	}
	return s, s.hire()
}

func (s *suite) stop() error {
	s.db.Close()
	err := s.stack.Stop()
	s.shops.Close()
	if err == nil {
		err = os.RemoveAll(s.dir)
	}
	return err
}

// environment is what a program needs of this machine, and nothing of what happens to be set on it.
func environment(dir string, more ...string) []string {
	env := []string{"DATA_DIR=" + dir}
	for _, name := range []string{"PATH", "HOME", "GOPATH", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOTOOLCHAIN", "GOPROXY", "TMPDIR", "PG_BIN"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return append(env, more...)
}

// world is the shops: two tenants with overlapping ids, two shops each, one prefix in both tenants, dirty data, nothing moving by itself. All
// of it lies inside the first sync's thirty days.
func world() ecomanagersim.Config {
	dirt := ecomanagersim.HeavyDirt()
	dirt.MissingUpdatedAt = 0 // a row without a change time is only met by the walk over ids
	return ecomanagersim.Config{
		Seed: 20251118, History: 25 * 24 * time.Hour, Dirt: dirt,
		Tenants: []ecomanagersim.TenantConfig{
			{Name: "numidia", FirstID: 9_400, Dialect: ecomanagersim.Feminine, Shops: []ecomanagersim.ShopConfig{
				{Name: "ALPH", Prefix: "ALPHA", Orders: ordersPerShop}, {Name: "SOUN", Prefix: "SOUK", Orders: ordersPerShop},
			}},
			{Name: "hodna", FirstID: 11_000, Dialect: ecomanagersim.Masculine, Shops: []ecomanagersim.ShopConfig{
				{Name: "BETA", Prefix: "BETA", Orders: ordersPerShop}, {Name: "SOUH", Prefix: "SOUK", Orders: ordersPerShop},
			}},
		},
	}
}

// hire makes a manager and an agent.
func (s *suite) hire() error {
	s.admin = &person{suite: s, email: adminEmail, password: adminPassword}
	s.manager = &person{suite: s, email: "manager@example.dz", password: staffPassword}
	s.agent = &person{suite: s, email: "agent@example.dz", password: staffPassword}
	for p, role := range map[*person]string{s.manager: "MANAGER", s.agent: "AGENT_SUIVI"} {
		body := fmt.Sprintf(`{"email":%q,"name":"Sans Nom","role":%q,"password":%q}`, p.email, role, p.password)
		if a := s.admin.call(http.MethodPost, "/api/v1/users", body); a.err != nil || a.status != http.StatusOK {
			return fmt.Errorf("make %s: HTTP %d %w %s", p.email, a.status, a.err, a.body)
		}
	}
	return nil
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// person is somebody with a login. A nil person is anybody.
type person struct {
	suite           *suite
	email, password string

	mu    sync.Mutex
	token string
	id    string
}

// answer is what the REST API said.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if a.err != nil || a.status != http.StatusOK {
		t.Fatalf("HTTP %d %v: %s", a.status, a.err, a.body)
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// reason is the ErrorInfo reason of a refusal, empty when there is none.
func (a answer) reason() string {
	var status struct {
		Details []struct {
			Reason string `json:"reason"`
		} `json:"details"`
	}
	_ = json.Unmarshal(a.body, &status)
	for _, d := range status.Details {
		if d.Reason != "" {
			return d.Reason
		}
	}
	return ""
}

// call sends one request with the person's token.
func (p *person) call(method, path, body string) answer {
	token, err := p.bearer()
	if err != nil {
		return answer{err: err}
	}
	return p.suite.send(method, path, body, token)
}

// bearer logs in at the first call.
func (p *person) bearer() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != "" {
		return p.token, nil
	}
	a := p.suite.send(http.MethodPost, "/api/v1/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, p.email, p.password), "")
	var session struct {
		AccessToken string `json:"accessToken"`
		User        struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	if a.err != nil || a.status != http.StatusOK {
		return "", fmt.Errorf("log in as %s: HTTP %d %w %s", p.email, a.status, a.err, a.body)
	}
	if err := json.Unmarshal(a.body, &session); err != nil {
		return "", err
	}
	p.token, p.id = session.AccessToken, session.User.ID
	return p.token, nil
}

// send is one request with any token, or none.
func (s *suite) send(method, path, body, token string) answer {
	var reader io.Reader = http.NoBody
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, s.stack.GatewayURL()+path, reader)
	if err != nil {
		return answer{err: err}
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	var read bytes.Buffer
	_, err = read.ReadFrom(resp.Body)
	if !strings.HasPrefix(path, "/api/v1/auth/") {
		s.mu.Lock()
		s.heard.Write(read.Bytes())
		s.mu.Unlock()
	}
	return answer{resp.StatusCode, resp.Header, read.Bytes(), err}
}

// dial opens a gRPC connection to a service, as grpcurl would.
func (s *suite) dial(t *testing.T, service string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.stack.Target(service), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// as puts the person's token on a call.
func (p *person) as(t *testing.T) context.Context {
	t.Helper()
	token, err := p.bearer()
	if err != nil {
		t.Fatal(err)
	}
	return withToken(t.Context(), token)
}

func withToken(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}
