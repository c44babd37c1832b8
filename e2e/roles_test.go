package e2e

import (
	"context"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/proto/access"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
)

// contract is every service of the suite and what it registers.
var contract = map[string][]protoreflect.ServiceDescriptor{
	"identity": {service(identityv1.File_libertaphonix_identity_v1_identity_proto), service(systemv1.File_libertaphonix_system_v1_system_proto)},
	"orders":   {service(ordersv1.File_libertaphonix_orders_v1_orders_proto), service(systemv1.File_libertaphonix_system_v1_system_proto)},
	"ecosync":  {service(ecosyncv1.File_libertaphonix_ecosync_v1_ecosync_proto), service(systemv1.File_libertaphonix_system_v1_system_proto)},
}

func service(file protoreflect.FileDescriptor) protoreflect.ServiceDescriptor {
	return file.Services().Get(0)
}

// callers are everybody who may knock, with what a rule calls them. Peers knock with a token made for the service they call.
type caller struct {
	name  string
	token func(audience string) string // nil: none
	may   func(auth.Rule) bool
}

func callers(t *testing.T, s *suite) []caller {
	t.Helper()
	list := []caller{{"nobody", nil, func(r auth.Rule) bool { return r.Anonymous }}}
	for role, p := range map[string]*person{"ADMIN": s.admin, "MANAGER": s.manager, "AGENT_SUIVI": s.agent} {
		token, err := p.bearer()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, caller{role, func(string) string { return token }, func(r auth.Rule) bool {
			return r.Anonymous || r.Authenticated || slices.Contains(r.Roles, role)
		}})
	}
	for _, peer := range []string{"identity", "orders", "ecosync", "shipping", "assignment", "scheduler"} {
		tokens, err := auth.NewServiceTokens(peer, []byte(serviceKey), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, caller{peer, func(audience string) string {
			token, err := tokens.Token(context.Background(), audience)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}, func(r auth.Rule) bool { return r.Anonymous || slices.Contains(r.Services, peer) }})
	}
	return list
}

// TestEveryMethodAdmitsExactlyWhomItsContractNames walks every RPC with every caller (lessons P79 and P80). An empty request is enough: who may
// not call learns so before the request is looked at, and who may is told what is wrong with it, or answered.
func TestEveryMethodAdmitsExactlyWhomItsContractNames(t *testing.T) {
	s := business(t)
	everybody := callers(t, s)
	for name, services := range contract {
		conn := s.dial(t, name)
		rules, err := access.Rules(services...)
		if err != nil {
			t.Fatal(err)
		}
		for method, rule := range rules {
			for _, c := range everybody {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				if c.token != nil {
					ctx = withToken(ctx, c.token(name))
				}
				err := knock(ctx, conn, method)
				cancel()
				if admitted := !refused(err); admitted != c.may(rule) {
					t.Errorf("%s of %s: %s admitted %v, the contract says %v (%v)", method, name, c.name, admitted, c.may(rule), err)
				}
			}
		}
	}
}

// knock calls a method, streaming or not, with an empty request and reads one answer.
func knock(ctx context.Context, conn *grpc.ClientConn, method string) error {
	ctx, cancel := context.WithCancel(ctx) // a stream that began is given up
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
		return err
	}
	_ = stream.CloseSend()
	return stream.RecvMsg(&emptypb.Empty{})
}

// refused tells a refusal of the caller from any other answer: by its reason, since a service may also say PERMISSION_DENIED of what was asked.
func refused(err error) bool {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return slices.Contains([]string{"PERMISSION_DENIED", "TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED"}, info.GetReason())
		}
	}
	return false
}

var pathField = regexp.MustCompile(`\{(\w+)(=[^}]*)?\}`)

// TestRESTMeetsTheSameRule walks every route with every role: there is no second door (lesson P80).
func TestRESTMeetsTheSameRule(t *testing.T) {
	s := business(t)
	walked := 0
	for _, services := range contract {
		rules, err := access.Rules(services...)
		if err != nil {
			t.Fatal(err)
		}
		for _, sd := range services {
			for i := range sd.Methods().Len() {
				m := sd.Methods().Get(i)
				method, path := route(m)
				if path == "" {
					continue
				}
				walked++
				rule := rules["/"+string(sd.FullName())+"/"+string(m.Name())]
				for _, c := range callers(t, s)[:4] { // nobody and the three roles; a peer has no business at the gateway
					token := ""
					if c.token != nil {
						token = c.token("")
					}
					body := ""
					if method != http.MethodGet && method != http.MethodDelete {
						body = "{}"
					}
					a := s.send(method, path, body, token)
					if a.err != nil {
						t.Fatal(a.err)
					}
					admitted := !slices.Contains([]string{"PERMISSION_DENIED", "TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED"}, a.reason())
					if admitted != c.may(rule) {
						t.Errorf("%s %s: %s admitted %v, the contract says %v (HTTP %d %s)", method, path, c.name, admitted, c.may(rule), a.status, a.body)
					}
					want := map[bool]int{true: http.StatusUnauthorized, false: http.StatusForbidden}[token == ""]
					if !admitted && a.status != want {
						t.Errorf("%s %s refuses %s with HTTP %d, want %d", method, path, c.name, a.status, want)
					}
				}
			}
		}
	}
	if walked < 25 {
		t.Errorf("only %d routes were walked", walked)
	}
}

