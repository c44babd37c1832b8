package rpc

import (
	"errors"
	"strconv"

	"google.golang.org/grpc/codes"

	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quarantine"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// Errors says what each error of the domain is to the outside.
var Errors = rpcerr.Table{
	{Err: store.ErrNotFound, Code: codes.NotFound, Reason: ecosyncv1.ErrorReason_STORE_NOT_FOUND},
	{Err: store.ErrIdentifierTaken, Code: codes.AlreadyExists, Reason: ecosyncv1.ErrorReason_IDENTIFIER_TAKEN, Detail: at("identifier")},
	{Err: store.ErrTokenInUse, Code: codes.AlreadyExists, Reason: ecosyncv1.ErrorReason_TOKEN_IN_USE, Detail: at("apiToken")},
	{Match: malformed, Code: codes.InvalidArgument, Reason: ecosyncv1.ErrorReason_BASE_URL_INVALID, Detail: at("baseUrl")},
	{Err: store.ErrURLNotAllowed, Code: codes.InvalidArgument, Reason: ecosyncv1.ErrorReason_BASE_URL_NOT_ALLOWED, Message: "the host is not on the allow-list: an operator can add it to UPSTREAM_ALLOWED_HOSTS", Detail: at("baseUrl")},
	{Match: notConnected, Code: codes.FailedPrecondition, Reason: ecosyncv1.ErrorReason_CONNECTION_FAILED, Detail: failure},
	{Err: store.ErrOtherShop, Code: codes.FailedPrecondition, Reason: ecosyncv1.ErrorReason_OTHER_SHOP},
	{Match: hasOrders, Code: codes.FailedPrecondition, Reason: ecosyncv1.ErrorReason_STORE_HAS_ORDERS, Detail: orders},
	{Err: store.ErrStale, Code: codes.Aborted, Reason: ecosyncv1.ErrorReason_ETAG_STALE, Message: "somebody changed the store meanwhile: read it again and repeat"},
	{Err: store.ErrMapStale, Code: codes.Aborted, Reason: ecosyncv1.ErrorReason_ETAG_STALE, Message: "somebody changed the state map meanwhile: read it again and repeat", Detail: at("version")},
	{Match: mapInvalid, Code: codes.InvalidArgument, Reason: ecosyncv1.ErrorReason_STATE_MAP_INVALID, Detail: rule},
	{Err: store.ErrBusy, Code: codes.Aborted, Reason: ecosyncv1.ErrorReason_STORE_BUSY, Message: "a pass over the store is running: pause the store, and repeat when the pass has ended"},
	{Err: store.ErrZoneInvalid, Code: codes.InvalidArgument, Reason: ecosyncv1.ErrorReason_TIME_ZONE_INVALID, Detail: at("timeZone")},
	{Err: store.ErrZoneFixed, Code: codes.FailedPrecondition, Reason: ecosyncv1.ErrorReason_TIME_ZONE_FIXED, Detail: at("timeZone")},
	{Err: store.ErrIncomplete, Code: codes.InvalidArgument, Reason: accessv1.ErrorReason_INVALID_REQUEST, Domain: rpcerr.PlumbingDomain},
	{Err: store.ErrOrdersUnavailable, Code: codes.Unavailable, Reason: accessv1.ErrorReason_DEPENDENCY_UNAVAILABLE, Domain: rpcerr.PlumbingDomain, Message: "the orders service cannot be asked about this store at the moment; please try again", Detail: soon},
	{Err: pass.ErrOrdersUnavailable, Code: codes.Unavailable, Reason: accessv1.ErrorReason_DEPENDENCY_UNAVAILABLE, Domain: rpcerr.PlumbingDomain, Message: "the orders service cannot be reached at the moment; please try again", Detail: soon},
	{Err: quarantine.ErrNotFound, Code: codes.NotFound, Reason: ecosyncv1.ErrorReason_QUARANTINE_NOT_FOUND},
	{Err: errPageToken, Code: codes.InvalidArgument, Reason: ecosyncv1.ErrorReason_PAGE_TOKEN_INVALID, Detail: at("pageToken")},
	{Err: errDay, Code: codes.InvalidArgument, Reason: ecosyncv1.ErrorReason_DATE_INVALID, Detail: at("from, to")},
	{Err: idempotency.ErrReused, Code: codes.InvalidArgument, Reason: accessv1.ErrorReason_REQUEST_ID_REUSED, Domain: rpcerr.PlumbingDomain, Message: "this request id came before with another body: use a new one", Detail: at("requestId")},
}

func at(path string) func(error, *rpcerr.Error) *rpcerr.Error {
	return func(_ error, e *rpcerr.Error) *rpcerr.Error { return e.Field(path, e.Error()) }
}

func soon(_ error, e *rpcerr.Error) *rpcerr.Error { return e.RetryAfter(rpcerr.UnavailableRetry) }

func malformed(err error) bool {
	var e *store.URLError
	return errors.As(err, &e)
}

func notConnected(err error) bool {
	var e *store.ConnectionError
	return errors.As(err, &e)
}

func failure(err error, e *rpcerr.Error) *rpcerr.Error {
	var c *store.ConnectionError
	if errors.As(err, &c) {
		e = e.With("failure", string(c.Failure))
	}
	return e
}

func hasOrders(err error) bool {
	var e *store.HasOrdersError
	return errors.As(err, &e)
}

func orders(err error, e *rpcerr.Error) *rpcerr.Error {
	var h *store.HasOrdersError
	if errors.As(err, &h) {
		e = e.With("orders", strconv.FormatInt(h.Count, 10))
	}
	return e
}
