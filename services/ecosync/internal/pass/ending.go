package pass

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// finish turns the end of the walk into the record and closes it.
func (r *run) finish(ctx context.Context, err error) Pass {
	ending := r.ending(err)
	ending.Counts = r.counts()
	ending.Counts.Gaps = int64(len(r.position.Gaps))
	ending.Position = r.position
	if shop.Internal == ending.Failure {
		r.engine.log.ErrorContext(ctx, "a pass failed", "store", r.store.Identifier, "pass", r.ticket.PassID, "error", err)
	}
	// The term is given back even when the caller has left: the next pass need
	// not wait for the lease to run out.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTime)
	defer cancel()
	if err := r.close(closing, ending); err != nil {
		r.engine.log.ErrorContext(ctx, "a pass could not be closed", "store", r.store.Identifier, "pass", r.ticket.PassID, "error", err)
		if ending.Result == Succeeded {
			// The position did not move, so the pass did not succeed.
			ending.Result, ending.Failure, ending.Message = Failed, shop.Internal, "the position could not be written"
		}
	}
	c := ending.Counts
	r.engine.log.InfoContext(ctx, "pass ended", "store", r.store.Identifier, "pass", r.ticket.PassID,
		"result", string(ending.Result), "failure", string(ending.Failure),
		"requests", c.Requests, "created", c.Created, "updated", c.Updated, "quarantined", c.Quarantined)
	r.note(func(p *Pass) {
		p.EndedAt, p.WaitingUntil = r.engine.now(), time.Time{}
		p.Counts = ending.Counts
		p.Result, p.Failure, p.Message, p.ResumeAt = ending.Result, ending.Failure, ending.Message, ending.ResumeAt
	})
	return r.pass
}

// remarks says what a pass that succeeded did not do: nothing is passed over in
// silence.
func (r *run) remarks() string {
	var remarks []string
	if n := r.counts().Outside; n > 0 {
		remarks = append(remarks, fmt.Sprintf("%d rows unchanged since before %s were left to a backfill",
			n, r.position.Floor.UTC().Format(time.DateOnly)))
	}
	if r.position.Mode == IDOnly {
		remarks = append(remarks, "the shop's listing by last change is not dependable: ids were walked instead")
	}
	return strings.Join(remarks, "; ")
}

// ending names why the walk ended.
func (r *run) ending(err error) Ending {
	e := Ending{Result: Failed, TokenVersion: r.store.Credential.Version}
	var order *OrderError
	var wait *waitError
	var fault *shop.Fault
	switch {
	case err == nil:
		e.Result, e.Message = Succeeded, r.remarks()
	case errors.Is(err, errLeft), errors.Is(err, context.Canceled):
		e.Result, e.Message = Cancelled, "cancelled; the next pass goes on"
	case errors.Is(err, ErrPaused):
		e.Result, e.Message = Cancelled, err.Error()
	case errors.Is(err, ErrTermLost):
		e.Result, e.Message = Abandoned, err.Error()
	case errors.As(err, &order):
		e.Failure, e.Message = shop.OrderBroken, order.Error()
	case errors.Is(err, errOtherShop):
		e.Failure, e.Pause = shop.OtherShop, true
		e.Message = "the shop answers orders of another shop: check base URL and token"
	case errors.As(err, &wait):
		e.Result, e.Failure, e.ResumeAt = Deferred, shop.RateLimitReached, wait.until
		if !errors.Is(wait.cause, errQuota) {
			e.Failure = shop.FailureOf(wait.cause)
		}
		e.Message = fmt.Sprintf("goes on at %s: %s", wait.until.UTC().Format(time.RFC3339), advice(wait.cause))
	case errors.As(err, &fault):
		e.Failure, e.Message, e.Pause = shop.FailureOf(err), shop.Advice(err), fault.NeedsPerson()
	case errors.Is(err, errNoClock):
		e.Failure, e.Message = shop.AnswerInvalid, err.Error()
	case errors.Is(err, ErrOrdersUnavailable):
		e.Failure, e.Message = shop.OrdersUnavailable, ErrOrdersUnavailable.Error()
	default:
		e.Failure, e.Message = shop.Internal, shop.Advice(err)
	}
	if stuck := len(r.position.Gaps); stuck > 0 && e.Result == Failed {
		e.Message = fmt.Sprintf("%s; parts of the listing left for later passes: %d", e.Message, stuck)
	}
	return e
}

// failureOf names what a gap met.
func failureOf(err error) shop.Failure {
	var order *OrderError
	if errors.As(err, &order) {
		return shop.OrderBroken
	}
	return shop.FailureOf(err)
}
