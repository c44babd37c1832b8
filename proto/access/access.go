// Package access reads who may call what out of the contract.
//
// It owns the way from the permission option of an RPC (access.v1.permission) to the rule that kit/grpcserver enforces.
// It never enforces anything, and knows no method by name: what is not written on the RPC is denied.
//
// Start at [Rules].
package access

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
)

// Rules answers the rule of every method of the services by its full name, "/package.Service/Method". All faults of the
// contract are reported at once, each naming its method: none without an option, none that lets nobody in.
func Rules(services ...protoreflect.ServiceDescriptor) (map[string]auth.Rule, error) {
	rules := map[string]auth.Rule{}
	var faults []error
	for _, service := range services {
		methods := service.Methods()
		for i := range methods.Len() {
			m := methods.Get(i)
			name := fmt.Sprintf("/%s/%s", service.FullName(), m.Name())
			rule, err := read(m)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
				continue
			}
			rules[name] = rule
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("permissions of the contract: %w", errors.Join(faults...))
	}
	return rules, nil
}

func read(m protoreflect.MethodDescriptor) (auth.Rule, error) {
	if !proto.HasExtension(m.Options(), accessv1.E_Permission) {
		return auth.Rule{}, errors.New("has no option (libertaphonix.access.v1.permission)")
	}
	permission := proto.GetExtension(m.Options(), accessv1.E_Permission).(*accessv1.Permission)
	rule := auth.Rule{Anonymous: permission.GetAnonymous(), Authenticated: permission.GetAuthenticated()}
	for _, role := range permission.GetRoles() {
		if role == accessv1.Role_VALUE_UNSPECIFIED || !known(role) {
			return auth.Rule{}, fmt.Errorf("names a role that does not exist: %s", role)
		}
		rule.Roles = append(rule.Roles, role.String())
	}
	for _, peer := range permission.GetPeers() {
		if peer == accessv1.Peer_VALUE_UNSPECIFIED || !known(peer) {
			return auth.Rule{}, fmt.Errorf("names a service that does not exist: %s", peer)
		}
		rule.Services = append(rule.Services, ServiceName(peer))
	}
	switch {
	case rule.Empty():
		return auth.Rule{}, errors.New("lets nobody in")
	case rule.Anonymous && (rule.Authenticated || len(rule.Roles)+len(rule.Services) > 0):
		return auth.Rule{}, errors.New("is for everybody and for some: one of the two is a mistake")
	case rule.Authenticated && len(rule.Roles) > 0:
		return auth.Rule{}, errors.New("is for every user and for some roles: one of the two is a mistake")
	}
	return rule, nil
}

// ServiceName is how a peer of the contract calls itself in tokens: ORDERS is "orders".
func ServiceName(peer accessv1.Peer_Value) string { return strings.ToLower(peer.String()) }

func known(value protoreflect.Enum) bool {
	return value.Descriptor().Values().ByNumber(value.Number()) != nil
}
