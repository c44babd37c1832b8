package rest

import (
	"context"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
)

const (
	// refreshCookie keeps a browser's refresh token where no script can read it.
	refreshCookie = "refresh_token"

	// cookiePath is the only place it is sent to: login, refresh and logout.
	cookiePath = "/api/v1/auth"

	// cookieMetadata is how it reaches identity, which reads it when the request itself brings no token.
	cookieMetadata = "x-refresh-cookie"

	// maxCookie is the contract's limit for a refresh token.
	maxCookie = 512
)

// readCookie answers the refresh token a browser sent, on the paths it belongs to.
func readCookie(r *http.Request) string {
	if !strings.HasPrefix(r.URL.Path, cookiePath+"/") {
		return ""
	}
	cookie, err := r.Cookie(refreshCookie)
	if err != nil || len(cookie.Value) > maxCookie {
		return ""
	}
	return cookie.Value
}

// moveToken takes the refresh token out of an answer into the cookie, where the session asks for it, and ends the cookie
// with the session. It ends with the browser: identity decides how long the session itself lives.
func (o *origin) moveToken(_ context.Context, w http.ResponseWriter, response proto.Message) error {
	switch answer := response.(type) {
	case *identityv1.LoginResponse:
		if answer.GetCookie() {
			o.setCookie(w, answer.GetRefreshToken())
			answer.RefreshToken = ""
		}
	case *identityv1.RefreshResponse:
		if answer.GetCookie() {
			o.setCookie(w, answer.GetRefreshToken())
			answer.RefreshToken = ""
		}
	case *identityv1.LogoutResponse:
		o.forgetCookie(w)
	}
	return nil
}

func (o *origin) setCookie(w http.ResponseWriter, token string) {
	http.SetCookie(w, o.cookie(token, 0))
}

func (o *origin) forgetCookie(w http.ResponseWriter) {
	http.SetCookie(w, o.cookie("", -1))
}

// cookie is Secure wherever people come over https; on one machine without it a browser would drop a Secure cookie.
func (o *origin) cookie(token string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // G124 wants Secure as a constant; see above
		Name: refreshCookie, Value: token, Path: cookiePath, MaxAge: maxAge,
		HttpOnly: true, Secure: o.https, SameSite: http.SameSiteStrictMode,
	}
}
