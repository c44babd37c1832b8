package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
	auditv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/audit/v1"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
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
	for _, e := range events {
		event, err := toAuditEvent(e)
		if err != nil {
			return nil, err
		}
		res.Events = append(res.Events, event)
	}
	return res, nil
}

func toAuditEvent(e audit.Event) (*auditv1.AuditEvent, error) {
	before, err := toStruct(e.Before)
	if err != nil {
		return nil, fmt.Errorf("audit event %d: %w", e.ID, err)
	}
	after, err := toStruct(e.After)
	if err != nil {
		return nil, fmt.Errorf("audit event %d: %w", e.ID, err)
	}
	return &auditv1.AuditEvent{
		Id: strconv.FormatInt(e.ID, 10), At: timestamp(e.At), ActorId: e.Actor,
		Role: accessv1.Role_Value(accessv1.Role_Value_value[e.Role]), Address: e.Address, Action: e.Action,
		Resource: e.Resource, Before: before, After: after, Reason: e.Reason, RequestId: e.RequestID,
	}, nil
}

func toStruct(doc json.RawMessage) (*structpb.Struct, error) {
	if len(doc) == 0 {
		return nil, nil
	}
	s := &structpb.Struct{}
	return s, s.UnmarshalJSON(doc)
}
