package grpcserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/grpcclient"
	"github.com/libertaphonix/libertaphonix/kit/grpcserver"
	"github.com/libertaphonix/libertaphonix/kit/internal/testservice"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

func TestTheOrderOfTheInterceptorsIsAFact(t *testing.T) {
	var names []string
	for _, i := range open(t, testservice.Handlers{}).server.Interceptors() {
		names = append(names, i.Name)
	}
	want := []string{"recover", "requestid", "log", "metrics", "auth", "validate", "errors"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("interceptors (-want +got):\n%s", diff)
	}
}

func TestAServerIsNotBuiltWhileRulesAndMethodsDiffer(t *testing.T) {
	base := grpcserver.Config{
		Name: "shop", Addr: ":0", Obs: obs.New(io.Discard, "shop", 0),
		Verifier: auth.NewVerifier("shop", serviceKey, auth.NewKeys(nil, nil, time.Now), time.Now),
		Ready:    func(context.Context) error { return nil },
	}
	for name, tc := range map[string]struct {
		change func(*grpcserver.Config)
		says   []string
	}{
		"a method without a rule": {
			func(c *grpcserver.Config) { c.Rules = without(rules(), testservice.Find) },
			[]string{testservice.Find, "permission option", "access.Rules"},
		},
		"a rule that lets nobody in": {
			func(c *grpcserver.Config) { c.Rules = rules(); c.Rules[testservice.Find] = auth.Rule{} },
			[]string{testservice.Find, "nobody may call"},
		},
		"a rule without a method": {
			func(c *grpcserver.Config) { c.Rules = rules(); c.Rules["/x.Y/Z"] = auth.Rule{Anonymous: true} },
			[]string{"/x.Y/Z", "register its service"},
		},
		"no verifier":  {func(c *grpcserver.Config) { c.Rules, c.Verifier = rules(), nil }, []string{"no Verifier"}},
		"no readiness": {func(c *grpcserver.Config) { c.Rules, c.Ready = rules(), nil }, []string{"no Ready"}},
		"no address":   {func(c *grpcserver.Config) { c.Rules, c.Addr = rules(), "" }, []string{"neither Addr nor Listener"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := base
			tc.change(&cfg)
			_, err := grpcserver.New(cfg, func(s grpc.ServiceRegistrar) { testservice.Register(s, testservice.Handlers{}) })
			if err == nil {
				t.Fatal("the server was built")
			}
			for _, part := range tc.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error should say %q: %v", part, err)
				}
			}
		})
	}
}

func TestARequestIDIsKeptWhenWellFormedAndMadeOtherwise(t *testing.T) {
	var seen string
	d := open(t, testservice.Handlers{Unary: func(ctx context.Context, _ proto.Message) error { seen = obs.RequestID(ctx); return nil }})
	for sent, kept := range map[string]bool{
		"req-1_A.b:c": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "a b": false, `a"b`: false, "a;b": false, "": false,
	} {
		ctx := metadata.AppendToOutgoingContext(context.Background(), "x-request-id", sent)
		var header metadata.MD
		if err := testservice.Call(ctx, d.conn, testservice.Replace, testservice.Order("0550"), grpc.Header(&header)); err != nil {
			t.Fatal(err)
		}
		if echoed := header.Get("x-request-id"); len(echoed) != 1 || echoed[0] != seen {
			t.Errorf("sent %q: the header says %q, the handler saw %q", sent, echoed, seen)
		}
		if (seen == sent) != kept || seen == "" {
			t.Errorf("sent %q, and the handler saw %q", sent, seen)
		}
		if logged := d.log.about(t, "request"); logged[len(logged)-1]["request_id"] != seen {
			t.Errorf("the log says %v, the handler saw %q", logged[len(logged)-1]["request_id"], seen)
		}
	}
}

