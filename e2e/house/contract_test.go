package house_test

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/libertaphonix/libertaphonix/proto/access"
	_ "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	_ "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	_ "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	_ "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
)

// contract answers the files of our own contract.
func contract() []protoreflect.FileDescriptor {
	var files []protoreflect.FileDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(file.Package()), "libertaphonix.") {
			files = append(files, file)
		}
		return true
	})
	return files
}

func forEachMethod(visit func(protoreflect.MethodDescriptor)) {
	for _, file := range contract() {
		for s := range file.Services().Len() {
			methods := file.Services().Get(s).Methods()
			for m := range methods.Len() {
				visit(methods.Get(m))
			}
		}
	}
}

// route is one way over REST to a method.
type route struct{ verb, path string }

func routes(method protoreflect.MethodDescriptor) []route {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return nil
	}
	var found []route
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		switch {
		case r.GetGet() != "":
			found = append(found, route{"GET", r.GetGet()})
		case r.GetPut() != "":
			found = append(found, route{"PUT", r.GetPut()})
		case r.GetPost() != "":
			found = append(found, route{"POST", r.GetPost()})
		case r.GetDelete() != "":
			found = append(found, route{"DELETE", r.GetDelete()})
		case r.GetPatch() != "":
			found = append(found, route{"PATCH", r.GetPatch()})
		}
	}
	return found
}

func idempotency(method protoreflect.MethodDescriptor) descriptorpb.MethodOptions_IdempotencyLevel {
	return method.Options().(*descriptorpb.MethodOptions).GetIdempotencyLevel()
}

func TestEveryContractIsLookedAt(t *testing.T) {
	linked := make(map[string]bool)
	for _, file := range contract() {
		linked[file.Path()] = true
	}
	for _, name := range files(t, func(name string) bool {
		return strings.HasPrefix(name, "proto/libertaphonix/") && path.Ext(name) == ".proto"
	}) {
		if !linked[strings.TrimPrefix(name, "proto/")] {
			t.Errorf("%s is in no test: import its generated package in contract_test.go", name)
		}
	}
}

func TestEveryRPCSaysWhoMayCallIt(t *testing.T) {
	for _, file := range contract() {
		for s := range file.Services().Len() {
			if _, err := access.Rules(file.Services().Get(s)); err != nil {
				t.Errorf("%v: who may call stands on the RPC, because REST, services and grpcurl read it there and nowhere else", err)
			}
		}
	}
}

func TestAPathIsOneRPC(t *testing.T) {
	owner := make(map[route]protoreflect.FullName)
	variable := regexp.MustCompile(`\{[^}]*\}`)
	forEachMethod(func(method protoreflect.MethodDescriptor) {
		for _, r := range routes(method) {
			key := route{r.verb, variable.ReplaceAllString(r.path, "{}")}
			if other, taken := owner[key]; taken {
				t.Errorf("%s %s is %s and %s: which of the two answers would depend on the order of registration", r.verb, r.path, other, method.FullName())
			}
			owner[key] = method.FullName()
		}
	})
	for key, name := range owner {
		parent, last := path.Split(key.path)
		if _, clash := owner[route{key.verb, parent + "{}"}]; clash && last != "{}" && !strings.HasPrefix(last, "{}") {
			t.Errorf("%s %s (%s) is a literal beside %s{id}: an own verb is written :verb, or the router's answer depends on declaration order", key.verb, key.path, name, parent)
		}
	}
}

func TestPathsAreWrittenAlike(t *testing.T) {
	allowed := regexp.MustCompile(`^/(api/v1|api/admin|\.well-known)/`)
	segment := regexp.MustCompile(`^(\{[a-z_]+\}|[a-z0-9.-]+)(:[a-z][A-Za-z]*)?$`)
	forEachMethod(func(method protoreflect.MethodDescriptor) {
		for _, r := range routes(method) {
			if !allowed.MatchString(r.path) {
				t.Errorf("%s: %s is neither under /api/v1 nor under /api/admin", method.FullName(), r.path)
			}
			for part := range strings.SplitSeq(strings.Trim(r.path, "/"), "/") {
				if !segment.MatchString(part) {
					t.Errorf("%s: %s: segment %q: collections in lower case, {snake_id}, and :camelCase verbs", method.FullName(), r.path, part)
				}
			}
		}
	})
}

