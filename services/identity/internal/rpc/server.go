// Package rpc answers IdentityService: convert in, call the domain, convert out.
//
// It holds no rule. Who may call what stands in the contract and is enforced before a method here runs; what is refused by the
// domain becomes a status by the one table in errors.go. Start reading at Server.
package rpc

import (
	"context"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

// Server implements IdentityService.
type Server struct {
	identityv1.UnimplementedIdentityServiceServer

	accounts *account.Service
	keys     *signing.Keyring
	trail    AuditTrail
	allowed  map[string]auth.Rule
	zone     *time.Location
	keepDays int
}

// Deps is what a Server works with.
type Deps struct {
	Accounts *account.Service
	Keys     *signing.Keyring
	Trail    AuditTrail
	// Suite holds the rule of every method of the suite, "/package.Service/Method", for GetMe.
	Suite map[string]auth.Rule
	Zone  *time.Location // of business days
	// KeepDays is how long technical records are kept: LOG_RETENTION_DAYS.
	KeepDays int
}

// NewServer puts a Server together.
func NewServer(d Deps) *Server {
	return &Server{accounts: d.Accounts, keys: d.Keys, trail: d.Trail, allowed: d.Suite, zone: d.Zone, keepDays: d.KeepDays}
}

// expiresIn is what clients are told of an access token.
const expiresIn = int32(account.AccessTokenLife / time.Second)

// Login proves a password and opens a session.
func (s *Server) Login(ctx context.Context, req *identityv1.LoginRequest) (*identityv1.LoginResponse, error) {
	g, err := s.accounts.Login(ctx, req.GetEmail(), account.Password(req.GetPassword()), req.GetCookie(), client(ctx))
	if err != nil {
		return nil, err
	}
	return &identityv1.LoginResponse{
		AccessToken: string(g.Access), ExpiresIn: expiresIn, RefreshToken: string(g.Refresh), User: toUser(g.User), Cookie: g.Session.Cookie,
	}, nil
}

// Refresh exchanges a refresh token.
func (s *Server) Refresh(ctx context.Context, req *identityv1.RefreshRequest) (*identityv1.RefreshResponse, error) {
	g, err := s.accounts.Refresh(ctx, shown(ctx, req.GetRefreshToken()), client(ctx))
	if err != nil {
		return nil, err
	}
	return &identityv1.RefreshResponse{
		AccessToken: string(g.Access), ExpiresIn: expiresIn, RefreshToken: string(g.Refresh), User: toUser(g.User), Cookie: g.Session.Cookie,
	}, nil
}

// Logout ends a session.
func (s *Server) Logout(ctx context.Context, req *identityv1.LogoutRequest) (*identityv1.LogoutResponse, error) {
	if err := s.accounts.Logout(ctx, shown(ctx, req.GetRefreshToken())); err != nil {
		return nil, err
	}
	return &identityv1.LogoutResponse{}, nil
}

// GetMe answers the caller.
func (s *Server) GetMe(ctx context.Context, _ *identityv1.GetMeRequest) (*identityv1.GetMeResponse, error) {
	u, err := s.accounts.User(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &identityv1.GetMeResponse{User: toUser(u), Permissions: s.permissions(u.Role)}, nil
}

// ChangePassword changes the caller's own password.
func (s *Server) ChangePassword(
	ctx context.Context, req *identityv1.ChangePasswordRequest,
) (*identityv1.ChangePasswordResponse, error) {
	current, next := account.Password(req.GetCurrentPassword()), account.Password(req.GetNewPassword())
	if err := s.accounts.ChangePassword(ctx, actor(ctx), auth.From(ctx).Session, current, next, client(ctx)); err != nil {
		return nil, in("newPassword", err)
	}
	return &identityv1.ChangePasswordResponse{}, nil
}

// GetKeys answers the key set.
func (s *Server) GetKeys(ctx context.Context, _ *identityv1.GetKeysRequest) (*identityv1.GetKeysResponse, error) {
	published, err := s.keys.Published(ctx)
	if err != nil {
		return nil, err
	}
	res := &identityv1.GetKeysResponse{}
	for _, k := range published {
		res.Keys = append(res.Keys, toKey(k))
	}
	return res, nil
}

// Cleanup removes what has expired.
func (s *Server) Cleanup(ctx context.Context, _ *identityv1.CleanupRequest) (*identityv1.CleanupResponse, error) {
	keys, err := s.keys.Cleanup(ctx)
	if err != nil {
		return nil, err
	}
	removed, err := s.accounts.Cleanup(ctx, s.keepDays)
	if err != nil {
		return nil, err
	}
	return &identityv1.CleanupResponse{Removed: []*identityv1.CleanupCount{
		removedOf("session", removed.Sessions),
		removedOf("refresh_token", removed.RefreshTokens),
		removedOf("login_failure", removed.LoginFailures),
		removedOf("idempotency_key", removed.RequestIDs),
		removedOf("signing_key", keys),
	}}, nil
}
