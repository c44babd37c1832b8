package shop

import "fmt"

// Failure is why a pass or a connection test did not succeed, in the few words
// that a person can act on. The values are those of the contract and are
// stored.
type Failure string

const (
	NoFailure         Failure = ""
	TokenRefused      Failure = "TOKEN_REFUSED"
	RateLimitReached  Failure = "RATE_LIMITED"
	Unavailable       Failure = "SHOP_UNAVAILABLE"
	AnswerInvalid     Failure = "ANSWER_INVALID"
	OrderBroken       Failure = "ORDER_BROKEN"
	OrdersUnavailable Failure = "ORDERS_UNAVAILABLE"
	OtherShop         Failure = "OTHER_SHOP"
	Internal          Failure = "INTERNAL"
	AddressRefused    Failure = "ADDRESS_REFUSED"
)

// FailureOf folds the class of a fault into the failure that people see; an
// error that is no fault is ours.
func FailureOf(err error) Failure {
	switch ClassOf(err) {
	case Unauthorised, Forbidden:
		return TokenRefused
	case RateLimited:
		return RateLimitReached
	case ServerError, TimedOut, Unreachable:
		return Unavailable
	case Truncated, WrongShape, TooLarge, NotFound, Refused, Redirected:
		return AnswerInvalid
	case Blocked:
		return AddressRefused
	default:
		if err == nil {
			return NoFailure
		}
		return Internal
	}
}

// Advice says what happened and what to do about it, in words of ours: the
// shop's own text is never shown.
func Advice(err error) string {
	switch class := ClassOf(err); class {
	case Unauthorised:
		return "the shop does not know this token (401): make a new one in EcoManager and save it here"
	case Forbidden:
		return "the shop knows this token and refuses it (403): it has expired, was regenerated or lacks the permission to read orders; make a new one in EcoManager and save it here"
	case RateLimited:
		return "the shop asks to wait (429): try again later"
	case ServerError:
		return "the shop answers with an error of its own (5xx): try again later"
	case TimedOut:
		return "the shop did not answer in time: try again later"
	case Unreachable:
		return "the shop cannot be reached: check the host name and the network"
	case Blocked:
		return "the address lies inside a private network: name exactly its host:port in UPSTREAM_ALLOWED_HOSTS if that is meant"
	case Redirected:
		return "the host answers with another address, which is not followed: enter the address it redirects to"
	case NotFound, WrongShape, Refused:
		return "the host does not answer like an EcoManager shop: check the base URL"
	case Truncated:
		return "the answer broke off in the middle: try again later"
	case TooLarge:
		return "the answer is larger than any page of orders: check the base URL"
	case "":
		return "an error of ours; the log has it under the request id"
	default:
		return fmt.Sprintf("the shop answered %s", class)
	}
}
