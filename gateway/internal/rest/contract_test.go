package rest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
)

func TestAnItemIsAnsweredBareWithZeroValuesAndEnumsByName(t *testing.T) {
	s := newSuite(t)
	s.orders.order.Status = ordersv1.OrderStatus_PENDING
	s.orders.order.UpstreamId = "9007199254740993"
	w := s.call(t, http.MethodGet, "/api/v1/orders/12", "")
	answered(t, w, http.StatusOK)
	var order map[string]any
	must(t, json.Unmarshal(w.Body.Bytes(), &order))
	for name, want := range map[string]any{
		"id": "12", "status": "PENDING", "upstreamId": "9007199254740993", "callCount": 0.0, "late": false, "agentId": "",
	} {
		if got, present := order[name]; !present || got != want {
			t.Errorf("%s is %v (present: %v), want %v", name, got, present, want)
		}
	}
	if items, ok := order["items"].([]any); !ok || len(items) != 0 {
		t.Errorf("an empty list is %v, want []", order["items"])
	}
}

func TestABodyIsReadStrictly(t *testing.T) {
	s := newSuite(t)
	const path = "/api/v1/orders/12:changeStatus"
	for name, c := range map[string]struct{ body, says string }{
		"an unknown field":      {`{"status":"CONFIRMED","colour":"red"}`, `body: unknown field "colour" (line 1:23)`},
		"a field given twice":   {`{"status":"CONFIRMED","status":"CANCELLED"}`, `duplicate field "status"`},
		"an unknown enum":       {`{"status":"LOST"}`, "LOST"},
		"a second document":     {`{"status":"CONFIRMED"}{"reason":"x"}`, "unexpected token"},
		"no JSON":               {`status=CONFIRMED`, "body:"},
		"half a document":       {`{"status":`, "body:"},
		"a list":                {`[]`, "body:"},
		"a number for a string": {`{"reason":5}`, "reason"},
		"text that is no UTF-8": {"{\"reason\":\"\xff\"}", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.orders.calls
			body := refused(t, s.call(t, http.MethodPost, path, c.body), http.StatusBadRequest, "INVALID_REQUEST")
			if !strings.Contains(body.Message, c.says) || strings.Contains(body.Message, "proto:") {
				t.Errorf("says %q, want it to contain %q", body.Message, c.says)
			}
			if s.orders.calls != before {
				t.Error("the service was asked all the same")
			}
		})
	}
}

func TestAnEmptyBodyIsARequestWithoutFields(t *testing.T) {
	s := newSuite(t)
	answered(t, s.call(t, http.MethodPost, "/api/v1/orders/12:changeStatus", ""), http.StatusOK)
	answered(t, s.call(t, http.MethodPost, "/api/v1/orders/12:changeStatus", " \n"), http.StatusOK)
	got, _ := s.orders.last()
	if id := got.(*ordersv1.ChangeStatusRequest).GetOrderId(); id != "12" {
		t.Errorf("the order is %q, want the one of the path", id)
	}
}

func TestABodyIsSpelledAsTheContractSpellsIt(t *testing.T) {
	s := newSuite(t)
	const order, place = "/api/v1/orders/12:changeStatus", "/api/v1/orders"
	for name, c := range map[string]struct{ path, body, field string }{
		"a field of the path":        {order, `{"orderId":"12","status":"CONFIRMED"}`, "orderId"},
		"the same in another case":   {order, `{"order_id":"12"}`, "order_id"},
		"a name of the .proto":       {place, `{"store_id":"x"}`, "store_id"},
		"an enum by its number":      {order, `{"status":4}`, "status"},
		"deeper, in a list":          {place, `{"items":[{},{"unit_price":{}}]}`, "items[1].unit_price"},
		"deeper, in the price of it": {place, `{"items":[{"unitPrice":{"currency_code":"DZD"}}]}`, "items[0].unitPrice.currency_code"},
	} {
		t.Run(name, func(t *testing.T) {
			body := refused(t, s.call(t, http.MethodPost, c.path, c.body), http.StatusBadRequest, "INVALID_REQUEST")
			if !slices.Equal(body.fields(), []string{c.field}) {
				t.Errorf("names %q, want %q: %s", body.fields(), c.field, body.Message)
			}
		})
	}
	if s.orders.calls != 0 {
		t.Error("the service was asked all the same")
	}
}

func TestABodyOfAnotherTypeIsUnsupported(t *testing.T) {
	s := newSuite(t)
	for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "application/xml", "application/json; charset=latin1", "nonsense/"} {
		refused(t, s.call(t, http.MethodPost, "/api/v1/orders/12:changeStatus", `{}`, "Content-Type", kind), http.StatusUnsupportedMediaType, "INVALID_REQUEST")
	}
	refused(t, s.call(t, http.MethodPost, "/api/v1/orders/12:changeStatus", `{}`, "Content-Encoding", "gzip"), http.StatusUnsupportedMediaType, "INVALID_REQUEST")
	answered(t, s.call(t, http.MethodPost, "/api/v1/orders/12:changeStatus", `{}`, "Content-Type", "application/json; charset=UTF-8"), http.StatusOK)
}

func TestAnUnknownPathIsNotFoundAsJSON(t *testing.T) {
	s := newSuite(t)
	for _, path := range []string{
		"/api/v1/nothing", "/api/v1/orders/", "/api/v1/orders/12/", "/api/v1/orders/a%2Fb", "/api/v2/orders", "//api/v1/orders",
		"/api/v1/../../healthz", "/docs/", "/pages/secret.txt", "/pages/..%2fpages.go", "/metrics", "/debug/pprof/", "/favicon.ico", "/api/admin/nothing", "/%ff",
	} {
		refused(t, s.call(t, http.MethodGet, path, ""), http.StatusNotFound, "NO_SUCH_METHOD")
	}
}

