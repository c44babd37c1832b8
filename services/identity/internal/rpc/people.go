package rpc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

// permissions lists what a role may call in the whole suite, as the contract says it.
func (s *Server) permissions(r account.Role) []string {
	caller := auth.Principal{Kind: auth.User, Role: string(r)}
	var names []string
	for _, method := range slices.Sorted(maps.Keys(s.allowed)) {
		if s.allowed[method].Allows(caller) {
			names = append(names, strings.TrimPrefix(method, "/"))
		}
	}
	return names
}

// ListUsers lists users by name.
func (s *Server) ListUsers(ctx context.Context, req *identityv1.ListUsersRequest) (*identityv1.ListUsersResponse, error) {
	f := account.Filter{Disabled: req.Disabled, Limit: pageSize(req.GetPageSize()) + 1}
	for _, r := range req.GetRole() {
		f.Roles = append(f.Roles, fromRole(r))
	}
	bound := scope(ctx, "users", fmt.Sprint(f.Roles), fmt.Sprint(req.Disabled != nil, req.GetDisabled()))
	var err error
	if f.After, err = account.ParsePageToken(req.GetPageToken(), bound); err != nil {
		return nil, err
	}
	if !position(f.After) {
		return nil, account.ErrPageTokenInvalid
	}
	users, err := s.accounts.Users(ctx, f)
	if err != nil {
		return nil, err
	}
	res := &identityv1.ListUsersResponse{}
	if len(users) == f.Limit { // one more than asked for: there is another page
		users = users[:f.Limit-1]
		res.NextPageToken = account.PageToken(users[len(users)-1].ID, bound)
	}
	for _, u := range users {
		res.Users = append(res.Users, toUser(u))
	}
	return res, nil
}

// position reports whether a page can begin after this id. The token's checksum is no signature, so anything may stand in it.
func position(id string) bool {
	parsed, err := uuid.Parse(id)
	return id == "" || err == nil && parsed.String() == id
}

// CreateUser makes a user.
func (s *Server) CreateUser(ctx context.Context, req *identityv1.CreateUserRequest) (*identityv1.CreateUserResponse, error) {
	id, err := once(ctx, req)
	if err != nil {
		return nil, err
	}
	u, err := s.accounts.CreateUser(ctx, actor(ctx), account.NewUser{
		Email: req.GetEmail(), Name: req.GetName(), Role: fromRole(req.GetRole()), Password: account.Password(req.GetPassword()),
	}, id)
	if err != nil {
		return nil, err
	}
	return &identityv1.CreateUserResponse{User: toUser(u)}, nil
}

// GetUser answers one user.
func (s *Server) GetUser(ctx context.Context, req *identityv1.GetUserRequest) (*identityv1.GetUserResponse, error) {
	u, err := s.accounts.User(ctx, req.GetUserId())
	if err != nil {
		return nil, err
	}
	return &identityv1.GetUserResponse{User: toUser(u)}, nil
}

// UpdateUser changes name or role.
func (s *Server) UpdateUser(ctx context.Context, req *identityv1.UpdateUserRequest) (*identityv1.UpdateUserResponse, error) {
	version, err := versionOf(req.GetEtag())
	if err != nil {
		return nil, err
	}
	a := account.Amendment{Name: req.Name, Version: version}
	if req.Role != nil {
		role := fromRole(req.GetRole())
		a.Role = &role
	}
	u, err := s.accounts.UpdateUser(ctx, actor(ctx), req.GetUserId(), a)
	if err != nil {
		return nil, err
	}
	return &identityv1.UpdateUserResponse{User: toUser(u)}, nil
}

// DisableUser ends a user's access.
func (s *Server) DisableUser(ctx context.Context, req *identityv1.DisableUserRequest) (*identityv1.DisableUserResponse, error) {
	u, err := s.accounts.DisableUser(ctx, actor(ctx), req.GetUserId(), req.GetReason())
	if err != nil {
		return nil, err
	}
	return &identityv1.DisableUserResponse{User: toUser(u)}, nil
}

// EnableUser gives access back.
func (s *Server) EnableUser(ctx context.Context, req *identityv1.EnableUserRequest) (*identityv1.EnableUserResponse, error) {
	u, err := s.accounts.EnableUser(ctx, actor(ctx), req.GetUserId(), req.GetReason())
	if err != nil {
		return nil, err
	}
	return &identityv1.EnableUserResponse{User: toUser(u)}, nil
}

// ResetPassword sets a new first password.
func (s *Server) ResetPassword(
	ctx context.Context, req *identityv1.ResetPasswordRequest,
) (*identityv1.ResetPasswordResponse, error) {
	u, err := s.accounts.ResetPassword(ctx, actor(ctx), req.GetUserId(), account.Password(req.GetNewPassword()))
	if err != nil {
		return nil, in("newPassword", err)
	}
	return &identityv1.ResetPasswordResponse{User: toUser(u)}, nil
}
