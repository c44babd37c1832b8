package ecomanagersim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// receiver is the other end of a webhook.
type receiver struct {
	web *httptest.Server

	mu     sync.Mutex
	status int
	got    []*http.Request
	bodies []string
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	rc := &receiver{status: http.StatusOK}
	rc.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rc.mu.Lock()
		defer rc.mu.Unlock()
		rc.got, rc.bodies = append(rc.got, r), append(rc.bodies, string(body))
		w.WriteHeader(rc.status)
	}))
	t.Cleanup(rc.web.Close)
	return rc
}

func (rc *receiver) answerWith(status int) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.status = status
}

func (rc *receiver) taken() ([]*http.Request, []string) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	got, bodies := rc.got, rc.bodies
	rc.got, rc.bodies = nil, nil
	return got, bodies
}

func demand(t testing.TB, s *Server, method, path, body string) *http.Response {
	t.Helper()
	token, err := s.Token("east", "a")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, "http://sim.test/east"+apiRoot+path, strings.NewReader(body))
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/json"}, "Content-Type": {"application/json"}}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func hookBody(event, address string) string {
	return `{"name":"demo","event":"` + event + `","http_method":"post","delivery_url":"` + address + `","secret":"FAKE",` +
		`"headers":[{"key":"X-Demo","value":"1"}],"payload":[{"key":"store","value":"STA"}],"is_active":true}`
}

