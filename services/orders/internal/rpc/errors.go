package rpc

import (
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// Errors says what each error of the domain is to the outside.
var Errors = rpcerr.Table{
	{Err: order.ErrNotFound, Code: codes.NotFound, Reason: ordersv1.ErrorReason_ORDER_NOT_FOUND, Message: "no such order"},
	{Match: is[*order.TransitionError], Code: codes.FailedPrecondition, Reason: ordersv1.ErrorReason_TRANSITION_NOT_ALLOWED, Detail: transition},
	{Err: order.ErrReasonRequired, Code: codes.InvalidArgument, Reason: ordersv1.ErrorReason_REASON_REQUIRED, Detail: at("reason")},
	{Err: order.ErrOvertaken, Code: codes.Aborted, Reason: ordersv1.ErrorReason_INGEST_OVERTAKEN, Message: "other streams stored orders of this batch first: send it again", Detail: retryLater},
	{Err: order.ErrStale, Code: codes.Aborted, Reason: ordersv1.ErrorReason_ETAG_STALE, Message: "somebody changed the order meanwhile: read it again and repeat"},
	{Match: is[*order.OwnedByShopError], Code: codes.FailedPrecondition, Reason: ordersv1.ErrorReason_FIELD_OWNED_BY_SHOP, Message: "the shop owns this field: change it there", Detail: ownedField},
	{Match: is[*order.NotAllowedError], Code: codes.PermissionDenied, Reason: ordersv1.ErrorReason_FIELD_NOT_ALLOWED, Message: "this field is for managers and admins", Detail: deniedField},
	{Err: order.ErrPhoneInvalid, Code: codes.InvalidArgument, Reason: ordersv1.ErrorReason_PHONE_INVALID, Message: "this cannot be a telephone number", Detail: at("phone")},
	{Err: order.ErrWilayaUnknown, Code: codes.InvalidArgument, Reason: ordersv1.ErrorReason_WILAYA_UNKNOWN, Detail: at("wilayaCode")},
	{Err: order.ErrMoneyInvalid, Code: codes.InvalidArgument, Reason: ordersv1.ErrorReason_MONEY_INVALID, Message: "an amount is negative, finer than a centime or in another currency than DZD"},
	{Err: order.ErrTextInvalid, Code: codes.InvalidArgument, Reason: rpcerr.ReasonInvalidRequest, Domain: rpcerr.PlumbingDomain, Message: order.ErrTextInvalid.Error()},
	{Err: order.ErrTextMissing, Code: codes.InvalidArgument, Reason: rpcerr.ReasonInvalidRequest, Domain: rpcerr.PlumbingDomain, Message: order.ErrTextMissing.Error()},
	{Err: order.ErrPageTokenInvalid, Code: codes.InvalidArgument, Reason: ordersv1.ErrorReason_PAGE_TOKEN_INVALID, Message: "the page token is damaged or belongs to another list", Detail: at("pageToken")},
	{Err: order.ErrQueryTooShort, Code: codes.InvalidArgument, Reason: ordersv1.ErrorReason_QUERY_TOO_SHORT, Message: "a number needs 8 digits and a name 3 letters", Detail: at("q")},
	{Err: order.ErrQueryTooBroad, Code: codes.Unavailable, Reason: ordersv1.ErrorReason_QUERY_TOO_BROAD, Message: "the list would read too much: add a filter", Detail: retryLater},
	{Err: order.ErrDateInvalid, Code: codes.InvalidArgument, Reason: ordersv1.ErrorReason_DATE_INVALID, Message: "a day is not a date of the calendar"},
	{Err: idempotency.ErrReused, Code: codes.InvalidArgument, Reason: rpcerr.ReasonRequestIDReused, Domain: rpcerr.PlumbingDomain, Message: "this request id came before with another body: use a new one", Detail: at("requestId")},
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

func at(path string) func(error, *rpcerr.Error) *rpcerr.Error {
	return func(_ error, e *rpcerr.Error) *rpcerr.Error { return e.Field(path, e.Error()) }
}

func transition(err error, e *rpcerr.Error) *rpcerr.Error {
	var t *order.TransitionError
	if !errors.As(err, &t) {
		return e
	}
	return e.With("from", string(t.From)).With("to", string(t.To))
}

func ownedField(err error, e *rpcerr.Error) *rpcerr.Error {
	var owned *order.OwnedByShopError
	if !errors.As(err, &owned) {
		return e
	}
	return e.Field(owned.Field, e.Error())
}

func deniedField(err error, e *rpcerr.Error) *rpcerr.Error {
	var denied *order.NotAllowedError
	if !errors.As(err, &denied) {
		return e
	}
	return e.Field(denied.Field, e.Error())
}

func retryLater(_ error, e *rpcerr.Error) *rpcerr.Error { return e.RetryAfter(rpcerr.UnavailableRetry) }
