package rpc

import (
	"context"
	"strconv"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
)

// ListAuditEvents lists changes to stores, newest first.
func (s *Server) ListAuditEvents(ctx context.Context, req *ecosyncv1.ListAuditEventsRequest) (*ecosyncv1.ListAuditEventsResponse, error) {
	begin, end, err := days(req.GetFrom(), req.GetTo(), s.zone)
	if err != nil {
		return nil, err
	}
	bound := scope(ctx, "audit", req.GetActorId(), req.GetResource(), req.GetFrom(), req.GetTo())
	key, err := parsePageToken(req.GetPageToken(), bound)
	if err != nil {
		return nil, err
	}
	f := audit.Filter{Actor: req.GetActorId(), Resource: req.GetResource(), From: begin, To: end, PageSize: pageSize(req.GetPageSize())}
	if key != "" {
		if f.After, err = strconv.ParseInt(key, 10, 64); err != nil {
			return nil, errPageToken
		}
	}
	events, next, err := s.history.Audit(ctx, f)
	if err != nil {
		return nil, err
	}
	res := &ecosyncv1.ListAuditEventsResponse{}
	if next != 0 {
		res.NextPageToken = pageToken(strconv.FormatInt(next, 10), bound)
	}
	res.Events, err = suite.AuditEvents(events)
	return res, err
}