// route is a method's path with ids that name nothing.
func route(m protoreflect.MethodDescriptor) (method, path string) {
	rule, ok := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return "", ""
	}
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		method, path = http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		method, path = http.MethodPost, p.Post
	case *annotations.HttpRule_Patch:
		method, path = http.MethodPatch, p.Patch
	case *annotations.HttpRule_Put:
		method, path = http.MethodPut, p.Put
	case *annotations.HttpRule_Delete:
		method, path = http.MethodDelete, p.Delete
	}
	return method, pathField.ReplaceAllStringFunc(path, func(field string) string {
		if strings.Contains(field, "order_id") {
			return "999999999"
		}
		return "00000000-0000-7000-8000-000000000000"
	})
}

// TestATokenThatIsNotOursOpensNothing: tampered, unsigned, of another audience, of an unknown key, oversized. Expiry is proved in kit/auth, where
// the clock is the test's.
func TestATokenThatIsNotOursOpensNothing(t *testing.T) {
	s := business(t)
	good, err := s.admin.bearer()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := auth.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	unknownKid, _, err := auth.NewIssuer(func(context.Context) (auth.SigningKey, error) { return foreign, nil }, time.Now).
		Issue(t.Context(), auth.Person{Subject: s.admin.id, Session: s.admin.id, Role: "ADMIN"})
	if err != nil {
		t.Fatal(err)
	}
	peer, err := auth.NewServiceTokens("scheduler", []byte(serviceKey), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	otherAudience, err := peer.Token(t.Context(), "shipping")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := auth.NewServiceTokens("scheduler", []byte("another-service-key-of-32-bytes!"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	otherKey, err := stranger.Token(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	conn := s.dial(t, "orders")
	for name, token := range map[string]string{
		"tampered payload":   parts[0] + "." + encode(strings.Replace(string(payload), "ADMIN", "ADMIM", 1)) + "." + parts[2],
		"tampered signature": parts[0] + "." + parts[1] + "." + strings.Map(func(r rune) rune { return map[bool]rune{true: 'A', false: r}[r == 'B'] }, "B"+parts[2][1:]),
		"alg=none":           encode(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + ".",
		"alg=none with kid":  encode(`{"alg":"none","kid":"x"}`) + "." + parts[1] + "." + parts[2],
		"alg=HS256 confused": encode(`{"alg":"HS256","kid":"x"}`) + "." + parts[1] + "." + parts[2],
		"unknown kid":        unknownKid,
		"other audience":     otherAudience,
		"other service key":  otherKey,
		"oversized":          good + strings.Repeat("A", 5<<10),
		"not a token":        "Bearer",
		"empty parts":        "..",
	} {
		if err := knock(withToken(t.Context(), token), conn, ordersv1.OrdersService_ListWilayas_FullMethodName); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s, over gRPC: %v", name, err)
		}
		if a := s.send(http.MethodGet, "/api/v1/wilayas", "", token); a.status != http.StatusUnauthorized && a.status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s, over REST: HTTP %d %s", name, a.status, a.body)
		}
	}
	if a := s.send(http.MethodGet, "/api/v1/wilayas", "", good); a.status != http.StatusOK {
		t.Errorf("the good token: HTTP %d %s", a.status, a.body)
	}
}

func TestAManagerCanNeitherMakeNorBecomeAnAdmin(t *testing.T) {
	s := business(t)
	if _, err := s.manager.bearer(); err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string][3]string{
		"make one":      {http.MethodPost, "/api/v1/users", `{"email":"second@example.dz","name":"Second","role":"ADMIN","password":"Correct-Horse-9"}`},
		"become one":    {http.MethodPatch, "/api/v1/users/" + s.manager.id, `{"role":"ADMIN"}`},
		"demote one":    {http.MethodPatch, "/api/v1/users/" + s.admin.id, `{"role":"MANAGER"}`},
		"disable one":   {http.MethodPost, "/api/v1/users/" + s.admin.id + ":disable", `{}`},
		"take one over": {http.MethodPost, "/api/v1/users/" + s.admin.id + ":resetPassword", `{"newPassword":"Correct-Horse-9"}`},
	} {
		if a := s.manager.call(request[0], request[1], request[2]); a.status != http.StatusForbidden || a.reason() != "ROLE_NOT_ALLOWED" {
			t.Errorf("%s: HTTP %d %s", name, a.status, a.body)
		}
	}
	if a := s.admin.call(http.MethodPost, "/api/v1/users/"+s.admin.id+":disable", `{}`); a.reason() != "LAST_ADMIN" {
		t.Errorf("the last admin could be disabled: HTTP %d %s", a.status, a.body)
	}
}

func TestTenFailuresCloseTheDoorForAnAddressAndSayHowLong(t *testing.T) {
	s := business(t)
	body := `{"email":"nobody@example.dz","password":"wrong-password"}`
	for range 10 {
		if a := s.send(http.MethodPost, "/api/v1/auth/login", body, ""); a.status != http.StatusUnauthorized {
			t.Fatalf("HTTP %d %s", a.status, a.body)
		}
	}
	a := s.send(http.MethodPost, "/api/v1/auth/login", body, "")
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || a.reason() != "TOO_MANY_FAILURES" {
		t.Errorf("the eleventh: HTTP %d, Retry-After %q, %s", a.status, a.header.Get("Retry-After"), a.body)
	}
}
