package app_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/pgtest"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	"github.com/libertaphonix/libertaphonix/kit/run"
	"github.com/libertaphonix/libertaphonix/kit/seal"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/app"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/postgres"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	tokenA = "FAKEtokenOfShopAFAKEtokenOfShopAFAKEtokenOfShopA0001"
	tokenB = "FAKEtokenOfShopBFAKEtokenOfShopBFAKEtokenOfShopB0002"
)

// world is a running ecosync with everything it talks to: a real PostgreSQL, a
// Redis, a shop over HTTP, and stand-ins of identity and orders over gRPC.
type world struct {
	*testing.T
	ecosyncv1.EcosyncServiceClient
	pool   *pgxpool.Pool
	redis  *miniredis.Miniredis
	shop   *fakeShop
	orders *fakeOrders

	issuer  *auth.Issuer
	service *auth.ServiceTokens
	log     string // the file that the log goes to

	mu   sync.Mutex
	seen strings.Builder // every answer, as JSON
}

func start(t *testing.T) *world {
	w := &world{T: t, pool: pgtest.New(t, postgres.Migrate), redis: miniredis.RunT(t), shop: newShop(t), orders: &fakeOrders{}}
	w.logToFile()

	secret := make([]byte, 32)
	rand.Read(secret)
	keyset, err := seal.NewKeyset()
	w.must(err)
	signing, err := auth.NewSigningKey()
	w.must(err)
	w.issuer = auth.NewIssuer(func(context.Context) (auth.SigningKey, error) { return signing, nil }, time.Now)
	w.service, err = auth.NewServiceTokens("scheduler", secret, time.Now)
	w.must(err)

	listen := freeAddress(t)
	cfg, _, err := conf.Load[app.Config]([]string{
		"DATABASE_URL=" + w.pool.Config().ConnString(), "REDIS_URL=redis://" + w.redis.Addr(),
		"SERVICE_AUTH_KEY=" + base64.StdEncoding.EncodeToString(secret), "CREDENTIALS_KEYSET=" + keyset,
		"UPSTREAM_ALLOWED_HOSTS=" + strings.TrimPrefix(w.shop.URL, "http://"),
		"GRPC_ADDR=" + listen, "ADMIN_ADDR=127.0.0.1:0",
		"IDENTITY_ADDR=" + serve(t, func(s *grpc.Server) {
			identityv1.RegisterIdentityServiceServer(s, &fakeIdentity{key: signing.Public()})
		}),
		"ORDERS_ADDR=" + serve(t, func(s *grpc.Server) { ordersv1.RegisterOrdersServiceServer(s, w.orders) }),
	})
	w.must(err)
	g := &run.Group{}
	w.must(app.New(t.Context(), cfg, g))
	t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	conn, err := grpc.NewClient(listen, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUnaryInterceptor(w.record))
	w.must(err)
	t.Cleanup(func() { conn.Close() })
	w.EcosyncServiceClient = ecosyncv1.NewEcosyncServiceClient(conn)
	w.awaitKeys()
	return w
}

// awaitKeys waits until the service has fetched the keys of identity: before, it
// says honestly that it cannot verify anybody.
func (w *world) awaitKeys() {
	w.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_, err := w.ListStores(w.as("ADMIN"), &ecosyncv1.ListStoresRequest{})
		if err == nil {
			return
		}
		if code, _, _ := rpcerr.Reason(err); code != codes.Unavailable {
			w.Fatal(err)
		}
	}
	w.Fatal("the service did not get the keys of identity")
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// logToFile catches what the process says on stderr.
func (w *world) logToFile() {
	w.log = filepath.Join(w.TempDir(), "log")
	file, err := os.Create(w.log)
	w.must(err)
	stderr := os.Stderr
	os.Stderr = file
	w.T.Cleanup(func() { os.Stderr = stderr; file.Close() })
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func serve(t *testing.T, register func(*grpc.Server)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	register(s)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// record keeps what a caller sees, answers and errors alike.
func (w *world) record(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(true))...)
	w.saw(reply.(proto.Message), err)
	return err
}

func (w *world) saw(m proto.Message, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintln(&w.seen, protojson.Format(m), err)
}