// repeatable holds the writes that need no request id because doing them twice harms nobody, with the reason.
var repeatable = map[protoreflect.FullName]string{
	"libertaphonix.identity.v1.IdentityService.Login":          "a second login is a second session, which the person can end",
	"libertaphonix.identity.v1.IdentityService.Refresh":        "a token shown again within 30 s gets the same successor",
	"libertaphonix.identity.v1.IdentityService.ChangePassword": "the second call fails on the old password and changes nothing",
	"libertaphonix.ecosync.v1.EcosyncService.TestConnection":   "it asks the shop and stores the answer",
}

func TestAWriteIsIdempotentOrTakesARequestID(t *testing.T) {
	forEachMethod(func(method protoreflect.MethodDescriptor) {
		name, level := method.FullName(), idempotency(method)
		for _, r := range routes(method) {
			if (r.verb == "GET") != (level == descriptorpb.MethodOptions_NO_SIDE_EFFECTS) {
				t.Errorf("%s: GET and idempotency_level = NO_SIDE_EFFECTS go together (%s %s, %s): clients retry by the level, caches by the verb", name, r.verb, r.path, level)
			}
		}
		takesID := method.Input().Fields().ByName("request_id") != nil
		_, known := repeatable[name]
		switch {
		case level == descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN && !takesID && !known:
			t.Errorf("%s: neither idempotent nor with a request_id: after a lost answer nobody could repeat it safely", name)
		case known && (takesID || level != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN):
			t.Errorf("%s needs no exception any more: take it out of `repeatable`", name)
		}
	})
}

func TestEnumsAreNamedSoThatJSONReadsWell(t *testing.T) {
	for _, file := range contract() {
		if n := file.Enums().Len(); n > 0 {
			t.Errorf("%s has %d enums outside a message: each sits in a message of its own (OrderStatus.Value), so that its values need no prefix and JSON says DELIVERED", file.Path(), n)
		}
	}
}

func TestTheOpenAPIDocumentHasEveryRouteAndTellsTheRoles(t *testing.T) {
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string     `json:"operationId"`
			Description string     `json:"description"`
			Security    []struct{} `json:"security"`
			Roles       []string   `json:"x-roles"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(read(t, "gateway/internal/rest/openapi/openapi.json")), &document); err != nil {
		t.Fatal(err)
	}
	camel := regexp.MustCompile(`_([a-z])`)
	forEachMethod(func(method protoreflect.MethodDescriptor) {
		for _, r := range routes(method) {
			documented := camel.ReplaceAllStringFunc(r.path, func(s string) string { return strings.ToUpper(s[1:]) })
			operation, ok := document.Paths[documented][strings.ToLower(r.verb)]
			if !ok {
				operation, ok = document.Paths[r.path][strings.ToLower(r.verb)]
			}
			want := fmt.Sprintf("%s_%s", method.Parent().Name(), method.Name())
			if !ok || !strings.HasPrefix(operation.OperationID, want) {
				t.Errorf("%s %s (%s) is not in openapi.json (have %q): make generate", r.verb, r.path, method.FullName(), operation.OperationID)
				continue
			}
			rule, err := access.Rules(method.Parent().(protoreflect.ServiceDescriptor))
			if err != nil {
				t.Fatal(err)
			}
			want = strings.Join(rule[fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())].Roles, ", ")
			if got := strings.Join(operation.Roles, ", "); got != want {
				t.Errorf("%s %s: openapi.json names the roles %q, the contract %q: make generate", r.verb, r.path, got, want)
			}
		}
	})
}
