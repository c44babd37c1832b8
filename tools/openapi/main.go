// Openapi writes into a merged OpenAPI document what the generators do not know: who may call each operation.
//
// It reads the document on standard input and the contract's descriptors from the file named, and prints the document: every operation
// gets `x-roles` and a sentence in its description, both read from the permission option of its RPC; an anonymous one needs no token.
// An operation without an RPC, or an RPC without the option, is an error: the page at /docs shall not promise what a service refuses.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// option is read by name, through descriptors, so that this program does not need the generated code that it helps to make.
const option protoreflect.FullName = "libertaphonix.access.v1.permission"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi DESCRIPTORS <merged.json >openapi.json")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(descriptors string, in io.Reader, out io.Writer) error {
	image, err := os.ReadFile(descriptors)
	if err != nil {
		return err
	}
	permissions, err := readPermissions(image)
	if err != nil {
		return fmt.Errorf("%s: %w", descriptors, err)
	}
	merged, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	document, err := annotate(merged, permissions)
	if err != nil {
		return err
	}
	_, err = out.Write(document)
	return err
}

// permission is the part of libertaphonix.access.v1.Permission that a REST client can meet: peers call over gRPC only.
type permission struct {
	anonymous, authenticated bool
	roles                    []string
}

// readPermissions answers the permission of every method, keyed by operation id as the generators spell it: OrdersService_GetOrder.
func readPermissions(image []byte) (map[string]permission, error) {
	// Decoded twice: the first pass finds the option's definition, the second can then read its values.
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(image, &set); err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, err
	}
	types := dynamicpb.NewTypes(files)
	if err := (proto.UnmarshalOptions{Resolver: types}).Unmarshal(image, &set); err != nil {
		return nil, err
	}
	if files, err = protodesc.NewFiles(&set); err != nil {
		return nil, err
	}
	permissions := make(map[string]permission)
	forEachMethod(files, func(method protoreflect.MethodDescriptor) {
		found := false
		method.Options().ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			if found = field.FullName() == option; found {
				permissions[fmt.Sprintf("%s_%s", method.Parent().Name(), method.Name())] = decode(value.Message())
			}
			return !found
		})
		if !found {
			err = errors.Join(err, fmt.Errorf("%s has no option %s", method.FullName(), option))
		}
	})
	return permissions, err
}

func forEachMethod(files *protoregistry.Files, visit func(protoreflect.MethodDescriptor)) {
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for s := range file.Services().Len() {
			methods := file.Services().Get(s).Methods()
			for m := range methods.Len() {
				visit(methods.Get(m))
			}
		}
		return true
	})
}

func decode(message protoreflect.Message) permission {
	field := message.Descriptor().Fields().ByName
	p := permission{
		anonymous:     message.Get(field("anonymous")).Bool(),
		authenticated: message.Get(field("authenticated")).Bool(),
	}
	roles := message.Get(field("roles")).List()
	names := field("roles").Enum().Values()
	for i := range roles.Len() {
		p.roles = append(p.roles, string(names.ByNumber(roles.Get(i).Enum()).Name()))
	}
	return p
}

// sentence is what a reader of the page sees under the operation.
func (p permission) sentence() string {
	switch {
	case p.anonymous:
		return "Needs no token."
	case p.authenticated:
		return "For everybody who is logged in."
	default:
		return "For " + strings.Join(p.roles, ", ") + "."
	}
}

// object is a JSON object of which only single members are looked at; the rest passes through as it came.
type object map[string]json.RawMessage

// methods are the members of a path item that are operations; it may have others.
var methods = []string{"get", "put", "post", "delete", "patch"}

// annotate returns the document, indented, with the permission of each operation in it.
func annotate(merged []byte, permissions map[string]permission) ([]byte, error) {
	var document object
	if err := json.Unmarshal(merged, &document); err != nil {
		return nil, err
	}
	var paths map[string]object
	if err := json.Unmarshal(document["paths"], &paths); err != nil {
		return nil, fmt.Errorf("paths: %w", err)
	}
	for path, item := range paths {
		for _, method := range methods {
			if item[method] == nil {
				continue
			}
			operation, err := annotateOperation(item[method], permissions)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			item[method] = operation
		}
	}
	var err error
	if document["paths"], err = marshal(paths); err != nil {
		return nil, err
	}
	whole, err := marshal(document)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, whole, "", "  "); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func annotateOperation(raw json.RawMessage, permissions map[string]permission) (json.RawMessage, error) {
	var operation object
	var known struct {
		OperationID string   `json:"operationId"`
		Description string   `json:"description"`
		XRoles      []string `json:"x-roles"`
	}
	if err := errors.Join(json.Unmarshal(raw, &operation), json.Unmarshal(raw, &known)); err != nil {
		return nil, err
	}
	p, ok := permissions[known.OperationID]
	switch {
	case !ok && known.XRoles != nil:
		return raw, nil // a plain handler of the gateway, written by hand in head.json
	case !ok:
		return nil, fmt.Errorf("operation %q is no RPC of the contract and names no x-roles", known.OperationID)
	}
	additions := map[string]any{
		"description": strings.TrimSpace(known.Description + "\n\n" + p.sentence()),
	}
	if len(p.roles) > 0 {
		additions["x-roles"] = p.roles
	}
	if p.anonymous {
		additions["security"] = []struct{}{}
	}
	for name, value := range additions {
		var err error
		if operation[name], err = marshal(value); err != nil {
			return nil, err
		}
	}
	return marshal(operation)
}

// marshal is json.Marshal without HTML escapes: descriptions say "→" and "<", and the document is read by people too.
func marshal[T any](value T) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
