package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
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
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	"github.com/libertaphonix/libertaphonix/kit/run"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/postgres"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	storeA = "0190f1d2-0000-7000-8000-00000000000a"
	agent1 = "0190f1d2-0000-7000-8000-000000000001"
	agent2 = "0190f1d2-0000-7000-8000-000000000002"
	boss   = "0190f1d2-0000-7000-8000-0000000000f1"
)

var tuesday = time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)

// fixture is orders as it is served, on a database of its own, at a Tuesday morning.
type fixture struct {
	ordersv1.OrdersServiceClient

	t      *testing.T
	conn   *grpc.ClientConn
	pool   *pgxpool.Pool
	issuer *auth.Issuer
	key    []byte
}

func serve(t *testing.T) *fixture {
	t.Helper()
	key := bytes.Repeat([]byte{7}, 32)
	cfg, _, err := conf.Load[Config]([]string{
		"DATABASE_URL=postgres://unused@localhost/unused", "SERVICE_AUTH_KEY=" + base64.StdEncoding.EncodeToString(key),
	})
	if err != nil {
		t.Fatal(err)
	}
	signing, err := auth.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return tuesday }
	f := &fixture{
		t: t, pool: pgtest.New(t, postgres.Migrate), key: key,
		issuer: auth.NewIssuer(func(context.Context) (auth.SigningKey, error) { return signing, nil }, now),
	}
	keys := auth.NewKeys(func(context.Context) ([]byte, error) { return auth.JWKS(signing.Public()) }, nil, now)
	store := postgres.NewStore(f.pool)
	orders := order.NewService(store, cfg.BusinessTimezone, now)
	listener := bufconn.Listen(1 << 20)
	server, err := newServer(cfg, obs.New(io.Discard, Name, slog.LevelDebug), f.pool, keys, store, orders, world{now: now, ready: f.pool.Ping, listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	var g run.Group
	if err := server.Serve(&g); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	})
	f.conn, err = grpc.NewClient("passthrough:///orders", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.conn.Close() })
	f.OrdersServiceClient = ordersv1.NewOrdersServiceClient(f.conn)
	return f
}

// as is a call by a person.
func (f *fixture) as(id, role string) context.Context {
	f.t.Helper()
	token, _, err := f.issuer.Issue(f.t.Context(), auth.Person{Subject: id, Session: "session", Role: role})
	if err != nil {
		f.t.Fatal(err)
	}
	return metadata.AppendToOutgoingContext(f.t.Context(), "authorization", "Bearer "+token)
}

// by is a call by a service.
func (f *fixture) by(service string) context.Context {
	f.t.Helper()
	tokens, err := auth.NewServiceTokens(service, f.key, func() time.Time { return tuesday })
	if err != nil {
		f.t.Fatal(err)
	}
	token, err := tokens.Token(f.t.Context(), Name)
	if err != nil {
		f.t.Fatal(err)
	}
	return metadata.AppendToOutgoingContext(f.t.Context(), "authorization", "Bearer "+token)
}

// refused checks the code and the reason of an answer.
func refused(t *testing.T, err error, code codes.Code, reason ordersv1.ErrorReason_Value) {
	t.Helper()
	if got, domain, why := rpcerr.Reason(err); got != code || domain != Name || why != reason.String() {
		t.Errorf("got %s %s %s (%v), want %s %s", got, domain, why, err, code, reason)
	}
}
