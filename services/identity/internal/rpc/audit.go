package rpc

import (
	"context"
	"strconv"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
)

// AuditTrail reads what was written with each change.
type AuditTrail interface {
	// AuditEvents answers a page, newest first, and the position of the next; 0 when there is none.
	AuditEvents(ctx context.Context, f audit.Filter) ([]audit.Event, int64, error)
}

// ListAuditEvents lists changes of users, newest first.
func (s *Server) ListAuditEvents(
	ctx context.Context, req *identityv1.ListAuditEventsRequest,
) (*identityv1.ListAuditEventsResponse, error) {
	begin, end, err := days(req.GetFrom(), req.GetTo(), s.zone)
	if err != nil {
		return nil, err
	}
	bound := scope(ctx, "audit", req.GetActorId(), req.GetResource(), req.GetFrom(), req.GetTo())
	key, err := account.ParsePageToken(req.GetPageToken(), bound)
	if err != nil {
		return nil, err
	}
	f := audit.Filter{
		Actor: req.GetActorId(), Resource: req.GetResource(), From: begin, To: end, PageSize: pageSize(req.GetPageSize()),
	}
	if key != "" {
		if f.After, err = strconv.ParseInt(key, 10, 64); err != nil {
			return nil, account.ErrPageTokenInvalid
		}
	}
	events, next, err := s.trail.AuditEvents(ctx, f)
	if err != nil {
		return nil, err
	}
	res := &identityv1.ListAuditEventsResponse{}
	if next != 0 {
		res.NextPageToken = account.PageToken(strconv.FormatInt(next, 10), bound)
	}
	res.Events, err = suite.AuditEvents(events)
	return res, err
}
