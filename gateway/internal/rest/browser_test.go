package rest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

func https(o *Options) { o.PublicBaseURL = &url.URL{Scheme: "https", Host: "office.example"} }

func login(t *testing.T, s *suite, body string) (*http.Cookie, map[string]any) {
	t.Helper()
	w := s.call(t, http.MethodPost, "/api/v1/auth/login", body)
	answered(t, w, http.StatusOK)
	var answer map[string]any
	must(t, json.Unmarshal(w.Body.Bytes(), &answer))
	for _, cookie := range w.Result().Cookies() {
		return cookie, answer
	}
	return nil, answer
}

const loginForCookie = `{"email":"a@b.dz","password":"right","cookie":true}`

func TestALoginWithoutTheCookieAnswersTheTokenInTheBody(t *testing.T) {
	s := newSuite(t)
	cookie, answer := login(t, s, `{"email":"a@b.dz","password":"right"}`)
	if cookie != nil || answer["refreshToken"] == "" {
		t.Errorf("cookie %v, answer %v", cookie, answer)
	}
}

func TestALoginForTheCookieMovesTheTokenThere(t *testing.T) {
	for scheme, secure := range map[string]bool{"http": false, "https": true} {
		s := newSuite(t, func(o *Options) { o.PublicBaseURL = &url.URL{Scheme: scheme, Host: "office.example"} })
		cookie, answer := login(t, s, loginForCookie)
		if answer["refreshToken"] != "" || answer["accessToken"] != "access" {
			t.Errorf("the body says %v", answer)
		}
		if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/api/v1/auth" || cookie.Secure != secure {
			t.Errorf("%s: the cookie is %v", scheme, cookie)
		}
	}
}

func TestTheCookieRefreshesAndIsReplaced(t *testing.T) {
	s := newSuite(t)
	first, _ := login(t, s, loginForCookie)
	w := s.call(t, http.MethodPost, "/api/v1/auth/refresh", "", "Cookie", first.String(), "Origin", "http://office.example")
	answered(t, w, http.StatusOK)
	second := w.Result().Cookies()
	if len(second) != 1 || second[0].Value == first.Value || strings.Contains(w.Body.String(), second[0].Value) {
		t.Errorf("after the refresh: cookies %v, body %s", second, w.Body)
	}
}

func TestASpentCookieIsTakenAway(t *testing.T) {
	s := newSuite(t)
	w := s.call(t, http.MethodPost, "/api/v1/auth/refresh", "", "Cookie", "refresh_token=spent")
	refused(t, w, http.StatusUnauthorized, "REFRESH_TOKEN_INVALID")
	if cookies := w.Result().Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("cookies %v, want one that ends", cookies)
	}
}

func TestACookieOutlivesARefusalThatIsNotAboutIt(t *testing.T) {
	s := newSuite(t)
	good, _ := login(t, s, loginForCookie)
	for name, c := range map[string]struct{ path, body, reason string }{
		"a wrong password at login":    {"/api/v1/auth/login", `{"email":"a@b.dz","password":"wrong"}`, "INVALID_CREDENTIALS"},
		"a wrong password to change":   {"/api/v1/auth/change-password", `{"currentPassword":"wrong","newPassword":"y"}`, "INVALID_CREDENTIALS"},
		"a bad token beside it":        {"/api/v1/auth/refresh", `{"refreshToken":"spent"}`, "REFRESH_TOKEN_INVALID"},
		"a refusal of who calls, here": {"/api/v1/auth/refresh", `{"refreshToken":""}`, "TOKEN_MISSING"},
	} {
		t.Run(name, func(t *testing.T) {
			s.identity.fail = nil
			if c.reason == "TOKEN_MISSING" {
				s.identity.fail = rpcerr.New(codes.Unauthenticated, auth.TokenMissing, domain, "log in")
			}
			w := s.call(t, http.MethodPost, c.path, c.body, "Cookie", good.String())
			refused(t, w, http.StatusUnauthorized, c.reason)
			if cookies := w.Result().Cookies(); len(cookies) != 0 {
				t.Errorf("the cookie is taken away: %v", cookies)
			}
		})
	}
	s.identity.fail = nil
	answered(t, s.call(t, http.MethodPost, "/api/v1/auth/refresh", "", "Cookie", good.String()), http.StatusOK)
}

