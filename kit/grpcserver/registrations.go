package grpcserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/libertaphonix/libertaphonix/kit/auth"
)

// registrations records what a service registers, so that it can be judged before a server exists.
type registrations struct {
	services []registration
}

type registration struct {
	desc           *grpc.ServiceDesc
	implementation any // as grpc.ServiceRegistrar has it
}

// RegisterService implements grpc.ServiceRegistrar.
func (r *registrations) RegisterService(desc *grpc.ServiceDesc, implementation any) {
	r.services = append(r.services, registration{desc, implementation})
}

func (r *registrations) registerAt(s *grpc.Server) {
	for _, service := range r.services {
		s.RegisterService(service.desc, service.implementation)
	}
}

// methods lists the full names, "/package.Service/Method".
func (r *registrations) methods() []string {
	var methods []string
	for _, service := range r.services {
		for _, m := range service.desc.Methods {
			methods = append(methods, "/"+service.desc.ServiceName+"/"+m.MethodName)
		}
		for _, m := range service.desc.Streams {
			methods = append(methods, "/"+service.desc.ServiceName+"/"+m.StreamName)
		}
	}
	return methods
}

// inputs lists the request messages of the services whose descriptors are linked in, which all generated ones are.
func (r *registrations) inputs() []protoreflect.MessageDescriptor {
	var inputs []protoreflect.MessageDescriptor
	for _, service := range r.services {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service.desc.ServiceName))
		desc, ok := found.(protoreflect.ServiceDescriptor)
		if err != nil || !ok {
			continue
		}
		for i := range desc.Methods().Len() {
			inputs = append(inputs, desc.Methods().Get(i).Input())
		}
	}
	return inputs
}

// reflected lets the reflection service see what was recorded.
type reflected struct{ *registrations }

// GetServiceInfo implements reflection.GRPCServer; reflection reads the names alone.
func (r reflected) GetServiceInfo() map[string]grpc.ServiceInfo {
	info := map[string]grpc.ServiceInfo{}
	for _, service := range r.services {
		info[service.desc.ServiceName] = grpc.ServiceInfo{Metadata: service.desc.Metadata}
	}
	return info
}

const (
	healthPrefix     = "/grpc.health.v1.Health/"
	reflectionPrefix = "/grpc.reflection."
)

// completeRules holds rules and methods against each other, and says what to do about the first difference in each way.
func completeRules(rules map[string]auth.Rule, methods []string) (map[string]auth.Rule, error) {
	complete := map[string]auth.Rule{}
	for _, m := range methods {
		rule, ok := rules[m]
		if !ok || rule.Empty() {
			return nil, fmt.Errorf("grpcserver: nobody may call %s: give the method a permission option in its .proto, "+
				"generate, and pass its service to access.Rules", m)
		}
		complete[m] = rule
	}
	for _, m := range slices.Sorted(maps.Keys(rules)) {
		if _, ok := complete[m]; !ok {
			return nil, fmt.Errorf("grpcserver: there is a rule for %s, and no such method is registered: "+
				"register its service, or leave it out of access.Rules", m)
		}
	}
	return complete, nil
}

// addPlumbingRules adds the rules of the services that this package registers itself. Health is for everybody, because
// who asks it (Kubernetes) has no token; it tells nothing but up or down.
func addPlumbingRules(rules map[string]auth.Rule, methods []string, forReflection auth.Rule) {
	for _, m := range methods {
		switch {
		case strings.HasPrefix(m, healthPrefix):
			rules[m] = auth.Rule{Anonymous: true}
		case strings.HasPrefix(m, reflectionPrefix):
			rules[m] = forReflection
		}
	}
}
