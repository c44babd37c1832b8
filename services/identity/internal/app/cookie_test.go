package app

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
)

// The gateway knows a browser's refresh token from its cookie alone, and sends it beside a request without one.
func TestARefreshTokenMayComeFromTheCookieThatTheGatewayFound(t *testing.T) {
	f := serve(t)
	session, err := f.Login(f.from(office), &identityv1.LoginRequest{Email: adminEmail, Password: adminPassword, Cookie: true})
	if err != nil || !session.GetCookie() {
		t.Fatalf("login for a cookie: %v, %v", session, err)
	}
	cookie := func(token string) metadata.MD { return metadata.Pairs("x-refresh-cookie", token) }
	next, err := f.Refresh(metadata.NewOutgoingContext(t.Context(), cookie(session.GetRefreshToken())), &identityv1.RefreshRequest{})
	if err != nil || !next.GetCookie() {
		t.Fatalf("refresh by cookie: %v, %v", next, err)
	}
	if _, err = f.Logout(metadata.NewOutgoingContext(t.Context(), cookie(next.GetRefreshToken())), &identityv1.LogoutRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err = f.refresh(next.GetRefreshToken())
	refused(t, "the token of the session that was ended", err, codes.Unauthenticated, "REFRESH_TOKEN_INVALID")
}
