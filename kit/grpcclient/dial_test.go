package grpcclient_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/grpcclient"
	"github.com/libertaphonix/libertaphonix/kit/internal/testservice"
	"github.com/libertaphonix/libertaphonix/kit/obs"
)

var serviceKey = []byte(strings.Repeat("k", 32))

// peer is the called service: a bare server that notes what it got, and fails as told.
type peer struct {
	mu       sync.Mutex
	received []metadata.MD
	deadline []bool
	fail     []error // one per call, in order; then success
}

func (p *peer) answer(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	_, has := ctx.Deadline()
	p.received, p.deadline = append(p.received, md), append(p.deadline, has)
	if len(p.fail) == 0 {
		return nil
	}
	err := p.fail[0]
	p.fail = p.fail[1:]
	return err
}

func (p *peer) calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.received)
}

func serve(t *testing.T, change func(*grpcclient.Options), fail ...error) (*peer, *grpc.ClientConn) {
	t.Helper()
	p := &peer{fail: fail}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	testservice.Register(server, testservice.Handlers{
		Unary:  func(ctx context.Context, _ proto.Message) error { return p.answer(ctx) },
		Stream: func(s grpc.ServerStream) error { return p.answer(s.Context()) },
	})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	options := grpcclient.Options{
		Service: "shop", Idempotent: []protoreflect.ServiceDescriptor{testservice.Service()},
		Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) },
	}
	if change != nil {
		change(&options)
	}
	conn, err := grpcclient.Dial("passthrough:///shop", options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return p, conn
}

func TestOnlyWhatTheContractCallsIdempotentIsSentAgain(t *testing.T) {
	unavailable, aborted := status.Error(codes.Unavailable, "restarting"), status.Error(codes.Aborted, "race")
	for name, tc := range map[string]struct {
		method string
		fail   []error
		calls  int
		want   codes.Code
	}{
		"no side effects":          {testservice.Find, []error{unavailable, unavailable, unavailable}, 4, codes.OK},
		"idempotent":               {testservice.Replace, []error{unavailable}, 2, codes.OK},
		"four attempts, not five":  {testservice.Find, []error{unavailable, unavailable, unavailable, unavailable}, 4, codes.Unavailable},
		"not idempotent":           {testservice.Save, []error{unavailable}, 1, codes.Unavailable},
		"an answer is no outage":   {testservice.Find, []error{aborted}, 1, codes.Aborted},
		"a stream is not repeated": {testservice.Watch, []error{unavailable}, 1, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, conn := serve(t, nil, tc.fail...)
			var err error
			if tc.method == testservice.Watch {
				stream, openErr := testservice.Open(context.Background(), conn, tc.method)
				if openErr != nil {
					t.Fatal(openErr)
				}
				err = stream.RecvMsg(testservice.Order(""))
			} else {
				err = testservice.Call(context.Background(), conn, tc.method, testservice.Order("0550"))
			}
			if status.Code(err) != tc.want || p.calls() != tc.calls {
				t.Errorf("%d calls, and %v; want %d and %v", p.calls(), err, tc.calls, tc.want)
			}
		})
	}
}

func TestACallCarriesTheRequestIDAndTheServiceWithThePersonBehindIt(t *testing.T) {
	tokens, err := auth.NewServiceTokens("ecosync", serviceKey, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p, conn := serve(t, func(o *grpcclient.Options) { o.Tokens = tokens })
	person := auth.Principal{Kind: auth.User, Subject: "u-1", Role: "ADMIN", Address: "41.111.0.7"}
	ctx := auth.With(obs.WithRequestID(context.Background(), "req-1"), person)
	if err := testservice.Call(ctx, conn, testservice.Save, testservice.Order("0550")); err != nil {
		t.Fatal(err)
	}
	stream, err := testservice.Open(ctx, conn, testservice.Watch)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(testservice.Order("")); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	verifier := auth.NewVerifier("shop", serviceKey, auth.NewKeys(nil, nil, time.Now), time.Now)
	for i, kind := range []string{"unary", "stream"} {
		if diff := cmp.Diff([]string{"req-1"}, p.received[i].Get("x-request-id")); diff != "" {
			t.Errorf("%s: request id (-want +got):\n%s", kind, diff)
		}
		got, err := verifier.Authenticate(context.Background(), auth.BearerToken(p.received[i].Get("authorization")[0]))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		got.ExpiresAt = time.Time{}
		want := auth.Principal{Kind: auth.Service, Subject: "ecosync", Service: "ecosync", Actor: &person}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: caller (-want +got):\n%s", kind, diff)
		}
	}
}

