package grpcserver_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/grpcserver"
	"github.com/libertaphonix/libertaphonix/kit/internal/testservice"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// answer is what a caller sees of a refusal; the zero answer is being let in.
type answer struct {
	Code   codes.Code
	Reason string
	Flaw   string
}

func answered(err error) answer {
	if err == nil || errors.Is(err, io.EOF) {
		return answer{}
	}
	code, _, reason := rpcerr.Reason(err)
	return answer{code, reason, rpcerr.Metadata(err)["flaw"]}
}

func TestEveryCallerGetsWhatTheRuleSaysUnaryAndStreaming(t *testing.T) {
	reached := 0
	d := open(t, testservice.Handlers{
		Unary:  func(context.Context, proto.Message) error { reached++; return nil },
		Stream: func(grpc.ServerStream) error { reached++; return nil },
	})
	in := answer{}
	denied := answer{codes.PermissionDenied, "PERMISSION_DENIED", ""}
	missing := answer{codes.Unauthenticated, "TOKEN_MISSING", ""}
	expired := answer{codes.Unauthenticated, "TOKEN_EXPIRED", ""}
	flawed := func(flaw string) answer { return answer{codes.Unauthenticated, "TOKEN_INVALID", flaw} }
	admin := auth.With(context.Background(), auth.Principal{Kind: auth.User, Subject: "a", Role: "ADMIN"})

	none := "eyJhbGciOiJub25lIiwia2lkIjoieCJ9.eyJzdWIiOiJ1In0."
	twice := metadata.AppendToOutgoingContext(d.as(t, "ADMIN", 0), "authorization", "Bearer x")
	for name, tc := range map[string]struct {
		ctx               context.Context
		admins, users     answer // Find and Watch are for admins (Find also for scheduler), Save for every user
		schedulerOrAdmins answer
	}{
		"nobody":                  {context.Background(), missing, missing, missing},
		"an admin":                {d.as(t, "ADMIN", 0), in, in, in},
		"an agent":                {d.as(t, "AGENT_SUIVI", 0), denied, in, denied},
		"scheduler":               {asService(t, context.Background(), "scheduler", "shop"), denied, denied, in},
		"ecosync for an admin":    {asService(t, admin, "ecosync", "shop"), denied, denied, denied},
		"scheduler, to another":   {asService(t, context.Background(), "scheduler", "orders"), flawed("AUDIENCE"), flawed("AUDIENCE"), flawed("AUDIENCE")},
		"an admin of an hour ago": {d.as(t, "ADMIN", time.Hour), expired, expired, expired},
		"an admin of the future":  {d.as(t, "ADMIN", -time.Hour), flawed("NOT_YET_VALID"), flawed("NOT_YET_VALID"), flawed("NOT_YET_VALID")},
		"alg none":                {bearer(none), flawed("ALGORITHM"), flawed("ALGORITHM"), flawed("ALGORITHM")},
		"a token of 5 KiB":        {bearer(strings.Repeat("a", 5<<10)), flawed("OVERSIZED"), flawed("OVERSIZED"), flawed("OVERSIZED")},
		"two tokens":              {twice, flawed("FORM"), flawed("FORM"), flawed("FORM")},
		"another scheme":          {metadata.AppendToOutgoingContext(context.Background(), "authorization", "Basic eDp5"), missing, missing, missing},
	} {
		t.Run(name, func(t *testing.T) {
			reached = 0
			want := map[string]answer{
				testservice.Find: tc.schedulerOrAdmins, testservice.Save: tc.users, testservice.Watch: tc.admins,
				testservice.Replace: in, testservice.Upload: in, // for everybody, also with a bad token
			}
			got := map[string]answer{}
			for _, method := range []string{testservice.Find, testservice.Save, testservice.Replace} {
				got[method] = answered(testservice.Call(tc.ctx, d.conn, method, testservice.Order("0550")))
			}
			for _, method := range []string{testservice.Watch, testservice.Upload} {
				stream, err := testservice.Open(tc.ctx, d.conn, method)
				if err != nil {
					t.Fatal(err)
				}
				got[method] = answered(stream.RecvMsg(testservice.Order("")))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			letIn := 0
			for _, a := range want {
				if a == in {
					letIn++
				}
			}
			if reached != letIn {
				t.Errorf("%d calls reached a handler, want %d", reached, letIn)
			}
		})
	}
}

func TestWithoutAnyKeyUsersAreToldToTryAgain(t *testing.T) {
	d := open(t, testservice.Handlers{}, func(c *grpcserver.Config) {
		down := func(context.Context) ([]byte, error) { return nil, errors.New("identity is down") }
		c.Verifier = auth.NewVerifier("shop", serviceKey, auth.NewKeys(down, nil, time.Now), time.Now)
	})
	err := testservice.Call(d.as(t, "ADMIN", 0), d.conn, testservice.Find, testservice.Order("0550"))
	if got, want := answered(err), (answer{codes.Unavailable, "KEYS_UNAVAILABLE", ""}); got != want || rpcerr.Delay(err) == 0 {
		t.Errorf("got %v, with delay %v", got, rpcerr.Delay(err))
	}
	ctx := asService(t, context.Background(), "scheduler", "shop")
	if err := testservice.Call(ctx, d.conn, testservice.Find, testservice.Order("0550")); err != nil {
		t.Errorf("services need no key of identity: %v", err)
	}
}

func TestTheHandlerKnowsTheCallerAndWhereFrom(t *testing.T) {
	var seen auth.Principal
	d := open(t, testservice.Handlers{Unary: func(ctx context.Context, _ proto.Message) error { seen = auth.From(ctx); return nil }})
	address := func(ctx context.Context, said string) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "x-client-address", said)
	}
	person := auth.Principal{Kind: auth.User, Subject: "u-1", Role: "ADMIN", Address: "41.111.0.7"}
	for name, tc := range map[string]struct {
		ctx    context.Context
		method string
		want   auth.Principal
	}{
		"a user through the gateway": {
			address(d.as(t, "ADMIN", 0), "41.111.0.7"), testservice.Save,
			auth.Principal{Kind: auth.User, Subject: "u-ADMIN", Role: "ADMIN", Session: "s", Address: "41.111.0.7"},
		},
		"an address that is none": {
			address(d.as(t, "ADMIN", 0), "<script>"), testservice.Save,
			auth.Principal{Kind: auth.User, Subject: "u-ADMIN", Role: "ADMIN", Session: "s"},
		},
		"nobody, through the gateway": {
			address(context.Background(), "::ffff:41.111.0.7"), testservice.Replace, auth.Principal{Address: "41.111.0.7"},
		},
		"a service, which knows the person's address itself": {
			address(asService(t, auth.With(context.Background(), person), "scheduler", "shop"), "1.2.3.4"), testservice.Find,
			auth.Principal{Kind: auth.Service, Subject: "scheduler", Service: "scheduler", Actor: &person},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := testservice.Call(tc.ctx, d.conn, tc.method, testservice.Order("0550")); err != nil {
				t.Fatal(err)
			}
			seen.ExpiresAt = time.Time{}
			if diff := cmp.Diff(tc.want, seen); diff != "" {
				t.Errorf("caller (-want +got):\n%s", diff)
			}
		})
	}
}