func TestAWrongMethodIsToldTheRightOnes(t *testing.T) {
	s := newSuite(t)
	for _, c := range []struct{ method, path, allow string }{
		{http.MethodDelete, "/api/v1/orders/12", "GET, HEAD, PATCH"},
		{http.MethodGet, "/api/v1/auth/login", "POST"},
		{http.MethodPut, "/api/v1/stores/x", "DELETE, GET, HEAD, PATCH"},
		{http.MethodPost, "/api/admin/system", "GET, HEAD"},
		{http.MethodPost, "/", "GET, HEAD"},
		{"BREW", "/api/v1/orders", "GET, HEAD, POST"},
	} {
		w := s.call(t, c.method, c.path, "")
		refused(t, w, http.StatusMethodNotAllowed, "NO_SUCH_METHOD")
		if got := w.Header().Get("Allow"); got != c.allow {
			t.Errorf("%s %s allows %q, want %q", c.method, c.path, got, c.allow)
		}
	}
}

func TestTheMethodCannotBeOverridden(t *testing.T) {
	s := newSuite(t)
	w := s.call(t, http.MethodPost, "/api/v1/orders/12", "", "X-HTTP-Method-Override", "GET", "Content-Type", "application/x-www-form-urlencoded")
	refused(t, w, http.StatusMethodNotAllowed, "NO_SUCH_METHOD")
}

func TestHeadIsAnsweredLikeGet(t *testing.T) {
	s := newSuite(t)
	server := httptest.NewServer(s.door)
	defer server.Close()
	answer, err := http.Head(server.URL + "/api/v1/orders/12")
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK || answer.ContentLength <= 0 {
		t.Errorf("got %d with length %d", answer.StatusCode, answer.ContentLength)
	}
}

func TestAPathThatIsNoUTF8IsRefusedBeforeTheService(t *testing.T) {
	s := newSuite(t)
	refused(t, s.call(t, http.MethodGet, "/api/v1/orders/%ff", ""), http.StatusBadRequest, "INVALID_REQUEST")
}

func TestWhatAServiceAnswersKeepsItsReasonAndGetsTheRightStatus(t *testing.T) {
	s := newSuite(t)
	for code, status := range map[codes.Code]int{
		codes.InvalidArgument: 400, codes.FailedPrecondition: 400, codes.Unauthenticated: 401, codes.PermissionDenied: 403,
		codes.NotFound: 404, codes.AlreadyExists: 409, codes.Aborted: 409, codes.ResourceExhausted: 429, codes.Internal: 500,
		codes.Unimplemented: 501, codes.Unavailable: 503, codes.DeadlineExceeded: 504, codes.Canceled: 499,
	} {
		s.orders.fail = rpcerr.New(code, ordersv1.ErrorReason_ETAG_STALE, "orders.libertaphonix", "told by the service").With("have", "7")
		body := refused(t, s.call(t, http.MethodGet, "/api/v1/orders/12", ""), status, "ETAG_STALE")
		if body.Code != int(code) || body.Message != "told by the service" || body.Details[0].Domain != "orders.libertaphonix" {
			t.Errorf("%v became %+v", code, body)
		}
	}
}

func TestADelayBecomesRetryAfterInWholeSeconds(t *testing.T) {
	s := newSuite(t)
	for delay, want := range map[time.Duration]string{1500 * time.Millisecond: "2", time.Millisecond: "1", time.Hour: "3600"} {
		s.orders.fail = rpcerr.New(codes.ResourceExhausted, ordersv1.ErrorReason_QUERY_TOO_BROAD, "orders.libertaphonix", "later").RetryAfter(delay)
		w := s.call(t, http.MethodGet, "/api/v1/orders/12", "")
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v becomes %q, want %q", delay, got, want)
		}
	}
}

func TestAServiceThatIsDownIs503AndNamesNoAddress(t *testing.T) {
	s := newSuite(t)
	s.servers["orders"].Stop()
	w := s.call(t, http.MethodGet, "/api/v1/orders/12", "")
	body := refused(t, w, http.StatusServiceUnavailable, "DEPENDENCY_UNAVAILABLE")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if strings.Contains(body.Message, "dial") || strings.Contains(body.Message, "desc =") {
		t.Errorf("says %q", body.Message)
	}
	if !strings.Contains(s.log.String(), "Unavailable") {
		t.Error("the cause is not in the log")
	}
	answered(t, s.call(t, http.MethodPost, "/api/v1/auth/login", `{"email":"a@b","password":"right"}`), http.StatusOK)
}

func TestAnErrorThatNobodyWordedNeverReachesTheCaller(t *testing.T) {
	s := newSuite(t)
	s.orders.fail = errOfTheDriver{}
	body := refused(t, s.call(t, http.MethodGet, "/api/v1/orders/12", ""), http.StatusInternalServerError, "INTERNAL")
	if strings.Contains(body.Message, "secret") {
		t.Errorf("says %q", body.Message)
	}
	if !strings.Contains(s.log.String(), "secret table") {
		t.Error("the cause is not in the log")
	}
}

type errOfTheDriver struct{}

func (errOfTheDriver) Error() string { return "secret table is missing" }

func TestAMissingTokenIsAskedForAsHTTPSays(t *testing.T) {
	s := newSuite(t)
	w := s.call(t, http.MethodGet, "/api/v1/admin/system", "")
	refused(t, w, http.StatusUnauthorized, "TOKEN_MISSING")
	if got := w.Header().Get("WWW-Authenticate"); got != "Bearer" {
		t.Errorf("WWW-Authenticate is %q", got)
	}
}
