package grpcserver

import (
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// refuseNUL answers an error when any text of the message holds the character U+0000, which is valid in a proto string
// and which no text of PostgreSQL may hold: found by the database it would look like a fault of ours. It is looked for
// here, once, so that no field of the contract can forget to.
func refuseNUL(message protoreflect.Message) *rpcerr.Error {
	var paths []string
	_ = protorange.Range(message, func(at protopath.Values) error { // fails only when the function does
		last := at.Index(-1)
		if holdsNUL(last.Value) || last.Step.Kind() == protopath.MapIndexStep && strings.ContainsRune(last.Step.MapIndex().String(), 0) {
			paths = append(paths, spelled(at.Path))
		}
		if len(paths) == maxViolations {
			return protorange.Terminate
		}
		return nil
	})
	if len(paths) == 0 {
		return nil
	}
	refusal := rpcerr.New(codes.InvalidArgument, rpcerr.ReasonInvalidRequest, rpcerr.PlumbingDomain,
		"text must not hold the character U+0000; see the field violations")
	for _, path := range paths {
		refusal = refusal.Field(path, "must not hold the character U+0000")
	}
	return refusal
}

func holdsNUL(value protoreflect.Value) bool {
	text, ok := value.Interface().(string)
	return ok && strings.ContainsRune(text, 0)
}

// spelled is a path as callers write it, like jsonPath: orders[3].phoneNumber.
func spelled(path protopath.Path) string {
	var b strings.Builder
	for _, step := range path {
		switch step.Kind() {
		case protopath.FieldAccessStep:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step.FieldDescriptor().JSONName())
		case protopath.ListIndexStep:
			b.WriteString("[" + strconv.Itoa(step.ListIndex()) + "]")
		case protopath.MapIndexStep:
			b.WriteString("[" + strconv.Quote(step.MapIndex().String()) + "]")
		default: // the root; no message of the suite holds an Any
		}
	}
	return b.String()
}
