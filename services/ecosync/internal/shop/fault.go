package shop

import (
	"errors"
	"fmt"
	"time"
)

// Class is the kind of a fault: all that is ever told about a failed request.
// The body of a foreign answer is never repeated, neither to a caller nor in a
// log (DESIGN 9).
type Class string

const (
	// Unauthorised: the token is absent or unknown (401).
	Unauthorised Class = "UNAUTHORISED"
	// Forbidden: the token is known and may not: expired, regenerated, or
	// without permission (403).
	Forbidden Class = "FORBIDDEN"
	// NotFound: the thing is not there, said in JSON (404). HTML is WrongShape:
	// an error page of some proxy is no proof of absence (lesson P29).
	NotFound Class = "NOT_FOUND"
	// RateLimited: 429; see Fault.RetryAfter.
	RateLimited Class = "RATE_LIMITED"
	// ServerError: any 5xx, whatever its body.
	ServerError Class = "SERVER_ERROR"
	// Truncated: the answer ended in the middle.
	Truncated Class = "TRUNCATED"
	// WrongShape: an answer that is not the JSON of this API.
	WrongShape Class = "WRONG_SHAPE"
	// TooLarge: an answer over the size limit.
	TooLarge Class = "TOO_LARGE"
	// Redirected: the host answered with another address, which is not followed.
	Redirected Class = "REDIRECTED"
	// Refused: any other 4xx.
	Refused Class = "REFUSED"
	// TimedOut: no answer within the limit.
	TimedOut Class = "TIMED_OUT"
	// Unreachable: no connection, a reset, a name that does not resolve, or a
	// certificate that does not hold.
	Unreachable Class = "UNREACHABLE"
	// Blocked: the address lies inside our own network and is not on the
	// allow-list.
	Blocked Class = "BLOCKED"
)

// RetryAfterUnknown stands in Fault.RetryAfter when a 429 did not say.
const RetryAfterUnknown time.Duration = -1

// Fault is a failed request.
type Fault struct {
	Class  Class
	Status int
	// RetryAfter is set for RateLimited and for a 503 that says it;
	// RetryAfterUnknown otherwise.
	RetryAfter time.Duration
	cause      error
}

// NewFault makes a fault; cause may be nil and is for errors.Is only: its text
// may quote a URL, so Error leaves it out.
func NewFault(class Class, status int, cause error) *Fault {
	return &Fault{Class: class, Status: status, RetryAfter: RetryAfterUnknown, cause: cause}
}

func (f *Fault) Error() string {
	if f.Status != 0 {
		return fmt.Sprintf("the shop answered %s (HTTP %d)", f.Class, f.Status)
	}
	return fmt.Sprintf("the shop answered %s", f.Class)
}

func (f *Fault) Unwrap() error { return f.cause }

// NeedsPerson tells faults that no repetition cures: the store is paused until
// somebody acts.
func (f *Fault) NeedsPerson() bool {
	return f.Class == Unauthorised || f.Class == Forbidden
}

// Transient tells faults that the next try may not meet.
func (f *Fault) Transient() bool {
	switch f.Class {
	case ServerError, Truncated, TimedOut, Unreachable, WrongShape:
		// WrongShape is among them because a load balancer in trouble answers
		// 200 with HTML; the number of tries is bounded anyway.
		return true
	default:
		return false
	}
}

// ClassOf gives the class of an error of this package, and "" for any other.
func ClassOf(err error) Class {
	var f *Fault
	if errors.As(err, &f) {
		return f.Class
	}
	return ""
}
