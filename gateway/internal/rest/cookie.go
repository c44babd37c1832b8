package rest

import (
	"context"
	"encoding/json"
	"net/http"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
)

const (
	// refreshCookie keeps a browser's refresh token where no script can read it.
	refreshCookie = "refresh_token"

	// cookiePath is the only place it is sent to: login, refresh and logout.
	cookiePath = "/api/v1/auth"

	refreshPath = cookiePath + "/refresh"
	logoutPath  = cookiePath + "/logout"

	// cookieMetadata is how it reaches identity, which reads it when the request itself brings no token.
	cookieMetadata = "x-refresh-cookie"

	// maxCookie is the contract's limit for a refresh token.
	maxCookie = 512
)

// readCookie answers the refresh token a browser sent, on the two paths that use one: a login or a change of password
// that fails says nothing about the session of the cookie.
func readCookie(r *http.Request) string {
	if r.URL.Path != refreshPath && r.URL.Path != logoutPath {
		return ""
	}
	cookie, err := r.Cookie(refreshCookie)
	if err != nil || len(cookie.Value) > maxCookie {
		return ""
	}
	return cookie.Value
}

// preferBody lets a token in the body win over the cookie, as identity does, so that from here on the cookie of a visit is
// the token that is used.
func preferBody(body []byte, v *visit) {
	var given struct {
		RefreshToken string `json:"refreshToken"`
	}
	if v.cookie != "" && json.Unmarshal(body, &given) == nil && given.RefreshToken != "" {
		v.cookie = ""
	}
}

// cookieRefused says whether a refresh failed for good, and by its cookie: only then is the cookie worthless.
func (v *visit) cookieRefused(s *status.Status) bool {
	if v.cookie == "" || v.route != refreshPath {
		return false
	}
	switch detail[*errdetails.ErrorInfo](s).GetReason() {
	case identityv1.ErrorReason_REFRESH_TOKEN_INVALID.String(), identityv1.ErrorReason_REFRESH_TOKEN_REUSED.String(),
		identityv1.ErrorReason_USER_DISABLED.String():
		return true
	default:
		return false
	}
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
