package suite

import (
	"encoding/json"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	auditv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/audit/v1"
)

// AuditEvents puts a page of the audit trail on the wire, in its order.
func AuditEvents(page []audit.Event) ([]*auditv1.AuditEvent, error) {
	events := make([]*auditv1.AuditEvent, 0, len(page))
	for _, e := range page {
		before, err := Struct(e.Before)
		if err != nil {
			return nil, fmt.Errorf("audit event %d: %w", e.ID, err)
		}
		after, err := Struct(e.After)
		if err != nil {
			return nil, fmt.Errorf("audit event %d: %w", e.ID, err)
		}
		events = append(events, &auditv1.AuditEvent{
			Id: strconv.FormatInt(e.ID, 10), At: timestamppb.New(e.At), ActorId: e.Actor, Role: e.Role,
			Address: e.Address, Action: e.Action, Resource: e.Resource, Before: before, After: after, Reason: e.Reason, RequestId: e.RequestID,
		})
	}
	return events, nil
}

// Struct reads a JSON object of a column. An object without fields is absent on the wire: nothing was there, or nothing changed.
func Struct(doc json.RawMessage) (*structpb.Struct, error) {
	if len(doc) == 0 {
		return nil, nil //nolint:nilnil // no document is no object, and nothing is wrong with it
	}
	object := &structpb.Struct{}
	if err := object.UnmarshalJSON(doc); err != nil || len(object.GetFields()) == 0 {
		return nil, err
	}
	return object, nil
}
