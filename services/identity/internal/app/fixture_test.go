package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	"github.com/libertaphonix/libertaphonix/kit/run"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/argon2id"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/postgres"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	adminEmail    = "admin@shop.dz"
	adminPassword = "the first admin's password"
	somePassword  = "a password of somebody"
	office        = "203.0.113.7"
)

// clock is a time that stands still until a test moves it.
type clock struct {
	mu  sync.Mutex
	at  time.Time
	log []time.Duration // the pauses that were asked for
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *clock) pause(context.Context, time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, account.SlowAnswer)
	return nil
}

func (c *clock) pauses() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.log)
}

// output is a log that may be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// fixture is identity on a database of its own, with a first administrator and a clock that stands still.
type fixture struct {
	identityv1.IdentityServiceClient

	t        *testing.T
	conn     *grpc.ClientConn
	pool     *pgxpool.Pool
	clock    *clock
	log      *output
	keyring  *signing.Keyring
	accounts *account.Service
	store    *postgres.Store
	world    world
	cfg      Config
}

func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return pg.Migrate(ctx, pool, postgres.Schema, postgres.Migrations()...)
}

func serve(t *testing.T) *fixture {
	t.Helper()
	keyset, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := conf.Load[Config]([]string{
		"DATABASE_URL=postgres://unused@localhost/unused", "CREDENTIALS_KEYSET=" + keyset,
		"SERVICE_AUTH_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)),
	})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(cfg.CredentialsKeyset)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		t: t, pool: pgtest.New(t, migrate), clock: &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, log: &output{}, cfg: cfg,
	}
	store := postgres.NewStore(f.pool, sealer)
	listener := bufconn.Listen(1 << 20)
	w := world{
		now: f.clock.now, pause: f.clock.pause, cost: argon2id.Params{MemoryKiB: 8, Passes: 1, Lanes: 1}, listener: listener,
	}
	f.accounts, f.keyring = domain(store, w)
	w.ready = f.pool.Ping
	f.store, f.world = store, w
	if err := f.keyring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.accounts.Bootstrap(t.Context(), account.FirstAdmin{Email: adminEmail, Password: adminPassword}, false); err != nil {
		t.Fatal(err)
	}
	server, _, err := newServer(cfg, obs.New(f.log, Name, slog.LevelDebug), f.pool, store, f.accounts, f.keyring, w)
	if err != nil {
		t.Fatal(err)
	}
	var g run.Group
	if err := server.Serve(&g); err != nil {
		t.Fatal(err)
	}
	f.conn, err = grpc.NewClient("passthrough:identity",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.conn.Close()
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	})
	f.IdentityServiceClient = identityv1.NewIdentityServiceClient(f.conn)
	return f
}

// from is a call from an address, as the gateway would pass it on.
func (f *fixture) from(address string) context.Context {
	return metadata.AppendToOutgoingContext(f.t.Context(), "x-client-address", address)
}

// with is a call with an access token.
func (f *fixture) with(token string) context.Context {
	return metadata.AppendToOutgoingContext(f.from(office), "authorization", "Bearer "+token)
}

// asService is a call by another service of the suite.
func (f *fixture) asService(name string) context.Context {
	f.t.Helper()
	key, err := f.cfg.ServiceKey()
	if err != nil {
		f.t.Fatal(err)
	}
	tokens, err := auth.NewServiceTokens(name, key, f.clock.now)
	if err != nil {
		f.t.Fatal(err)
	}
	token, err := tokens.Token(f.t.Context(), Name)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.with(token)
}

func (f *fixture) login(email, password string) *identityv1.LoginResponse {
	f.t.Helper()
	res, err := f.Login(f.from(office), &identityv1.LoginRequest{Email: email, Password: password})
	if err != nil {
		f.t.Fatalf("log in as %s: %v", email, err)
	}
	return res
}

func (f *fixture) admin() context.Context {
	f.t.Helper()
	return f.with(f.login(adminEmail, adminPassword).GetAccessToken())
}

// make makes a user whose e-mail is name@shop.dz and whose password is somePassword.
func (f *fixture) make(name string, role accessv1.Role_Value) *identityv1.User {
	f.t.Helper()
	res, err := f.CreateUser(f.admin(), &identityv1.CreateUserRequest{
		Email: name + "@shop.dz", Name: name, Role: role, Password: somePassword,
	})
	if err != nil {
		f.t.Fatalf("make %s: %v", name, err)
	}
	return res.GetUser()
}

// refused holds an error against a code and a reason.
func refused(t *testing.T, what string, err error, code codes.Code, reason string) {
	t.Helper()
	gotCode, _, gotReason := rpcerr.Reason(err)
	if gotCode != code || gotReason != reason {
		t.Errorf("%s: %s %s (%v), want %s %s", what, gotCode, gotReason, err, code, reason)
	}
}

func kid(t *testing.T, token string) string {
	t.Helper()
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(header), `"kid":"`)
	id, _, closed := strings.Cut(after, `"`)
	if !found || !closed {
		t.Fatalf("no kid in %s", header)
	}
	return id
}
