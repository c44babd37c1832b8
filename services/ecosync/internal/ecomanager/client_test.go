package ecomanager_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/ecomanager"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

const token = "FAKEtokenFAKEtokenFAKEtokenFAKEtoken0001"

var sentAt = time.Date(2025, 11, 18, 10, 0, 0, 0, time.UTC)

func client(transport http.RoundTripper) *ecomanager.Client {
	return ecomanager.New(transport, func() time.Time { return sentAt }, "test")
}

func serve(t *testing.T, h http.HandlerFunc) shop.Access {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return shop.Access{BaseURL: server.URL + "/api/shop/v2", Token: token, Zone: time.UTC}
}

func TestARequestSaysWhatTheContractSays(t *testing.T) {
	sample, err := os.ReadFile("testdata/pages/one_bad_row_does_not_spoil_the_page.json")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, fmt.Sprintf("%s %s?%s auth=%q accept=%q", r.Method, r.URL.Path, r.URL.RawQuery,
			r.Header.Get("Authorization"), r.Header.Get("Accept")))
		w.Header().Set("Date", "Tue, 18 Nov 2025 10:00:07 GMT")
		w.Write(sample)
	})
	page, err := client(http.DefaultTransport).Orders(t.Context(), a, "abc=+/")
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Rows) != 3 || page.Next.End() || page.Next.ID != 700121 {
		t.Errorf("%d rows, next %+v", len(page.Rows), page.Next)
	}
	if !page.SentAt.Equal(sentAt) || !page.Date.Equal(time.Date(2025, 11, 18, 10, 0, 7, 0, time.UTC)) {
		t.Errorf("sent %v, the shop's clock %v", page.SentAt, page.Date)
	}
	// Cursor only: neither page nor sort, which the shop ignores (lesson P1).
	want := []string{`GET /api/shop/v2/orders?cursor=abc%3D%2B%2F&per_page=100&sort_by=updated_at&sort_direction=desc auth="Bearer ` + token + `" accept="application/json"`}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestEveryKindOfBadAnswerHasItsClass(t *testing.T) {
	const html = "<html>SECRET-BODY</html>"
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   shop.Fault
	}{
		"token unknown":         {status(401, "application/json", `{"message":"Unauthenticated."}`), shop.Fault{Class: shop.Unauthorised, Status: 401}},
		"token expired":         {status(403, "text/html", html), shop.Fault{Class: shop.Forbidden, Status: 403}},
		"absence said in JSON":  {status(404, "application/json; charset=utf-8", `{"message":"x"}`), shop.Fault{Class: shop.NotFound, Status: 404}},
		"absence said by HTML":  {status(404, "text/html", html), shop.Fault{Class: shop.WrongShape, Status: 404}},
		"validation":            {status(422, "application/json", `{"message":"x","errors":{}}`), shop.Fault{Class: shop.Refused, Status: 422}},
		"limit":                 {status(429, "application/json", `{"message":"Too Many Attempts."}`, "Retry-After", "17"), shop.Fault{Class: shop.RateLimited, Status: 429, RetryAfter: 17 * time.Second}},
		"limit without a word":  {status(429, "text/html", html), shop.Fault{Class: shop.RateLimited, Status: 429, RetryAfter: shop.RetryAfterUnknown}},
		"limit with a date":     {status(429, "text/html", html, "Retry-After", "Tue, 18 Nov 2025 10:01:00 GMT", "Date", "Tue, 18 Nov 2025 10:00:00 GMT"), shop.Fault{Class: shop.RateLimited, Status: 429, RetryAfter: time.Minute}},
		"limit beyond all":      {status(429, "text/html", html, "Retry-After", "99999999999999999999"), shop.Fault{Class: shop.RateLimited, Status: 429, RetryAfter: shop.RetryAfterUnknown}},
		"limit of a year":       {status(429, "text/html", html, "Retry-After", "31536000"), shop.Fault{Class: shop.RateLimited, Status: 429, RetryAfter: 24 * time.Hour}},
		"server error":          {status(502, "text/html", html), shop.Fault{Class: shop.ServerError, Status: 502}},
		"redirect":              {status(302, "text/html", html, "Location", "https://elsewhere.example"), shop.Fault{Class: shop.Redirected, Status: 302}},
		"200 with HTML":         {status(200, "text/html", html), shop.Fault{Class: shop.WrongShape}},
		"200 with other JSON":   {status(200, "application/json", `{"message":"maintenance"}`), shop.Fault{Class: shop.WrongShape}},
		"204":                   {status(204, "", ""), shop.Fault{Class: shop.WrongShape, Status: 204}},
		"truncated JSON":        {status(200, "application/json", `{"data":[{"id":1},`), shop.Fault{Class: shop.Truncated}},
		"shorter than promised": {status(200, "application/json", `{"data":[]`, "Content-Length", "500"), shop.Fault{Class: shop.Truncated}},
		"too large":             {func(w http.ResponseWriter) { io.CopyN(w, zeros{}, ecomanager.MaxAnswer+10) }, shop.Fault{Class: shop.TooLarge, Status: 200}},
		"connection reset":      {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, shop.Fault{Class: shop.Unreachable}},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, func(w http.ResponseWriter, _ *http.Request) { tc.answer(w) })
			_, err := client(http.DefaultTransport).Orders(t.Context(), a, "")
			var got *shop.Fault
			if !errors.As(err, &got) {
				t.Fatalf("error %v is no fault", err)
			}
			if tc.want.RetryAfter == 0 {
				tc.want.RetryAfter = shop.RetryAfterUnknown
			}
			if got.Class != tc.want.Class || got.Status != tc.want.Status || got.RetryAfter != tc.want.RetryAfter {
				t.Errorf("got %s, %d, retry after %v; want %s, %d, %v", got.Class, got.Status, got.RetryAfter, tc.want.Class, tc.want.Status, tc.want.RetryAfter)
			}
			if text := fmt.Sprintf("%v %+v %s", err, err, a); strings.Contains(text, "SECRET-BODY") || strings.Contains(text, token) {
				t.Errorf("an error must quote neither body nor token: %s", text)
			}
		})
	}
}

func status(code int, mediaType, body string, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestASilentShopIsGivenUpAfterThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		began := time.Now()
		a := shop.Access{BaseURL: "https://demo.ecomanager.dz/api/shop/v2", Token: token, Zone: time.UTC}
		_, err := client(silent).Orders(t.Context(), a, "")
		if shop.ClassOf(err) != shop.TimedOut || time.Since(began) != ecomanager.Timeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		began = time.Now()
		if _, err = client(silent).Probe(t.Context(), a); shop.ClassOf(err) != shop.TimedOut || time.Since(began) != ecomanager.ProbeTimeout {
			t.Errorf("probe: %v after %v", err, time.Since(began))
		}
	})
}

func TestACallerWhoLeavesIsNoFaultOfTheShop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if _, err := client(http.DefaultTransport).Orders(ctx, a, ""); !errors.Is(err, context.Canceled) || shop.ClassOf(err) != "" {
		t.Errorf("got %v", err)
	}
}
