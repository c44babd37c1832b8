package rest

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// route is one method and path, as an HTTP annotation of the contract or a page of the gateway declares it.
type route struct {
	method  string
	pattern string     // as the contract writes it: /api/v1/orders/{order_id}
	query   parameters // nil: a page, whose query is nobody's business
	body    payload
}

// contractRoutes reads the routes of a service from its HTTP annotations.
func contractRoutes(contract protoreflect.FileDescriptor) ([]route, error) {
	var routes []route
	for s := range contract.Services().Len() {
		methods := contract.Services().Get(s).Methods()
		for m := range methods.Len() {
			method := methods.Get(m)
			rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
			if rule == nil {
				continue
			}
			for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
				r, err := bindingRoute(binding, method.Input())
				if err != nil {
					return nil, fmt.Errorf("%s: %w", method.FullName(), err)
				}
				routes = append(routes, r)
			}
		}
	}
	return routes, nil
}

func bindingRoute(rule *annotations.HttpRule, request protoreflect.MessageDescriptor) (route, error) {
	var r route
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		r.method, r.pattern = http.MethodGet, p.Get
	case *annotations.HttpRule_Put:
		r.method, r.pattern = http.MethodPut, p.Put
	case *annotations.HttpRule_Post:
		r.method, r.pattern = http.MethodPost, p.Post
	case *annotations.HttpRule_Delete:
		r.method, r.pattern = http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		r.method, r.pattern = http.MethodPatch, p.Patch
	default:
		return route{}, fmt.Errorf("a custom HTTP method has no place in this API")
	}
	if rule.GetBody() == "*" {
		r.query = parameters{} // everything is in the body
		r.body = payload{request, variables(r.pattern)}
		return r, nil
	}
	bound := slices.Collect(maps.Keys(variables(r.pattern)))
	if rule.GetBody() != "" {
		bound = append(bound, rule.GetBody())
		if field := request.Fields().ByName(protoreflect.Name(rule.GetBody())); field != nil {
			r.body.message = field.Message()
		}
	}
	var err error
	r.query, err = queryParameters(request, bound)
	return r, err
}

// variable finds the variables of a pattern; the contract uses none with a sub-pattern ({name=orders/*}).
var variable = regexp.MustCompile(`\{([a-z0-9_.]+)\}`)

// variables are the request fields that a pattern binds.
func variables(pattern string) map[string]bool {
	names := map[string]bool{}
	for _, match := range variable.FindAllStringSubmatch(pattern, -1) {
		names[match[1]] = true
	}
	return names
}

// table finds a route again: by what the router matched, and by path alone for who asked with a wrong method.
type table struct {
	byPattern map[string]route // key: method, space, the router's spelling of the pattern
	router    *runtime.ServeMux
	methods   []string
}

func newTable(routes []route) (*table, error) {
	t := &table{
		byPattern: map[string]route{},
		// Nothing is ever answered by this router: it only knows patterns.
		router: runtime.NewServeMux(runtime.WithDisablePathLengthFallback(), runtime.WithRoutingErrorHandler(noAnswer)),
	}
	for _, r := range routes {
		key := r.method + " " + routerSpelling(r.pattern)
		if _, twice := t.byPattern[key]; twice {
			return nil, fmt.Errorf("the path %s %s is declared twice", r.method, r.pattern)
		}
		t.byPattern[key] = r
		if !slices.Contains(t.methods, r.method) {
			t.methods = append(t.methods, r.method)
		}
		if err := t.router.HandlePath(r.method, r.pattern, matched); err != nil {
			return nil, fmt.Errorf("the path %s %s: %w", r.method, r.pattern, err)
		}
	}
	slices.Sort(t.methods)
	return t, nil
}

// routerSpelling is how runtime.Pattern prints a pattern: every variable with its sub-pattern.
func routerSpelling(pattern string) string { return variable.ReplaceAllString(pattern, "{$1=*}") }

// find answers the route that the router matched.
func (t *table) find(method string, matched runtime.Pattern) (route, bool) {
	r, ok := t.byPattern[method+" "+matched.String()]
	return r, ok
}

// allowed answers the methods that the path of a request takes, sorted; none for an unknown path. HEAD comes with GET.
func (t *table) allowed(r *http.Request) []string {
	var methods []string
	for _, method := range t.methods {
		probe := r.Clone(r.Context())
		probe.Method = method
		var hit match
		t.router.ServeHTTP(&hit, probe)
		if hit {
			methods = append(methods, method)
			if method == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
		}
	}
	return methods
}

// allow is the value of the header of that name.
func (t *table) allow(r *http.Request) string { return strings.Join(t.allowed(r), ", ") }

// match is a ResponseWriter that only notes that a pattern matched.
type match bool

func matched(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	w.WriteHeader(http.StatusNoContent)
}

func (*match) Header() http.Header         { return http.Header{} }
func (*match) Write(b []byte) (int, error) { return len(b), nil }
func (m *match) WriteHeader(int)           { *m = true }