func TestLogoutEndsTheSessionOfTheCookieAndTheCookie(t *testing.T) {
	s := newSuite(t)
	cookie, _ := login(t, s, loginForCookie)
	w := s.call(t, http.MethodPost, "/api/v1/auth/logout", "", "Cookie", cookie.String())
	answered(t, w, http.StatusOK)
	if cookies := w.Result().Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 || cookies[0].Path != "/api/v1/auth" {
		t.Errorf("cookies %v, want one that ends", cookies)
	}
	refused(t, s.call(t, http.MethodPost, "/api/v1/auth/refresh", "", "Cookie", cookie.String()), http.StatusUnauthorized, "REFRESH_TOKEN_INVALID")
}

func TestAnotherOriginCannotRideOnTheCookie(t *testing.T) {
	s := newSuite(t)
	cookie, _ := login(t, s, loginForCookie)
	for name, headers := range map[string][]string{
		"another site":         {"Origin", "https://evil.example"},
		"a sandboxed frame":    {"Origin", "null"},
		"another scheme":       {"Origin", "https://office.example"},
		"what a browser says":  {"Sec-Fetch-Site", "cross-site"},
		"a neighbouring host":  {"Sec-Fetch-Site", "same-site", "Origin", "http://other.office.example"},
		"same port, other one": {"Origin", "http://office.example:8081"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, s.call(t, http.MethodPost, "/api/v1/auth/refresh", "", append(headers, "Cookie", cookie.String())...), http.StatusForbidden, "PERMISSION_DENIED")
		})
	}
	answered(t, s.call(t, http.MethodPost, "/api/v1/auth/refresh", "", "Cookie", cookie.String(), "Sec-Fetch-Site", "same-origin"), http.StatusOK)
}

func TestTheCookieGoesNowhereElse(t *testing.T) {
	s := newSuite(t)
	answered(t, s.call(t, http.MethodGet, "/api/v1/orders/12", "", "Cookie", "refresh_token=t"), http.StatusOK)
	if _, md := s.orders.last(); len(md.Get("x-refresh-cookie")) > 0 || len(md.Get("cookie")) > 0 {
		t.Errorf("orders saw %v", md)
	}
}

func TestCORSKnowsOneOrigin(t *testing.T) {
	s := newSuite(t)
	const path = "/api/v1/orders/12"
	ours := s.call(t, http.MethodOptions, path, "", "Origin", "http://office.example", "Access-Control-Request-Method", "PATCH")
	answered(t, ours, http.StatusNoContent)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "http://office.example", "Access-Control-Allow-Methods": "GET, HEAD, PATCH, OPTIONS",
		"Access-Control-Allow-Credentials": "true", "Allow": "GET, HEAD, PATCH, OPTIONS",
	} {
		if got := ours.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	foreign := s.call(t, http.MethodOptions, path, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "PATCH")
	refused(t, foreign, http.StatusForbidden, "PERMISSION_DENIED")
	read := s.call(t, http.MethodGet, path, "", "Origin", "https://evil.example")
	for _, w := range []*httptest.ResponseRecorder{foreign, read} {
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("another origin is allowed as %q", got)
		}
		if w.Header().Get("Vary") != "Origin" {
			t.Error("the answer does not vary by Origin")
		}
	}
	refused(t, s.call(t, http.MethodOptions, "/api/v1/nothing", ""), http.StatusNotFound, "NO_SUCH_METHOD")
}

func TestAPreflightKnowsBothSpellingsOfAnAdminPath(t *testing.T) {
	s := newSuite(t)
	for _, path := range []string{"/api/v1/admin/system", "/api/admin/system"} {
		w := s.call(t, http.MethodOptions, path, "", "Origin", "http://office.example", "Access-Control-Request-Method", "GET")
		answered(t, w, http.StatusNoContent)
		if got := w.Header().Get("Allow"); got != "GET, HEAD, OPTIONS" {
			t.Errorf("%s allows %q", path, got)
		}
	}
}

func TestEveryAnswerCarriesTheHeadersOfSafety(t *testing.T) {
	s := newSuite(t)
	for _, path := range []string{"/", "/docs", "/openapi.json", "/healthz", "/api/v1/orders/12", "/api/v1/nothing"} {
		header := s.call(t, http.MethodGet, path, "").Header()
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" ||
			!strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") ||
			!strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %v", path, header)
		}
		if strings.HasPrefix(path, "/api/") && header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached: %q", path, header.Get("Cache-Control"))
		}
		if header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s asks for https although the base URL is http", path)
		}
	}
	secure := newSuite(t, https)
	if secure.call(t, http.MethodGet, "/", "").Header().Get("Strict-Transport-Security") == "" {
		t.Error("no Strict-Transport-Security although the base URL is https")
	}
}
