package access_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	"github.com/libertaphonix/libertaphonix/proto/access"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
)

func TestEveryMethodOfTheContractHasARule(t *testing.T) {
	var services []protoreflect.ServiceDescriptor
	for _, file := range []protoreflect.FileDescriptor{
		identityv1.File_libertaphonix_identity_v1_identity_proto,
		ordersv1.File_libertaphonix_orders_v1_orders_proto,
		ecosyncv1.File_libertaphonix_ecosync_v1_ecosync_proto,
	} {
		if file.Services().Len() == 0 {
			t.Errorf("%s declares no service", file.Path())
		}
		for i := range file.Services().Len() {
			services = append(services, file.Services().Get(i))
		}
	}
	rules, err := access.Rules(services...)
	if err != nil {
		t.Fatal(err)
	}
	ingest := rules["/libertaphonix.orders.v1.OrdersService/IngestOrders"]
	if diff := cmp.Diff(auth.Rule{Services: []string{"ecosync"}}, ingest); diff != "" {
		t.Errorf("IngestOrders is for ecosync alone (-want +got):\n%s", diff)
	}
	login := rules["/libertaphonix.identity.v1.IdentityService/Login"]
	if !login.Anonymous {
		t.Error("nobody could log in: Login is not for everybody")
	}
}

func TestAPermissionIsReadAsItIsWritten(t *testing.T) {
	admin, manager := accessv1.Role_ADMIN, accessv1.Role_MANAGER
	for name, tc := range map[string]struct {
		permission *accessv1.Permission
		want       auth.Rule
		fault      string
	}{
		"for everybody":  {permission: &accessv1.Permission{Anonymous: true}, want: auth.Rule{Anonymous: true}},
		"for every user": {permission: &accessv1.Permission{Authenticated: true}, want: auth.Rule{Authenticated: true}},
		"roles and services": {
			permission: &accessv1.Permission{
				Roles: []accessv1.Role_Value{admin, manager},
				Peers: []accessv1.Peer_Value{accessv1.Peer_ORDERS, accessv1.Peer_SCHEDULER},
			},
			want: auth.Rule{Roles: []string{"ADMIN", "MANAGER"}, Services: []string{"orders", "scheduler"}},
		},
		"no option":             {fault: "/test.v1.TestService/Do: has no option"},
		"an empty option":       {permission: &accessv1.Permission{}, fault: "lets nobody in"},
		"an unspecified role":   {permission: &accessv1.Permission{Roles: []accessv1.Role_Value{0}}, fault: "names a role"},
		"a role that is gone":   {permission: &accessv1.Permission{Roles: []accessv1.Role_Value{99}}, fault: "names a role"},
		"an unspecified peer":   {permission: &accessv1.Permission{Peers: []accessv1.Peer_Value{0}}, fault: "names a service"},
		"everybody, and roles":  {permission: &accessv1.Permission{Anonymous: true, Roles: []accessv1.Role_Value{admin}}, fault: "one of the two"},
		"every user, and roles": {permission: &accessv1.Permission{Authenticated: true, Roles: []accessv1.Role_Value{admin}}, fault: "one of the two"},
	} {
		t.Run(name, func(t *testing.T) {
			rules, err := access.Rules(service(t, tc.permission))
			if tc.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fault) {
					t.Fatalf("the contract should be refused with %q, got %v", tc.fault, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]auth.Rule{"/test.v1.TestService/Do": tc.want}, rules); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheReasonsOfThePlumbingAreThoseOfTheContract(t *testing.T) {
	for _, reason := range []string{
		auth.TokenMissing.String(), auth.TokenInvalid.String(), auth.TokenExpired.String(), auth.KeysUnavailable.String(),
		auth.PermissionDenied.String(), rpcerr.ReasonInvalidRequest.String(), rpcerr.ReasonInternal.String(),
		rpcerr.ReasonUnavailable.String(), rpcerr.ReasonDeadlineExceeded.String(), rpcerr.ReasonRateLimited.String(),
		rpcerr.ReasonRequestIDReused.String(), rpcerr.ReasonCancelled.String(), rpcerr.ReasonNoSuchMethod.String(),
	} {
		if _, ok := accessv1.ErrorReason_Value_value[reason]; !ok {
			t.Errorf("the contract does not know the reason %s", reason)
		}
	}
}

// service makes a service with one method that has the given permission, as the compiler of the contract would.
func service(t *testing.T, permission *accessv1.Permission) protoreflect.ServiceDescriptor {
	t.Helper()
	options := &descriptorpb.MethodOptions{}
	if permission != nil {
		proto.SetExtension(options, accessv1.E_Permission, permission)
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("test/v1/test.proto"), Package: proto.String("test.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("DoRequest")}, {Name: proto.String("DoResponse")}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("TestService"),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: proto.String("Do"), InputType: proto.String(".test.v1.DoRequest"),
				OutputType: proto.String(".test.v1.DoResponse"), Options: options,
			}},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return file.Services().Get(0)
}
