package rest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
)

func listParameters(t testing.TB) parameters {
	t.Helper()
	p, err := queryParameters((&ordersv1.ListOrdersRequest{}).ProtoReflect().Descriptor(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAQueryIsReadAsTheContractSays(t *testing.T) {
	s := newSuite(t)
	w := s.call(t, http.MethodGet, "/api/v1/orders?pageSize=20&status=PENDING&status=ASSIGNED&late=true&wilaya=16&wilaya=31"+
		"&dueBefore=2026-01-31T09:00:00%2B01:00&q=%D8%A3%D8%AD%D9%85%D8%AF&placedFrom=", "")
	answered(t, w, http.StatusOK)
	want := &ordersv1.ListOrdersRequest{
		PageSize: 20, Late: true, Wilaya: []int32{16, 31}, Q: "أحمد",
		Status:    []ordersv1.OrderStatus_Value{ordersv1.OrderStatus_PENDING, ordersv1.OrderStatus_ASSIGNED},
		DueBefore: timestamppb.New(time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)),
	}
	got, _ := s.orders.last()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("the service saw another request (-want +got):\n%s", diff)
	}
}

func TestWhatAQueryMayNotSayIsRefusedByName(t *testing.T) {
	s := newSuite(t)
	for name, c := range map[string]struct{ query, field, says string }{
		"an unknown name":                 {"colour=red", "colour", "known are: agentId, courierState,"},
		"a slip of the finger":            {"pagesize=2", "pagesize", "did you mean pageSize?"},
		"snake case":                      {"page_size=2", "page_size", "did you mean pageSize?"},
		"the plural of a filter":          {"statuses=PENDING", "statuses", "did you mean status"},
		"a map key":                       {"status[0]=PENDING", "status[0]", "no such parameter"},
		"a path into a scalar":            {"q.x=1", "q.x", "no such parameter"},
		"a path into a timestamp":         {"dueBefore.seconds=1", "dueBefore.seconds", "no such parameter"},
		"an empty name":                   {"=1", "", "no such parameter"},
		"one value given twice":           {"pageSize=1&pageSize=2", "pageSize", "once"},
		"a word for a number":             {"pageSize=many", "pageSize", "whole number"},
		"a number out of range":           {"pageSize=99999999999", "pageSize", "whole number"},
		"an empty number":                 {"pageSize=", "pageSize", "whole number"},
		"one for true":                    {"late=1", "late", "true or false"},
		"a number for a name":             {"status=1", "status", "must be one of PENDING, ASSIGNED,"},
		"an unknown name of a list":       {"status=PENDING&status=LOST", "status", "must be one of"},
		"a lower-case name":               {"status=pending", "status", "must be one of"},
		"a day for a time":                {"dueBefore=2026-01-31", "dueBefore", "must be a time like"},
		"a time whose plus was not coded": {"dueBefore=2026-01-31T08:00:00+01:00", "dueBefore", "%2B"},
		"text that is not UTF-8":          {"q=%ff", "q", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.orders.calls
			body := refused(t, s.call(t, http.MethodGet, "/api/v1/orders?"+c.query, ""), http.StatusBadRequest, "INVALID_REQUEST")
			if got := body.fields(); len(got) != 1 || got[0] != c.field {
				t.Errorf("names %q, want %q", got, c.field)
			}
			if !strings.Contains(body.Message, c.says) {
				t.Errorf("says %q, want it to contain %q", body.Message, c.says)
			}
			if s.orders.calls != before {
				t.Error("the service was asked all the same")
			}
		})
	}
}

func TestEveryWrongParameterIsNamedAtOnce(t *testing.T) {
	s := newSuite(t)
	body := refused(t, s.call(t, http.MethodGet, "/api/v1/orders?late=maybe&colour=red&pageSize=x", ""), http.StatusBadRequest, "INVALID_REQUEST")
	if diff := cmp.Diff([]string{"colour", "late", "pageSize"}, body.fields()); diff != "" {
		t.Error(diff)
	}
}

func TestAQueryThatCannotBeTakenApartIsRefused(t *testing.T) {
	s := newSuite(t)
	for _, query := range []string{"a;b=1", "q=%zz"} {
		refused(t, s.call(t, http.MethodGet, "/api/v1/orders?"+query, ""), http.StatusBadRequest, "INVALID_REQUEST")
	}
}

// The generated code of these routes never looks at the query at all.
func TestRoutesWithoutParametersRefuseThemToo(t *testing.T) {
	s := newSuite(t)
	for _, c := range []struct{ method, target, body string }{
		{http.MethodGet, "/api/v1/orders/12?fields=id", ""},
		{http.MethodGet, "/api/v1/orders/12?orderId=13", ""},
		{http.MethodGet, "/api/v1/wilayas?active=true", ""},
		{http.MethodPost, "/api/v1/orders/12:changeStatus?status=CANCELLED", `{"status":"CONFIRMED"}`},
		{http.MethodGet, "/api/v1/admin/system?verbose=true", ""},
	} {
		body := refused(t, s.call(t, c.method, c.target, c.body), http.StatusBadRequest, "INVALID_REQUEST")
		if !strings.Contains(body.Message, "takes none") {
			t.Errorf("%s says %q", c.target, body.Message)
		}
	}
}

func TestAVariableOfThePathIsNoParameter(t *testing.T) {
	s := newSuite(t)
	refused(t, s.call(t, http.MethodGet, "/api/v1/orders/12/notes?orderId=13", ""), http.StatusBadRequest, "INVALID_REQUEST")
}

// FuzzQuery holds the two readers of a query together: what is accepted here must be accepted by the router's parser,
// which fills the request, and must not be passed over by it.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"pageSize=20&status=PENDING&status=ASSIGNED&late=true", "dueBefore=2026-01-31T08:00:00Z&wilaya=16", "q=%D8%A3", "page_size=1",
		"status[0]=PENDING", "dueBefore=0001-01-01T00:00:00Z", "dueBefore=9999-12-31T23:59:59.999999999Z", "late=", "q=&q=", "unassigned=false&tag=&tag=a,b",
		"pageSize=+1", "pageSize=-0", "wilaya=0x10", "pageToken=%00", "orderBy=placedAt+desc", "=", "&&", "q.q=1",
	} {
		f.Add(seed)
	}
	known := listParameters(f)
	none := utilities.NewDoubleArray(nil)
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		if faults := known.check(query); len(faults) > 0 {
			for _, fault := range faults {
				if fault.Description == "" || len(fault.Path) > 80 {
					t.Errorf("a fault that helps nobody: %+v", fault)
				}
			}
			return
		}
		request := &ordersv1.ListOrdersRequest{}
		if err := (&runtime.DefaultQueryParser{}).Parse(request, query, none); err != nil {
			t.Fatalf("%q is accepted here and refused by the router: %v", raw, err)
		}
		for name, values := range query {
			field := request.ProtoReflect().Descriptor().Fields().ByJSONName(name)
			if field.IsList() && request.ProtoReflect().Get(field).List().Len() != len(values) {
				t.Errorf("%q: the router took %d of %d values of %s", raw, request.ProtoReflect().Get(field).List().Len(), len(values), name)
			}
		}
	})
}
