package rpc

import (
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

// Errors says what each error of the domain is to the outside.
var Errors = rpcerr.Table{
	{Err: account.ErrBadCredentials, Code: codes.Unauthenticated, Reason: identityv1.ErrorReason_INVALID_CREDENTIALS},
	{Err: account.ErrWrongPassword, Code: codes.InvalidArgument, Reason: identityv1.ErrorReason_WRONG_CURRENT_PASSWORD, Detail: at("currentPassword")},
	{Err: account.ErrUserDisabled, Code: codes.PermissionDenied, Reason: identityv1.ErrorReason_USER_DISABLED},
	{Match: limited("login"), Code: codes.ResourceExhausted, Reason: identityv1.ErrorReason_TOO_MANY_FAILURES, Detail: retryAfter},
	{Match: limited("refresh"), Code: codes.ResourceExhausted, Reason: accessv1.ErrorReason_RATE_LIMITED, Detail: retryAfter},
	{Err: account.ErrBusy, Code: codes.ResourceExhausted, Reason: accessv1.ErrorReason_RATE_LIMITED, Detail: retrySoon},
	{Err: account.ErrSessionEnded, Code: codes.Unauthenticated, Reason: identityv1.ErrorReason_REFRESH_TOKEN_INVALID},
	{Err: account.ErrTokenReused, Code: codes.Unauthenticated, Reason: identityv1.ErrorReason_REFRESH_TOKEN_REUSED},
	{Err: account.ErrUserNotFound, Code: codes.NotFound, Reason: identityv1.ErrorReason_USER_NOT_FOUND, Message: "no such user"},
	{Err: account.ErrEmailTaken, Code: codes.AlreadyExists, Reason: identityv1.ErrorReason_EMAIL_TAKEN, Message: "another user has this e-mail address", Detail: at("email")},
	{Match: weak, Code: codes.InvalidArgument, Reason: identityv1.ErrorReason_PASSWORD_TOO_WEAK, Message: "the new password breaks a rule", Detail: weakness},
	{Err: account.ErrRank, Code: codes.PermissionDenied, Reason: identityv1.ErrorReason_ROLE_NOT_ALLOWED, Message: account.ErrRank.Error()},
	{Err: account.ErrActorNotActive, Code: codes.PermissionDenied, Reason: accessv1.ErrorReason_PERMISSION_DENIED, Message: "you may not do this any more: log in again"},
	{Err: account.ErrOwnPassword, Code: codes.FailedPrecondition, Reason: identityv1.ErrorReason_OWN_PASSWORD, Message: account.ErrOwnPassword.Error()},
	{Err: account.ErrLastAdmin, Code: codes.FailedPrecondition, Reason: identityv1.ErrorReason_LAST_ADMIN, Message: account.ErrLastAdmin.Error()},
	{Err: account.ErrStale, Code: codes.Aborted, Reason: identityv1.ErrorReason_ETAG_STALE, Message: "somebody changed the user meanwhile: read it again and repeat"},
	{Err: account.ErrPageTokenInvalid, Code: codes.InvalidArgument, Reason: identityv1.ErrorReason_PAGE_TOKEN_INVALID, Detail: at("pageToken")},
	{Err: account.ErrInvalidEmail, Code: codes.InvalidArgument, Reason: accessv1.ErrorReason_INVALID_REQUEST, Detail: at("email")},
	{Err: account.ErrInvalidName, Code: codes.InvalidArgument, Reason: accessv1.ErrorReason_INVALID_REQUEST, Detail: at("name")},
	{Err: account.ErrInvalidRole, Code: codes.InvalidArgument, Reason: accessv1.ErrorReason_INVALID_REQUEST, Detail: at("role")},
	{Err: errDay, Code: codes.InvalidArgument, Reason: accessv1.ErrorReason_INVALID_REQUEST, Detail: at("from, to")},
	{Err: idempotency.ErrReused, Code: codes.InvalidArgument, Reason: accessv1.ErrorReason_REQUEST_ID_REUSED, Message: "this request id came before with another body: use a new one", Detail: at("requestId")},
	{Err: signing.ErrNoKey, Code: codes.Unavailable, Reason: accessv1.ErrorReason_KEYS_UNAVAILABLE, Message: "tokens cannot be signed at the moment; please try again", Detail: retrySoon},
}

func limited(what string) func(error) bool {
	return func(err error) bool {
		var l account.LimitedError
		return errors.As(err, &l) && l.What == what
	}
}

// retryAfter tells the wait in whole seconds, rounded up: a client that waits as told must not come a moment too early.
func retryAfter(err error, e *rpcerr.Error) *rpcerr.Error {
	var l account.LimitedError
	if !errors.As(err, &l) {
		return e
	}
	return e.RetryAfter((l.After + time.Second - time.Nanosecond).Truncate(time.Second))
}

func retrySoon(_ error, e *rpcerr.Error) *rpcerr.Error { return e.RetryAfter(time.Second) }

func at(path string) func(error, *rpcerr.Error) *rpcerr.Error {
	return func(_ error, e *rpcerr.Error) *rpcerr.Error { return e.Field(path, e.Error()) }
}

// fieldError notes in which field of the request the fault lies, where the domain cannot know.
type fieldError struct {
	path string
	err  error
}

func (f fieldError) Error() string { return f.err.Error() }
func (f fieldError) Unwrap() error { return f.err }

// in puts err into a field; nil stays nil.
func in(path string, err error) error {
	if err == nil {
		return nil
	}
	return fieldError{path, err}
}

func weak(err error) bool {
	var w account.WeakPasswordError
	return errors.As(err, &w)
}

func weakness(err error, e *rpcerr.Error) *rpcerr.Error {
	var w account.WeakPasswordError
	var f fieldError
	if !errors.As(err, &w) {
		return e
	}
	path := "password"
	if errors.As(err, &f) {
		path = f.path
	}
	return e.Field(path, w.Rule)
}
