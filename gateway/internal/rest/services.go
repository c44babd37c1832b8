package rest

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
)

// Service is a service behind the door.
type Service struct {
	Name     string                      // as in the configuration and in tokens
	Contract protoreflect.FileDescriptor // the file that declares its RPCs and their paths
	register func(context.Context, *runtime.ServeMux, grpc.ClientConnInterface) error
}

// Services is every service that has REST paths. A new service is one row.
func Services() []Service {
	return []Service{
		row("identity", identityv1.File_libertaphonix_identity_v1_identity_proto, identityv1.NewIdentityServiceClient, identityv1.RegisterIdentityServiceHandlerClient),
		row("orders", ordersv1.File_libertaphonix_orders_v1_orders_proto, ordersv1.NewOrdersServiceClient, ordersv1.RegisterOrdersServiceHandlerClient),
		row("ecosync", ecosyncv1.File_libertaphonix_ecosync_v1_ecosync_proto, ecosyncv1.NewEcosyncServiceClient, ecosyncv1.RegisterEcosyncServiceHandlerClient),
	}
}

func row[C any](name string, contract protoreflect.FileDescriptor, client func(grpc.ClientConnInterface) C,
	register func(context.Context, *runtime.ServeMux, C) error,
) Service {
	return Service{name, contract, func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
		return register(ctx, mux, client(conn))
	}}
}

// Backend is a service together with the connection to it.
type Backend struct {
	Service
	Conn grpc.ClientConnInterface
}