// as calls in the name of a person.
func (w *world) as(role string) context.Context {
	token, _, err := w.issuer.Issue(w.Context(), auth.Person{Subject: "person-" + role, Session: "s", Role: role})
	w.must(err)
	return metadata.AppendToOutgoingContext(w.Context(), "authorization", "Bearer "+token)
}

// asScheduler calls in the name of a service.
func (w *world) asScheduler() context.Context {
	token, err := w.service.Token(w.Context(), app.Name)
	w.must(err)
	return metadata.AppendToOutgoingContext(w.Context(), "authorization", "Bearer "+token)
}

// sync runs one pass over each store asked for and answers the last word on each.
func (w *world) sync(ids ...string) map[string]*ecosyncv1.Pass {
	w.Helper()
	stream, err := w.SyncStores(w.asScheduler(), &ecosyncv1.SyncStoresRequest{StoreIds: ids}, grpc.WaitForReady(true))
	w.must(err)
	last := map[string]*ecosyncv1.Pass{}
	for {
		p, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				w.Fatal(err)
			}
			return last
		}
		w.saw(p, nil)
		last[p.GetStoreId()] = p.GetPass()
	}
}

func (w *world) create(identifier, token string) (*ecosyncv1.Store, error) {
	res, err := w.CreateStore(w.as("ADMIN"), &ecosyncv1.CreateStoreRequest{
		Identifier: identifier, Name: "Store " + identifier, BaseUrl: w.shop.URL + "/", ApiToken: token,
	})
	return res.GetStore(), err
}

type fakeIdentity struct {
	identityv1.UnimplementedIdentityServiceServer
	key auth.PublicKey
}

func (f *fakeIdentity) GetKeys(context.Context, *identityv1.GetKeysRequest) (*identityv1.GetKeysResponse, error) {
	return &identityv1.GetKeysResponse{Keys: []*identityv1.JsonWebKey{{
		Kty: "OKP", Crv: "Ed25519", X: base64.RawURLEncoding.EncodeToString(f.key.Key), Kid: f.key.ID, Alg: "EdDSA", Use: "sig",
	}}}, nil
}

// fakeOrders keeps rows by (store, id) and judges them by their raw payload.
type fakeOrders struct {
	ordersv1.UnimplementedOrdersServiceServer
	mu   sync.Mutex
	rows map[string]map[int64]*ordersv1.IngestOrder
	// calls counts IngestOrders.
	calls int
	// judge answers in place of the rows' own judgement, by upstream id.
	judge map[int64]*ordersv1.IngestResult
	// applied is the version of the state map; these tests remap one store each.
	applied int32
}

func (f *fakeOrders) IngestOrders(_ context.Context, req *ordersv1.IngestOrdersRequest) (*ordersv1.IngestOrdersResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.rows == nil {
		f.rows = map[string]map[int64]*ordersv1.IngestOrder{}
	}
	if f.rows[req.GetStoreId()] == nil {
		f.rows[req.GetStoreId()] = map[int64]*ordersv1.IngestOrder{}
	}
	res := &ordersv1.IngestOrdersResponse{}
	for _, row := range req.GetOrders() {
		r := &ordersv1.IngestResult{UpstreamId: row.GetUpstreamId(), Outcome: ordersv1.IngestOutcome_UNCHANGED}
		if told := f.judge[row.GetUpstreamId()]; told != nil {
			res.Results = append(res.Results, &ordersv1.IngestResult{
				UpstreamId: row.GetUpstreamId(), Outcome: told.GetOutcome(), Reason: told.GetReason(),
			})
			continue
		}
		switch before := f.rows[req.GetStoreId()][row.GetUpstreamId()]; {
		case row.GetDue() == nil:
			r.Outcome, r.Reason = ordersv1.IngestOutcome_REJECTED, ordersv1.RejectReason_MONEY_INVALID
		case before == nil:
			r.Outcome, r.BecameReady = ordersv1.IngestOutcome_CREATED, row.GetMeaning() == ordersv1.Meaning_FOLLOW_UP
		case string(before.GetRaw()) != string(row.GetRaw()):
			r.Outcome = ordersv1.IngestOutcome_UPDATED
		}
		if r.Outcome == ordersv1.IngestOutcome_CREATED || r.Outcome == ordersv1.IngestOutcome_UPDATED {
			f.rows[req.GetStoreId()][row.GetUpstreamId()] = row
		}
		res.Results = append(res.Results, r)
	}
	return res, nil
}