func TestAWebhookIsRegisteredListedChangedAndDeleted(t *testing.T) {
	s, rc := newServer(t, twoTenants(3)), newReceiver(t)
	for _, event := range events() {
		got := read[wireHook](t, demand(t, s, "POST", "/webhooks", hookBody(event, rc.web.URL)), http.StatusCreated)
		want := wireHook{
			ID: got.ID, Name: "demo", Event: event, HTTPMethod: "post", DeliveryURL: rc.web.URL, Secret: "FAKE", IsActive: 1,
			Headers: []map[string]string{{"X-Demo": "1"}}, Payload: []map[string]string{{"store": "STA"}},
			CreatedAt: "2026-03-10 12:00:00", UpdatedAt: "2026-03-10 12:00:00",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if greetings, _ := rc.taken(); len(greetings) != 5 || greetings[0].Method != http.MethodGet {
		t.Errorf("%d activation requests", len(greetings))
	}
	type hookPage struct {
		Data []wireHook
		Meta struct {
			NextCursor *string `json:"next_cursor"`
		}
	}
	first := read[hookPage](t, demand(t, s, "GET", "/webhooks?per_page=3", ""), 200)
	second := read[hookPage](t, demand(t, s, "GET", "/webhooks?per_page=3&cursor="+*first.Meta.NextCursor, ""), 200)
	if len(first.Data) != 3 || len(second.Data) != 2 || second.Meta.NextCursor != nil {
		t.Errorf("%d and %d hooks", len(first.Data), len(second.Data))
	}
	if some := read[hookPage](t, demand(t, s, "GET", "/webhooks?ids=2,4,99", ""), 200); len(some.Data) != 2 || some.Data[1].ID != 4 {
		t.Errorf("ids=2,4,99 answers %+v", some.Data)
	}
	if got := read[wireHook](t, demand(t, s, "PUT", "/webhooks/2/status", `{"status":false}`), 200); got.IsActive != 0 {
		t.Error("a hook that was switched off is active")
	}
	rc.answerWith(http.StatusTeapot)
	if got := read[wireHook](t, demand(t, s, "PUT", "/webhooks/2/status", `{"status":true}`), 200); got.IsActive != 0 {
		t.Error("a hook whose address refuses the GET is active")
	}
	changed := strings.Replace(hookBody(OrderCreated, rc.web.URL), `"demo"`, `"other"`, 1)
	if got := read[wireHook](t, demand(t, s, "PUT", "/webhooks/3", changed), 200); got.Name != "other" || got.ID != 3 {
		t.Errorf("changed to %+v", got)
	}
	gone := read[map[string]string](t, demand(t, s, "DELETE", "/webhooks/3", ""), http.StatusCreated)
	if gone["success"] == "" {
		t.Errorf("deleting answers %v", gone)
	}
	read[map[string]string](t, demand(t, s, "GET", "/webhooks/3", ""), http.StatusNotFound)
	read[map[string]string](t, demand(t, s, "PATCH", "/webhooks/2", ""), http.StatusMethodNotAllowed)
	if resp := ask(t, s, "east", "b", "/webhooks/2"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the hook of another shop: %d", resp.StatusCode)
	}
}

func TestARegistrationThatCannotBeIsAValidationError(t *testing.T) {
	cfg := twoTenants(1)
	cfg.DeliveryHosts = []string{"hooks.example.test"}
	s := newServer(t, cfg)
	good := hookBody(OrderCreated, "https://127.0.0.1:9/")
	for field, body := range map[string]string{
		"event":        strings.Replace(good, OrderCreated, "OrderEaten", 1),
		"name":         strings.Replace(good, `"demo"`, `""`, 1),
		"secret":       strings.Replace(good, `"FAKE"`, `""`, 1),
		"http_method":  strings.Replace(good, `"post"`, `"put"`, 1),
		"headers":      strings.Replace(good, `[{"key":"X-Demo","value":"1"}]`, "["+strings.Repeat(`{"key":"a","value":"b"},`, 5)+`{}]`, 1),
		"payload":      strings.Replace(good, `[{"key":"store","value":"STA"}]`, "["+strings.Repeat(`{"key":"a","value":"b"},`, 10)+`{}]`, 1),
		"delivery_url": hookBody(OrderCreated, "https://10.1.2.3/"),
		"body":         "[",
	} {
		got := read[struct{ Errors map[string][]string }](t, demand(t, s, "POST", "/webhooks", body), http.StatusUnprocessableEntity)
		if len(got.Errors) != 1 || len(got.Errors[field]) != 1 {
			t.Errorf("%s: %v", field, got.Errors)
		}
	}
	for address, allowed := range map[string]bool{
		"https://hooks.example.test/x": true, "http://hooks.example.test/x": false, "https://hooks.example.test:8443/": false,
		"http://localhost:1/": true, "http://[::1]:1/": true, "ftp://localhost/": false, "https://169.254.169.254/": false, "nonsense": false,
	} {
		if got := s.judgeDeliveryURL(address) == ""; got != allowed {
			t.Errorf("%s: allowed %v", address, got)
		}
	}
}

func TestEveryEventReachesItsHookSigned(t *testing.T) {
	s, rc := newServer(t, twoTenants(3)), newReceiver(t)
	for _, event := range events() {
		read[wireHook](t, demand(t, s, "POST", "/webhooks", hookBody(event, rc.web.URL+"/"+event)), http.StatusCreated)
	}
	rc.taken()
	added, err := s.AddOrders("east", "a", 1, Change{})
	if err != nil {
		t.Fatal(err)
	}
	id := added[0].ID
	for _, change := range []Change{{Confirmation: ptr("Confirmé")}, {Stage: ptr(Dispatch)}, {Name: ptr("A & <B>")}, {Stage: ptr(Delivering)}} {
		if _, err := s.ChangeOrder("east", id, change); err != nil {
			t.Fatal(err)
		}
	}
	reading, err := io.ReadAll(ask(t, s, "east", "a", "/orders/"+decimal(id)).Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteOrder("east", id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddOrders("east", "b", 1, Change{}); err != nil { // a shop without hooks
		t.Fatal(err)
	}
	if n := s.Deliver(t.Context()); n != 6 {
		t.Errorf("%d deliveries", n)
	}
	got, bodies := rc.taken()
	var seen []string
	for i, r := range got {
		seen = append(seen, r.Header.Get("X-Ecomanager-Event"))
		mac := hmac.New(sha256.New, []byte("FAKE"))
		mac.Write([]byte(bodies[i]))
		if r.Header.Get("X-Ecomanager-Signature") != hex.EncodeToString(mac.Sum(nil)) || r.Header.Get("X-Demo") != "1" ||
			r.Header.Get("X-Ecomanager-Source") != "http://sim.test/east" || r.Header.Get("X-Ecomanager-Webhook-ID") == "" ||
			r.URL.Path != "/"+r.Header.Get("X-Ecomanager-Event") || r.Method != http.MethodPost {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		if !json.Valid([]byte(bodies[i])) {
			t.Errorf("body %s", bodies[i])
		}
	}
	slices.Sort(seen)
	want := []string{ConfirmationChange, OrderCreated, OrderDeleted, ShippingChange, StatusChanged, StatusChanged}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	// The body of a delivery is that of a single reading, byte for byte, and the hook's own fields.
	i := slices.IndexFunc(got, func(r *http.Request) bool { return r.Header.Get("X-Ecomanager-Event") == OrderDeleted })
	if diff := cmp.Diff(strings.TrimSuffix(string(reading), "}\n")+`,"store":"STA"}`, bodies[i]); diff != "" {
		t.Error(diff)
	}
}

func TestAReceiverThatFailsIsTriedSevenTimesInADayAndThenNoMore(t *testing.T) {
	s, clock := clockedServer(t, 3)
	rc := newReceiver(t)
	read[wireHook](t, demand(t, s, "POST", "/webhooks", hookBody(OrderCreated, rc.web.URL)), http.StatusCreated)
	if err := s.SetHookSpeed(60); err != nil {
		t.Fatal(err)
	}
	rc.answerWith(http.StatusInternalServerError)
	if _, err := s.AddOrders("east", "a", 1, Change{}); err != nil {
		t.Fatal(err)
	}
	start := clock.Now()
	var at []string
	for s.PendingDeliveries() > 0 && clock.Now().Sub(start) < time.Hour {
		if s.Deliver(t.Context()) > 0 {
			at = append(at, clock.Now().Sub(start).String())
		}
		clock.pass(time.Second)
	}
	// Sixty times compressed: after 1, 5, 21, 85, 341 and 1365 minutes.
	if diff := cmp.Diff([]string{"0s", "1s", "5s", "21s", "1m25s", "5m41s", "22m45s"}, at); diff != "" {
		t.Error(diff)
	}
	hooks, err := s.Hooks("east", "a")
	if err != nil || len(hooks) != 1 || hooks[0].Active || hooks[0].Failed != 7 {
		t.Errorf("%+v, %v", hooks, err)
	}
	if _, err := s.AddOrders("east", "a", 1, Change{}); err != nil || s.PendingDeliveries() != 0 {
		t.Errorf("a disabled hook is still delivered to: %v", err)
	}
}

func TestARetryThatSucceedsKeepsTheHook(t *testing.T) {
	s, clock := clockedServer(t, 3)
	rc := newReceiver(t)
	read[wireHook](t, demand(t, s, "POST", "/webhooks", hookBody(OrderCreated, rc.web.URL)), http.StatusCreated)
	rc.answerWith(http.StatusFound) // redirects are not followed
	if _, err := s.AddOrders("east", "a", 1, Change{}); err != nil {
		t.Fatal(err)
	}
	s.Deliver(t.Context())
	rc.answerWith(http.StatusOK)
	clock.pass(time.Minute)
	if n := s.Deliver(t.Context()); n != 1 || s.PendingDeliveries() != 0 {
		t.Errorf("%d attempts; %d wait", n, s.PendingDeliveries())
	}
	if hooks, _ := s.Hooks("east", "a"); !hooks[0].Active || hooks[0].Delivered != 1 || hooks[0].Failed != 1 {
		t.Errorf("%+v", hooks)
	}
}

func TestALivingWorldDeliversByItselfAndHooksOutliveTheProcess(t *testing.T) {
	cfg := twoTenants(50)
	cfg.Clock = time.Now
	cfg.StatePath = filepath.Join(t.TempDir(), "world.jsonl")
	s, rc := newServer(t, cfg), newReceiver(t)
	read[wireHook](t, demand(t, s, "POST", "/webhooks", hookBody(StatusChanged, rc.web.URL)), http.StatusCreated)
	read[wireHook](t, demand(t, s, "POST", "/webhooks", hookBody(OrderDeleted, rc.web.URL)), http.StatusCreated)
	demand(t, s, "DELETE", "/webhooks/2", "")

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	if s.Advance(72*time.Hour) == 0 {
		t.Fatal("three days passed without a change")
	}
	for deadline := time.After(20 * time.Second); s.PendingDeliveries() > 0; {
		select {
		case <-deadline:
			t.Fatalf("%d deliveries still wait", s.PendingDeliveries())
		case <-time.After(10 * time.Millisecond):
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if hooks, _ := s.Hooks("east", "a"); hooks[0].Delivered == 0 {
		t.Error("nothing was delivered")
	}
	again := newServer(t, cfg)
	hooks, err := again.Hooks("east", "a")
	if err != nil || len(hooks) != 1 || hooks[0].Event != StatusChanged || !hooks[0].Active {
		t.Errorf("after a restart: %+v, %v", hooks, err)
	}
	if got := read[wireHook](t, demand(t, again, "POST", "/webhooks", hookBody(OrderDeleted, rc.web.URL)), http.StatusCreated); got.ID == 1 {
		t.Error("an id was given twice")
	}
}

func TestTheCatalogueIsPagedAsOrdersAre(t *testing.T) {
	s := newServer(t, twoTenants(1))
	type productPage struct {
		Data []struct {
			ID    int64  `json:"id"`
			Title string `json:"title"`
		} `json:"data"`
		Meta struct {
			NextCursor *string `json:"next_cursor"`
		} `json:"meta"`
	}
	all := read[productPage](t, ask(t, s, "east", "a", "/products?per_page=100"), 200)
	if len(all.Data) < 2 || all.Data[0].Title == "" || all.Meta.NextCursor != nil {
		t.Fatalf("%+v", all)
	}
	first := read[productPage](t, ask(t, s, "east", "a", "/products?per_page=1"), 200)
	second := read[productPage](t, ask(t, s, "east", "a", "/products?per_page=1&cursor="+*first.Meta.NextCursor), 200)
	if first.Data[0] != all.Data[0] || second.Data[0] != all.Data[1] {
		t.Errorf("page by page: %+v, %+v", first.Data, second.Data)
	}
	if resp := demand(t, s, "POST", "/products", "{}"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST answers %d", resp.StatusCode)
	}
}
