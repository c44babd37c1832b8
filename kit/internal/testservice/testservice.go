// Package testservice is a small service with rules of validation, for the tests of grpcserver and grpcclient.
//
// It owns a contract built in Go, as kit must not import the real one, and a client and a server for it.
// It is never linked into a service. Start at [Service] and [Register].
package testservice

import (
	"context"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The methods: Save changes something, Find does not (NO_SIDE_EFFECTS), Replace may be repeated (IDEMPOTENT), Watch
// streams out, Upload streams in.
const (
	Name    = "libertaphonix.test.v1.ShopService"
	Save    = "/" + Name + "/Save"
	Find    = "/" + Name + "/Find"
	Replace = "/" + Name + "/Replace"
	Watch   = "/" + Name + "/Watch"
	Upload  = "/" + Name + "/Upload"
)

// file is registered globally, as generated files are.
var file = register()

// Service is the descriptor of the service.
func Service() protoreflect.ServiceDescriptor { return file.Services().Get(0) }

// Order makes a request: a phone number of at least 3 characters, and items with a count above 0, by position and by SKU.
func Order(phone string, counts ...int32) *dynamicpb.Message {
	order := dynamicpb.NewMessage(file.Messages().ByName("Order"))
	fields := order.Descriptor().Fields()
	order.Set(fields.ByName("phone_number"), protoreflect.ValueOfString(phone))
	for _, count := range counts {
		item := dynamicpb.NewMessage(file.Messages().ByName("Item"))
		item.Set(item.Descriptor().Fields().ByName("unit_count"), protoreflect.ValueOfInt32(count))
		order.Mutable(fields.ByName("order_items")).List().Append(protoreflect.ValueOfMessage(item))
		order.Mutable(fields.ByName("by_sku")).Map().Set(protoreflect.ValueOfString("sku").MapKey(), protoreflect.ValueOfMessage(item))
	}
	return order
}

// Handlers is what a test makes the service do; a nil one answers an empty order.
type Handlers struct {
	Unary  func(context.Context, proto.Message) error
	Stream func(grpc.ServerStream) error
}

// Register registers the service with the handlers for all its methods.
func Register(s grpc.ServiceRegistrar, h Handlers) {
	desc := &grpc.ServiceDesc{ServiceName: Name, HandlerType: (*any)(nil), Metadata: file.Path()}
	for _, method := range []string{"Save", "Find", "Replace"} {
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: method, Handler: unary("/"+Name+"/"+method, h.Unary)})
	}
	desc.Streams = []grpc.StreamDesc{
		{StreamName: "Watch", ServerStreams: true, Handler: stream(h.Stream)},
		{StreamName: "Upload", ServerStreams: true, ClientStreams: true, Handler: stream(h.Stream)},
	}
	s.RegisterService(desc, nil)
}

func unary(method string, do func(context.Context, proto.Message) error) grpc.MethodHandler {
	return func(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		in := Order("")
		if err := decode(in); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, _ any) (any, error) {
			if do != nil {
				if err := do(ctx, in); err != nil {
					return nil, err
				}
			}
			return Order(""), nil
		}
		if intercept == nil {
			return handler(ctx, in)
		}
		return intercept(ctx, in, &grpc.UnaryServerInfo{FullMethod: method}, handler)
	}
}

func stream(do func(grpc.ServerStream) error) grpc.StreamHandler {
	return func(_ any, s grpc.ServerStream) error {
		if do == nil {
			return s.RecvMsg(Order(""))
		}
		return do(s)
	}
}

// Call calls a unary method with an order.
func Call(ctx context.Context, conn grpc.ClientConnInterface, method string, in proto.Message, opts ...grpc.CallOption) error {
	return conn.Invoke(ctx, method, in, Order(""), opts...)
}

// Open opens a stream and sends the orders; the caller may go on sending and must receive until an error.
func Open(ctx context.Context, conn grpc.ClientConnInterface, method string, in ...proto.Message) (grpc.ClientStream, error) {
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return nil, err
	}
	for _, m := range in {
		if err := s.SendMsg(m); err != nil {
			return s, nil // the reason is what receiving answers
		}
	}
	return s, nil
}

func register() protoreflect.FileDescriptor {
	text, number, message := descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), descriptorpb.FieldDescriptorProto_TYPE_INT32.Enum(),
		descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
	one, many := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	method := func(name string, level descriptorpb.MethodOptions_IdempotencyLevel, out, in bool) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{
			Name: &name, InputType: proto.String(".libertaphonix.test.v1.Order"), OutputType: proto.String(".libertaphonix.test.v1.Order"),
			ServerStreaming: &out, ClientStreaming: &in, Options: &descriptorpb.MethodOptions{IdempotencyLevel: &level},
		}
	}
	const unknown, free, again = descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN, descriptorpb.MethodOptions_NO_SIDE_EFFECTS, descriptorpb.MethodOptions_IDEMPOTENT
	built, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("libertaphonix/test/v1/shop.proto"), Package: proto.String("libertaphonix.test.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"buf/validate/validate.proto"},
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("Item"), Field: []*descriptorpb.FieldDescriptorProto{
				{Name: proto.String("unit_count"), Number: proto.Int32(1), Type: number, Label: one, Options: rule(&validate.FieldRules{
					Type: &validate.FieldRules_Int32{Int32: &validate.Int32Rules{GreaterThan: &validate.Int32Rules_Gt{Gt: 0}}},
				})},
			}},
			{
				Name: proto.String("Order"), Field: []*descriptorpb.FieldDescriptorProto{
					{Name: proto.String("phone_number"), Number: proto.Int32(1), Type: text, Label: one, Options: rule(&validate.FieldRules{
						Type: &validate.FieldRules_String_{String_: &validate.StringRules{MinLen: proto.Uint64(3)}},
					})},
					{Name: proto.String("order_items"), Number: proto.Int32(2), Type: message, Label: many, TypeName: proto.String(".libertaphonix.test.v1.Item")},
					{Name: proto.String("by_sku"), Number: proto.Int32(3), Type: message, Label: many, TypeName: proto.String(".libertaphonix.test.v1.Order.BySkuEntry")},
				},
				NestedType: []*descriptorpb.DescriptorProto{{
					Name: proto.String("BySkuEntry"), Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
					Field: []*descriptorpb.FieldDescriptorProto{
						{Name: proto.String("key"), Number: proto.Int32(1), Type: text, Label: one},
						{Name: proto.String("value"), Number: proto.Int32(2), Type: message, Label: one, TypeName: proto.String(".libertaphonix.test.v1.Item")},
					},
				}},
			},
		},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("ShopService"), Method: []*descriptorpb.MethodDescriptorProto{
			method("Save", unknown, false, false), method("Find", free, false, false), method("Replace", again, false, false),
			method("Watch", unknown, true, false), method("Upload", unknown, true, true),
		}}},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(built)
	}
	if err != nil {
		panic("the contract of the test service is broken: " + err.Error())
	}
	return built
}

func rule(r *validate.FieldRules) *descriptorpb.FieldOptions {
	options := &descriptorpb.FieldOptions{}
	proto.SetExtension(options, validate.E_Field, r)
	return options
}
