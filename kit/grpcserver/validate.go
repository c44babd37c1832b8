package grpcserver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// maxViolations keeps an answer small enough for the trailers of HTTP/2, whatever nonsense came in.
const maxViolations = 30

// validator holds every incoming message against the rules of the contract.
type validator struct {
	protovalidate.Validator
}

// newValidator compiles the rules of the given messages, so that one that does not compile is found at start.
func newValidator(inputs []protoreflect.MessageDescriptor) (*validator, error) {
	v, err := protovalidate.New(protovalidate.WithMessageDescriptors(inputs...))
	if err != nil {
		return nil, fmt.Errorf("grpcserver: set up validation: %w", err)
	}
	for _, input := range inputs {
		var broken *protovalidate.CompilationError
		if err := v.Validate(dynamicpb.NewMessage(input)); errors.As(err, &broken) {
			return nil, fmt.Errorf("grpcserver: the validation rules of %s do not compile: %w", input.FullName(), broken)
		}
	}
	return &validator{v}, nil
}

func (v *validator) named(name string) Interceptor { return Interceptor{name, v.unary, v.stream} }

func (v *validator) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := v.check(ctx, req); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (v *validator) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, &validatedStream{ServerStream: ss, validator: v})
}

// validatedStream checks each message on its way in, also the one request of a server stream.
type validatedStream struct {
	grpc.ServerStream
	validator *validator
}

func (s *validatedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.validator.check(s.Context(), m)
}

func (v *validator) check(ctx context.Context, m any) error {
	message, ok := m.(proto.Message)
	if !ok {
		return rpcerr.Internal(fmt.Errorf("a request of type %T is no proto message", m)).ForRequest(ctx)
	}
	if refusal := refuseNUL(message.ProtoReflect()); refusal != nil {
		return refusal.ForRequest(ctx)
	}
	err := v.Validate(message)
	if err == nil {
		return nil
	}
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		return rpcerr.Internal(fmt.Errorf("validate %s: %w", message.ProtoReflect().Descriptor().FullName(), err)).ForRequest(ctx)
	}
	return violations(message.ProtoReflect().Descriptor(), invalid).ForRequest(ctx)
}

// violations is the answer to a message that breaks rules: all of them at once, up to a sensible number.
func violations(message protoreflect.MessageDescriptor, invalid *protovalidate.ValidationError) *rpcerr.Error {
	answer := rpcerr.New(codes.InvalidArgument, rpcerr.ReasonInvalidRequest, rpcerr.PlumbingDomain,
		"the request breaks %d rule(s) of the contract; see the field violations", len(invalid.Violations))
	for i, v := range invalid.Violations {
		if i == maxViolations {
			break
		}
		description := v.Proto.GetMessage()
		if description == "" {
			description = v.Proto.GetRuleId()
		}
		answer = answer.Field(jsonPath(message, v.Proto.GetField()), description)
	}
	return answer
}

// jsonPath spells the path of a field as callers write it: orders[3].phoneNumber. An empty path is the message itself.
func jsonPath(message protoreflect.MessageDescriptor, path *validate.FieldPath) string {
	var b strings.Builder
	for _, element := range path.GetElements() {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		var field protoreflect.FieldDescriptor
		if message != nil {
			field = message.Fields().ByNumber(protoreflect.FieldNumber(element.GetFieldNumber()))
		}
		if field == nil { // a oneof has a name and no number
			b.WriteString(element.GetFieldName())
			message = nil
			continue
		}
		b.WriteString(field.JSONName())
		message = field.Message()
		if field.IsMap() {
			message = field.MapValue().Message()
		}
		switch subscript := element.GetSubscript().(type) {
		case *validate.FieldPathElement_Index:
			b.WriteString("[" + strconv.FormatUint(subscript.Index, 10) + "]")
		case *validate.FieldPathElement_BoolKey:
			b.WriteString("[" + strconv.FormatBool(subscript.BoolKey) + "]")
		case *validate.FieldPathElement_IntKey:
			b.WriteString("[" + strconv.FormatInt(subscript.IntKey, 10) + "]")
		case *validate.FieldPathElement_UintKey:
			b.WriteString("[" + strconv.FormatUint(subscript.UintKey, 10) + "]")
		case *validate.FieldPathElement_StringKey:
			b.WriteString("[" + strconv.Quote(subscript.StringKey) + "]")
		}
	}
	return b.String()
}