func (f *fakeOrders) DescribeStore(_ context.Context, req *ordersv1.DescribeStoreRequest) (*ordersv1.DescribeStoreResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	res := &ordersv1.DescribeStoreResponse{}
	for id, row := range f.rows[req.GetStoreId()] {
		res.OrderCount++
		if len(res.GetNewest()) < 20 {
			res.Newest = append(res.Newest, &ordersv1.KnownOrder{UpstreamId: id, Reference: row.GetReference()})
		}
	}
	return res, nil
}

func (f *fakeOrders) ListUpstreamStates(_ context.Context, req *ordersv1.ListUpstreamStatesRequest) (*ordersv1.ListUpstreamStatesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	res := &ordersv1.ListUpstreamStatesResponse{AppliedVersion: f.applied}
	states := map[string]int32{}
	for _, row := range f.rows[req.GetStoreId()] {
		states[row.GetUpstreamState()]++
	}
	for state, n := range states {
		res.States = append(res.States, &ordersv1.UpstreamState{State: state, Orders: n})
	}
	return res, nil
}

func (f *fakeOrders) RemapStore(_ context.Context, req *ordersv1.RemapStoreRequest) (*ordersv1.RemapStoreResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	res := &ordersv1.RemapStoreResponse{}
	for _, row := range f.rows[req.GetStoreId()] {
		for _, m := range req.GetMeanings() {
			if m.GetState() == row.GetUpstreamState() && m.GetMeaning() != row.GetMeaning() {
				res.MeaningChanged++
				if !req.GetValidateOnly() {
					row.Meaning = m.GetMeaning()
				}
			}
		}
	}
	if !req.GetValidateOnly() {
		f.applied = req.GetVersion()
	}
	return res, nil
}

// fakeShop is one page of orders per token, in the shape of the contract.
type fakeShop struct {
	*httptest.Server
	mu       sync.Mutex
	orders   map[string][]map[string]any // by token, newest change first
	requests map[string]int
	gone     map[string]int // tokens that are refused, with the status
}

func newShop(t *testing.T) *fakeShop {
	s := &fakeShop{requests: map[string]int{}, gone: map[string]int{}, orders: map[string][]map[string]any{tokenA: nil, tokenB: nil}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// fill puts n orders into a shop; their times are local in Algiers.
func (s *fakeShop) fill(token, prefix string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	algiers := time.FixedZone("", 3600)
	s.orders[token] = nil
	for i := range n {
		id := 700200 - i
		at := time.Now().In(algiers).Add(-time.Duration(i+1) * time.Minute).Format(time.DateTime)
		s.orders[token] = append(s.orders[token], map[string]any{
			"id": id, "reference": fmt.Sprint(prefix, id), "full_name": "Client Exemple", "telephone": "0550000000",
			"wilaya": "Alger", "commune": "Bab Ezzouar", "order_state_name": "En dispatch", "total": "3600.00",
			"items":      []any{map[string]any{"id": 1, "product_id": 55, "title": "Produit Démo", "quantity": 2, "selling_price": "1600.50"}},
			"created_at": at, "updated_at": at,
		})
	}
}

func (s *fakeShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.requests[token]++
	w.Header().Set("Content-Type", "application/json")
	if status := s.gone[token]; status != 0 {
		w.WriteHeader(status)
		fmt.Fprint(w, `{"message":"SECRET-BODY"}`)
		return
	}
	orders, known := s.orders[token]
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message":"SECRET-BODY"}`)
		return
	}
	if id, single := strings.CutPrefix(r.URL.Path, "/api/shop/v2/orders/"); single {
		for _, o := range orders {
			if fmt.Sprint(o["id"]) == id {
				json.NewEncoder(w).Encode(o)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"Not found."}`)
		return
	}
	if orders == nil {
		orders = []map[string]any{}
	}
	json.NewEncoder(w).Encode(map[string]any{
		"data": orders, "links": map[string]any{"next": nil}, "meta": map[string]any{"next_cursor": nil},
	})
}

// asked counts the requests of a token since the last call.
func (s *fakeShop) asked(token string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.requests[token]
	s.requests[token] = 0
	return n
}
