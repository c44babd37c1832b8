package ecomanagersim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func trouble(t testing.TB, s *Server, f Fault) Fault {
	t.Helper()
	f, err := s.AddFault(f)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// get asks over a real connection, since half of the faults are the connection's.
func get(t testing.TB, s *Server, web *httptest.Server, pathAndQuery string, timeout time.Duration) (*http.Response, string, error) {
	t.Helper()
	token, err := s.Token("east", "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/east"+apiRoot+pathAndQuery, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/json"}}
	resp, err := web.Client().Transport.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestEveryFaultBreaksWhatItSaysAndNothingAfterItIsRemoved(t *testing.T) {
	s := newServer(t, twoTenants(30))
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	rows := func(body string) []map[string]any {
		var list struct{ Data []map[string]any }
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			return nil
		}
		return list.Data
	}
	for _, c := range []struct {
		name  string
		fault Fault
		holds func(resp *http.Response, body string, err error) bool
	}{
		{"a server error is HTML", Fault{Kind: FaultStatus}, func(resp *http.Response, body string, err error) bool {
			return err == nil && resp.StatusCode == http.StatusInternalServerError && strings.HasPrefix(body, "<!DOCTYPE html>")
		}},
		{"a bad gateway is HTML", Fault{Kind: FaultStatus, Status: 502}, func(resp *http.Response, body string, err error) bool {
			return err == nil && resp.StatusCode == http.StatusBadGateway && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
		}},
		{"a refusal is JSON", Fault{Kind: FaultStatus, Status: 401}, func(resp *http.Response, body string, err error) bool {
			return err == nil && resp.StatusCode == http.StatusUnauthorized && body == `{"message":"Unauthenticated."}`+"\n"
		}},
		{"a 429 says when", Fault{Kind: FaultStatus, Status: 429, RetryAfter: "17"}, func(resp *http.Response, _ string, err error) bool {
			return err == nil && resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") == "17"
		}},
		{"a redirect leads away", Fault{Kind: FaultRedirect, To: "http://169.254.169.254/"}, func(resp *http.Response, _ string, err error) bool {
			return err == nil && resp.StatusCode == http.StatusFound && resp.Header.Get("Location") == "http://169.254.169.254/"
		}},
		{"a hung request ends with the caller's patience", Fault{Kind: FaultHang}, func(resp *http.Response, _ string, err error) bool {
			return resp == nil && errors.Is(err, context.DeadlineExceeded)
		}},
		{"a stalled answer too", Fault{Kind: FaultStall}, func(resp *http.Response, body string, err error) bool {
			return resp != nil && body != "" && errors.Is(err, context.DeadlineExceeded)
		}},
		{"a reset ends an answer in its middle", Fault{Kind: FaultReset}, func(_ *http.Response, _ string, err error) bool {
			return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF)
		}},
		{"a cut answer is shorter than it said", Fault{Kind: FaultCut}, func(resp *http.Response, body string, err error) bool {
			return resp != nil && strings.HasPrefix(body, `{"data":[`) && errors.Is(err, io.ErrUnexpectedEOF)
		}},
		{"a truncated answer looks whole", Fault{Kind: FaultTruncate}, func(resp *http.Response, body string, err error) bool {
			return err == nil && resp.StatusCode == http.StatusOK && strings.HasPrefix(body, `{"data":[`) && !json.Valid([]byte(body))
		}},
		{"another shape is valid JSON", Fault{Kind: FaultWrongShape}, func(_ *http.Response, body string, err error) bool {
			return err == nil && json.Valid([]byte(body)) && strings.HasPrefix(body, `{"data":{`)
		}},
		{"one row cannot be read", Fault{Kind: FaultBadRow}, func(_ *http.Response, body string, err error) bool {
			list := rows(body)
			return err == nil && len(list) == 20 && list[0]["items"] == "none" && list[1]["items"] != "none"
		}},
		{"there is no Date", Fault{Kind: FaultNoDate}, func(resp *http.Response, _ string, err error) bool {
			return err == nil && resp.StatusCode == http.StatusOK && resp.Header.Values("Date") == nil
		}},
		{"the Date is off", Fault{Kind: FaultClockOff, By: Duration(-time.Hour)}, func(resp *http.Response, _ string, err error) bool {
			return err == nil && resp.Header.Get("Date") == noon.Add(-time.Hour).Format(http.TimeFormat)
		}},
		{"a slow page is right", Fault{Kind: FaultSlow, By: Duration(time.Millisecond)}, func(_ *http.Response, body string, err error) bool {
			return err == nil && len(rows(body)) == 20
		}},
		{"a slow page can be too slow", Fault{Kind: FaultSlow, By: Duration(time.Hour)}, func(_ *http.Response, _ string, err error) bool {
			return errors.Is(err, context.DeadlineExceeded)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			patience := 10 * time.Second
			if c.fault.Kind == FaultHang || c.fault.Kind == FaultStall || c.fault.By == Duration(time.Hour) {
				patience = 100 * time.Millisecond
			}
			f := trouble(t, s, c.fault)
			resp, body, err := get(t, s, web, "/orders", patience)
			if !c.holds(resp, body, err) {
				t.Errorf("got %v, error %v, body %.200s", resp, err, body)
			}
			if err := s.RemoveFault(f.ID); err != nil {
				t.Fatal(err)
			}
			if resp, body, err := get(t, s, web, "/orders", 10*time.Second); err != nil || resp.StatusCode != http.StatusOK || !json.Valid([]byte(body)) {
				t.Errorf("afterwards: %v %v", resp, err)
			}
		})
	}
}

func TestAFaultStrikesExactlyTheRequestsItNames(t *testing.T) {
	s := newServer(t, twoTenants(30))
	first := list(t, s, "east", "a", "?per_page=10&sort_direction=desc")
	second := *first.Meta.NextCursor
	onSecond := list(t, s, "east", "a", "?per_page=10&sort_direction=desc&cursor="+second).Data[3].ID
	none := ""
	const page = "/orders?per_page=10&sort_direction=desc"
	for _, c := range []struct {
		name  string
		fault Fault
		want  string // statuses of five requests: first page twice, second page, an order of it, another shop's first page
	}{
		{"everything", Fault{}, "500 500 500 500 500"},
		{"a tenant", Fault{Tenant: "west"}, "200 200 200 200 200"},
		{"a shop", Fault{Tenant: "east", Shop: "a"}, "500 500 500 500 200"},
		{"listings", Fault{Target: Listing}, "500 500 500 200 500"},
		{"single readings", Fault{Target: Reading}, "200 200 200 500 200"},
		{"first pages", Fault{Cursor: &none}, "500 500 200 200 500"},
		{"a page by its cursor", Fault{Cursor: &second}, "200 200 500 200 200"},
		{"an order and the page it stands on", Fault{Order: onSecond}, "200 200 500 500 200"},
		{"the next two", Fault{Times: 2}, "500 500 200 200 200"},
		{"all after two", Fault{After: 2}, "200 200 500 500 500"},
		{"the second first page", Fault{Cursor: &none, After: 1, Times: 1}, "200 500 200 200 200"},
	} {
		s.ClearFaults()
		c.fault.Kind = FaultStatus
		trouble(t, s, c.fault)
		var got []string
		for _, request := range [][2]string{
			{"a", page}, {"a", page}, {"a", page + "&cursor=" + second}, {"a", "/orders/" + decimal(onSecond)}, {"b", page},
		} {
			got = append(got, decimal(int64(ask(t, s, "east", request[0], request[1]).StatusCode)))
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestABrokenPageStaysBrokenWhileNewOrdersArriveAboveIt(t *testing.T) {
	s := newServer(t, twoTenants(30))
	orders, _ := s.Orders("east", "a")
	trouble(t, s, Fault{Kind: FaultStatus, Order: orders[10].ID, Target: Listing})
	if _, err := s.AddOrders("east", "a", 7, Change{}); err != nil {
		t.Fatal(err)
	}
	r := list(t, s, "east", "a", "?per_page=10&sort_direction=desc")
	r = list(t, s, "east", "a", "?per_page=10&sort_direction=desc&cursor="+*r.Meta.NextCursor)
	if resp := ask(t, s, "east", "a", "/orders?per_page=10&sort_direction=desc&cursor="+*r.Meta.NextCursor); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("the page of order %d answers %d", orders[10].ID, resp.StatusCode)
	}
}

func TestAShareStrikesAboutSoManyAndTheSameOnesForTheSameSeed(t *testing.T) {
	draw := func() (statuses []int, struck int) {
		s := newServer(t, twoTenants(1))
		trouble(t, s, Fault{Kind: FaultStatus, Share: 0.3})
		for range 300 {
			statuses = append(statuses, ask(t, s, "east", "a", "/orders?per_page=1").StatusCode)
		}
		return statuses, s.Faults()[0].Struck
	}
	one, struck := draw()
	other, _ := draw()
	if !slices.Equal(one, other) || struck < 60 || struck > 120 {
		t.Errorf("%d of 300 struck; the same twice: %v", struck, slices.Equal(one, other))
	}
}

func TestTheListingCanLie(t *testing.T) {
	const query = "?per_page=10&sort_by=updated_at&sort_direction=desc"
	s := newServer(t, twoTenants(45))
	orders, _ := s.Orders("east", "a")
	if _, err := s.ChangeOrders("east", "a", Pick{}, Change{}); err != nil {
		t.Fatal(err)
	}
	t.Run("a garbage cursor leads back to the first page", func(t *testing.T) {
		defer s.ClearFaults()
		trouble(t, s, Fault{Kind: FaultGarbageCursor, Times: 1})
		first := list(t, s, "east", "a", query)
		again := list(t, s, "east", "a", query+"&cursor="+*first.Meta.NextCursor)
		if diff := cmp.Diff(first.ids(), again.ids()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a listing can turn in a circle", func(t *testing.T) {
		defer s.ClearFaults()
		second := *list(t, s, "east", "a", query).Meta.NextCursor
		trouble(t, s, Fault{Kind: FaultSameCursor})
		if got := list(t, s, "east", "a", query+"&cursor="+second); *got.Meta.NextCursor != second {
			t.Errorf("the cursor moved from %s to %s", second, *got.Meta.NextCursor)
		}
	})
	t.Run("sort_by can be ignored", func(t *testing.T) {
		defer s.ClearFaults()
		trouble(t, s, Fault{Kind: FaultIgnoreSort})
		old := orders[0].ID
		s.cfg.Clock = func() time.Time { return noon.Add(time.Hour) }
		if _, err := s.ChangeOrder("east", old, Change{}); err != nil {
			t.Fatal(err)
		}
		if ids := list(t, s, "east", "a", query).ids(); slices.Contains(ids, old) || !slices.IsSortedFunc(ids, func(a, b int64) int { return int(b - a) }) {
			t.Errorf("the newest change is shown, or ids do not descend: %v", ids)
		}
	})
	t.Run("without a tie-break the rest of a second is lost", func(t *testing.T) {
		defer s.ClearFaults()
		trouble(t, s, Fault{Kind: FaultNoTieBreak})
		first := list(t, s, "east", "a", query)
		second := list(t, s, "east", "a", query+"&cursor="+*first.Meta.NextCursor)
		if len(first.Data) != 10 || len(second.Data) != 0 {
			t.Errorf("45 orders of one hour: %d and then %d", len(first.Data), len(second.Data))
		}
	})
}

func TestTroubleIsMadeOverTheControlDoorToo(t *testing.T) {
	s := newServer(t, twoTenants(20))
	control := func(method, path, body string, status int) string {
		t.Helper()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, "http://sim.test/control"+path, strings.NewReader(body)))
		if w.Code != status {
			t.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
		}
		return w.Body.String()
	}
	control("POST", "/faults", `{"kind":"SLOW","by":"1ms","tenant":"east","shop":"a","cursor":""}`, 201)
	control("POST", "/faults", `{"kind":"STATUS","status":502,"times":1}`, 201)
	if got := ask(t, s, "east", "a", "/orders").StatusCode; got != 502 {
		t.Errorf("status %d", got)
	}
	if got := control("GET", "/faults", "", 200); !strings.Contains(got, `"by":"1ms","struck":1`) {
		t.Errorf("faults: %s", got)
	}
	control("DELETE", "/faults/2", "", 204)
	control("DELETE", "/faults/2", "", 404)
	control("DELETE", "/faults", "", 204)
	for _, wrong := range []string{
		`{"kind":"EARTHQUAKE"}`, `{"kind":"HANG","share":2}`, `{"kind":"HANG","target":"MOON"}`, `{"kind":"HANG","shop":"a"}`,
		`{"kind":"STATUS","status":99}`, `{"kind":"SLOW","by":"soon"}`, `{"kind":"HANG","times":-1}`,
	} {
		control("POST", "/faults", wrong, 400)
	}
	control("POST", "/faults", `{"kind":"HANG","tenant":"north"}`, 404)

	control("PUT", "/quota", `{"on":true,"perSecond":-1}`, 400)
	control("PUT", "/quota", `{"on":true}`, 200)
	control("PUT", "/tenants/east/shops/a/quota", `{"perSecond":1}`, 200)
	if got := control("GET", "/tenants/east/shops/a/quota", "", 200); !strings.Contains(got, `"on":true,"perSecond":1,`) {
		t.Errorf("quota: %s", got)
	}
	control("POST", "/tenants/east/shops/a/quota/spend", `{"window":"DAY"}`, 204)
	if resp := ask(t, s, "east", "a", "/orders"); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "86400" {
		t.Errorf("a spent day: %d %s", resp.StatusCode, resp.Header.Get("Retry-After"))
	}

	control("PUT", "/webhooks", `{"speed":-1}`, 400)
	if got := control("PUT", "/webhooks", `{"speed":1440}`, 200); got != `{"speed":1440,"pending":0}`+"\n" {
		t.Errorf("webhooks: %s", got)
	}
	control("GET", "/tenants/east/shops/a/webhooks", "", 200)
	control("GET", "/tenants/east/shops/z/webhooks", "", 404)

	control("PATCH", "/tenants/east/shops/b/orders", `{"newest":3,"change":{"updatedAt":"2035-01-01T00:00:00Z"}}`, 200)
	if got := list(t, s, "east", "b", "?sort_by=updated_at&sort_direction=desc").Data[2].UpdatedAt; *got != "2035-01-01 01:00:00" {
		t.Errorf("changed at %s", *got)
	}
	control("DELETE", "/tenants/east/shops/b/orders", `{"newest":5}`, 200)
	if got := list(t, s, "east", "b", "").Data; len(got) != 15 {
		t.Errorf("%d orders are left", len(got))
	}
}

func TestAHeldRequestDoesNotHoldUpTheEnd(t *testing.T) {
	s := newServer(t, twoTenants(1))
	web := httptest.NewServer(s)
	trouble(t, s, Fault{Kind: FaultHang})
	ended := make(chan error, 1)
	go func() {
		_, _, err := get(t, s, web, "/orders", time.Minute)
		ended <- err
	}()
	for s.Faults()[0].Struck == 0 { // until the request has come
		time.Sleep(time.Millisecond)
	}
	s.Release()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("the held request ended with %v", err)
	}
	web.Close()
}