func TestNothingOfTheIncomingCallGoesAlongButWhatIsSetByHand(t *testing.T) {
	incoming := metadata.NewIncomingContext(context.Background(), metadata.Pairs("authorization", "Bearer user", "cookie", "secret"))
	own := metadata.AppendToOutgoingContext(incoming, "authorization", "Bearer chosen")
	for name, tc := range map[string]struct {
		ctx  context.Context
		want []string
	}{
		"a token that came in":  {incoming, nil},
		"a token set by hand":   {own, []string{"Bearer chosen"}},
		"a call of nobody else": {context.Background(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, conn := serve(t, nil)
			if err := testservice.Call(tc.ctx, conn, testservice.Save, testservice.Order("0550")); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, p.received[0].Get("authorization")); diff != "" {
				t.Errorf("authorization (-want +got):\n%s", diff)
			}
			if leaked := p.received[0].Get("cookie"); len(leaked) != 0 {
				t.Errorf("other metadata went along: %v", leaked)
			}
		})
	}
}

func TestAUnaryCallAlwaysHasADeadlineAndAStreamHasTheCallers(t *testing.T) {
	p, conn := serve(t, nil)
	if err := testservice.Call(context.Background(), conn, testservice.Save, testservice.Order("0550")); err != nil {
		t.Fatal(err)
	}
	stream, err := testservice.Open(context.Background(), conn, testservice.Watch)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(testservice.Order("")); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{true, false}, p.deadline); diff != "" {
		t.Errorf("deadlines (-want +got):\n%s", diff)
	}
}

func TestAPeerThatIsDownIsToldAtOnce(t *testing.T) {
	conn, err := grpcclient.Dial("127.0.0.1:1", grpcclient.Options{Service: "shop"})
	if err != nil {
		t.Fatalf("a peer that is down does not hinder the start: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	began := time.Now()
	err = testservice.Call(context.Background(), conn, testservice.Save, testservice.Order("0550"))
	if status.Code(err) != codes.Unavailable || time.Since(began) > 3*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestConnectionsOfAProcessShareTheirMetrics(t *testing.T) {
	o := obs.New(io.Discard, "test", slog.LevelInfo)
	for range 2 {
		_, conn := serve(t, func(options *grpcclient.Options) { options.Obs = o }, status.Error(codes.NotFound, "gone"))
		_ = testservice.Call(context.Background(), conn, testservice.Save, testservice.Order("0550"))
		stream, err := testservice.Open(context.Background(), conn, testservice.Watch)
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.RecvMsg(testservice.Order(""))
	}
	families, err := o.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "grpc_client_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			key := ""
			for _, l := range m.GetLabel() {
				key += l.GetValue() + " "
			}
			got[key] = m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{"NotFound " + testservice.Save + " shop ": 2, "OK " + testservice.Watch + " shop ": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func TestOptionsThatNameNoTargetOrServiceAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		target  string
		options grpcclient.Options
	}{
		"no target":  {"", grpcclient.Options{Service: "shop"}},
		"no service": {"127.0.0.1:1", grpcclient.Options{}},
	} {
		if _, err := grpcclient.Dial(tc.target, tc.options); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