func TestAnAnswerOfUnavailableIsRetriedByOurClients(t *testing.T) {
	calls := 0
	listener := bufconn.Listen(1 << 20)
	open(t, testservice.Handlers{Unary: func(context.Context, proto.Message) error {
		if calls++; calls < 3 {
			return rpcerr.Unavailable(errors.New("no connection to the database"))
		}
		return nil
	}}, func(c *grpcserver.Config) { c.Listener = listener })
	conn, err := grpcclient.Dial("passthrough:///shop", grpcclient.Options{
		Service: "shop", Idempotent: []protoreflect.ServiceDescriptor{testservice.Service()},
		Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := testservice.Call(context.Background(), conn, testservice.Replace, testservice.Order("0550")); err != nil || calls != 3 {
		t.Errorf("after %d calls: %v (a header on a failed answer forbids gRPC to retry)", calls, err)
	}
}

func TestAFailedCallNamesItsRequestInTheTrailer(t *testing.T) {
	d := open(t, testservice.Handlers{Unary: func(context.Context, proto.Message) error { return errors.New("x") }})
	ctx := metadata.AppendToOutgoingContext(context.Background(), "x-request-id", "req-7")
	var header, trailer metadata.MD
	_ = testservice.Call(ctx, d.conn, testservice.Replace, testservice.Order("0550"), grpc.Header(&header), grpc.Trailer(&trailer))
	if diff := cmp.Diff([]string{"req-7"}, trailer.Get("x-request-id")); diff != "" {
		t.Errorf("trailer (-want +got):\n%s", diff)
	}
}

func TestAStreamNamesItsRequestBeforeTheFirstMessage(t *testing.T) {
	d := open(t, testservice.Handlers{Stream: func(s grpc.ServerStream) error { return s.SendMsg(testservice.Order("0550")) }})
	ctx := metadata.AppendToOutgoingContext(context.Background(), "x-request-id", "req-7")
	stream, err := testservice.Open(ctx, d.conn, testservice.Upload)
	if err != nil {
		t.Fatal(err)
	}
	header, err := stream.Header()
	if diff := cmp.Diff([]string{"req-7"}, header.Get("x-request-id")); diff != "" || err != nil {
		t.Errorf("header (-want +got):\n%s%v", diff, err)
	}
}

func TestAPanicIsInternalAndLoggedWithTheRequestID(t *testing.T) {
	boom := func() error { panic("secret inside") }
	d := open(t, testservice.Handlers{
		Unary:  func(context.Context, proto.Message) error { return boom() },
		Stream: func(grpc.ServerStream) error { return boom() },
	})
	ctx := metadata.AppendToOutgoingContext(context.Background(), "x-request-id", "req-7")
	stream, err := testservice.Open(ctx, d.conn, testservice.Upload)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"unary":  testservice.Call(ctx, d.conn, testservice.Replace, testservice.Order("0550")),
		"stream": stream.RecvMsg(testservice.Order("")),
	} {
		if code, _, reason := rpcerr.Reason(err); code != codes.Internal || reason != "INTERNAL" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		if wire := fmt.Sprint(status.Convert(err).Details()); !strings.Contains(wire, "req-7") {
			t.Errorf("%s: the answer does not name the request: %s", name, wire)
		}
	}
	panics := d.log.about(t, "panic")
	if len(panics) != 2 || panics[0]["request_id"] != "req-7" || panics[0]["panic"] != "secret inside" {
		t.Errorf("panics in the log: %v", panics)
	}
	for _, method := range []string{testservice.Replace, testservice.Upload} {
		if n := count(t, d, method, "Internal"); n != 1 {
			t.Errorf("%s: counted %v panics", method, n)
		}
	}
}

func TestOneLinePerRequestAndNeverABody(t *testing.T) {
	d := open(t, testservice.Handlers{Unary: func(_ context.Context, m proto.Message) error { return errors.New("disk on fire") }})
	person := auth.Principal{Kind: auth.User, Subject: "u-9", Role: "ADMIN"}
	ctx := asService(t, auth.With(context.Background(), person), "scheduler", "shop")
	_ = testservice.Call(ctx, d.conn, testservice.Find, testservice.Order("BODYBODY"))
	requests := d.log.about(t, "request")
	if len(requests) != 1 {
		t.Fatalf("%d lines:\n%s", len(requests), d.log)
	}
	line := requests[0]
	for key, want := range map[string]any{
		"method": testservice.Find, "code": "Internal", "caller": "service", "subject": "scheduler", "actor": "u-9",
		"error": "disk on fire", "level": "ERROR",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if line["request_id"] == "" || line["ms"] == nil {
		t.Errorf("the line lacks request id or time: %v", line)
	}
	if strings.Contains(d.log.String(), "BODYBODY") {
		t.Error("the log shows a body")
	}
	if n := count(t, d, testservice.Find, "Internal"); n != 1 {
		t.Errorf("counted %v", n)
	}
}

func count(t *testing.T, d *door, method, code string) float64 {
	t.Helper()
	families, err := d.obs.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "grpc_server_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["method"] == method && labels["code"] == code {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestAMessageAgainstTheContractNeverReachesTheHandler(t *testing.T) {
	reached := make(chan struct{}, 9)
	d := open(t, testservice.Handlers{
		Unary: func(context.Context, proto.Message) error { reached <- struct{}{}; return nil },
		Stream: func(s grpc.ServerStream) error {
			for {
				if err := s.RecvMsg(testservice.Order("")); err != nil {
					return err
				}
			}
		},
	})
	want := []rpcerr.Field{
		{Path: "phoneNumber", Description: "must be at least 3 characters"},
		{Path: "orderItems[1].unitCount", Description: "must be greater than 0"},
		{Path: `bySku["sku"].unitCount`, Description: "must be greater than 0"},
	}
	bad := testservice.Order("0", 1, 0)
	stream, err := testservice.Open(context.Background(), d.conn, testservice.Upload, testservice.Order("0550"), bad)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"unary":                  testservice.Call(context.Background(), d.conn, testservice.Replace, bad),
		"the second of a stream": stream.RecvMsg(testservice.Order("")),
	} {
		code, domain, reason := rpcerr.Reason(err)
		if diff := cmp.Diff([]any{codes.InvalidArgument, "libertaphonix", "INVALID_REQUEST"}, []any{code, domain, reason}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(want, rpcerr.Fields(err)); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", name, diff)
		}
	}
	if len(reached) != 0 {
		t.Error("the handler saw a bad message")
	}
}

func TestTextWithNULIsRefusedWhereverItStands(t *testing.T) {
	reached := 0
	d := open(t, testservice.Handlers{Unary: func(context.Context, proto.Message) error { reached++; return nil }})
	byName := testservice.Order("0550", 1)
	fields := byName.Descriptor().Fields()
	items := byName.Mutable(fields.ByName("by_sku")).Map()
	items.Set(protoreflect.ValueOfString("a\x00b").MapKey(), byName.Get(fields.ByName("order_items")).List().Get(0))
	for path, message := range map[string]proto.Message{
		"phoneNumber":     testservice.Order("05\x0050"),
		`bySku["a\x00b"]`: byName,
	} {
		err := testservice.Call(context.Background(), d.conn, testservice.Replace, message)
		code, domain, reason := rpcerr.Reason(err)
		if diff := cmp.Diff([]any{codes.InvalidArgument, "libertaphonix", "INVALID_REQUEST"}, []any{code, domain, reason}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		want := []rpcerr.Field{{Path: path, Description: "must not hold the character U+0000"}}
		if diff := cmp.Diff(want, rpcerr.Fields(err)); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", path, diff)
		}
	}
	if reached != 0 {
		t.Error("the handler saw it")
	}
}

func TestAMessageThatIsTooBigIsTheCallersFault(t *testing.T) {
	d := open(t, testservice.Handlers{})
	big := testservice.Order(strings.Repeat("x", grpcserver.MaxReceiveBytes+1))
	stream, err := testservice.Open(context.Background(), d.conn, testservice.Upload, big)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"unary":  testservice.Call(context.Background(), d.conn, testservice.Replace, big),
		"stream": stream.RecvMsg(testservice.Order("")),
	} {
		if code := status.Code(err); code != codes.ResourceExhausted {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACallWithoutADeadlineGetsOne(t *testing.T) {
	d := open(t, testservice.Handlers{Unary: func(ctx context.Context, _ proto.Message) error { <-ctx.Done(); return ctx.Err() }},
		func(c *grpcserver.Config) { c.DefaultDeadline = 20 * time.Millisecond })
	err := testservice.Call(context.Background(), d.conn, testservice.Replace, testservice.Order("0550"))
	if code, _, reason := rpcerr.Reason(err); code != codes.DeadlineExceeded || reason != "DEADLINE_EXCEEDED" {
		t.Errorf("got %v", err)
	}
}

func TestHealthIsForEverybodyAndReflectionInProductionForAdmins(t *testing.T) {
	for name, tc := range map[string]struct {
		production bool
		ctx        func(*door) context.Context
		want       codes.Code
	}{
		"development, anybody":  {false, func(*door) context.Context { return context.Background() }, codes.OK},
		"production, anybody":   {true, func(*door) context.Context { return context.Background() }, codes.Unauthenticated},
		"production, a manager": {true, func(d *door) context.Context { return d.as(t, "MANAGER", 0) }, codes.PermissionDenied},
		"production, an admin":  {true, func(d *door) context.Context { return d.as(t, "ADMIN", 0) }, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, testservice.Handlers{}, func(c *grpcserver.Config) { c.Reflection = grpcserver.ReflectionRule(tc.production) })
			awaitHealth(t, d.conn, healthpb.HealthCheckResponse_SERVING)
			answer, err := healthpb.NewHealthClient(d.conn).Check(context.Background(), &healthpb.HealthCheckRequest{Service: testservice.Name})
			if err != nil || answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
				t.Errorf("health: %v, %v", answer, err)
			}
			services, err := listed(tc.ctx(d), d.conn)
			if status.Code(err) != tc.want {
				t.Fatalf("reflection: %v, want %v", err, tc.want)
			}
			if tc.want == codes.OK && !slices.Contains(services, testservice.Name) {
				t.Errorf("reflection lists %v", services)
			}
		})
	}
	t.Run("switched off", func(t *testing.T) {
		d := open(t, testservice.Handlers{}, func(c *grpcserver.Config) { c.Reflection = auth.Rule{} })
		if _, err := listed(d.as(t, "ADMIN", 0), d.conn); status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v", err)
		}
	})
}

func listed(ctx context.Context, conn *grpc.ClientConn) ([]string, error) {
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	_ = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	var names []string
	for _, s := range answer.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	return names, nil
}
