package rpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/statemap"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// GetStateMap answers how a store's states are read.
func (s *Server) GetStateMap(ctx context.Context, req *ecosyncv1.GetStateMapRequest) (*ecosyncv1.GetStateMapResponse, error) {
	states, unknown, err := s.stores.StateMap(ctx, req.GetStoreId())
	if err != nil {
		return nil, err
	}
	return toStateMap(states, unknown), nil
}

// UpdateStateMap replaces the rules, or only says what that would do.
func (s *Server) UpdateStateMap(ctx context.Context, req *ecosyncv1.UpdateStateMapRequest) (*ecosyncv1.UpdateStateMapResponse, error) {
	change := store.MapChange{Version: int64(req.GetVersion()), ValidateOnly: req.GetValidateOnly()}
	for _, r := range req.GetRules() {
		change.Entries = append(change.Entries, statemap.Entry{
			State: r.GetState(), Prefix: r.GetPrefix(), Meaning: statemap.Meaning(r.GetMeaning().String()),
		})
	}
	version, done, err := s.stores.UpdateStateMap(ctx, req.GetStoreId(), change, store.Request{Action: "UpdateStateMap"})
	if err != nil {
		return nil, err
	}
	return &ecosyncv1.UpdateStateMapResponse{
		Version: count(version), MeaningChanged: count(done.MeaningChanged), BecameReady: count(done.BecameReady),
	}, nil
}

func mapInvalid(err error) bool {
	var e *statemap.InvalidError
	return errors.As(err, &e)
}

// rule names the rule that stands in the way.
func rule(err error, e *rpcerr.Error) *rpcerr.Error {
	var invalid *statemap.InvalidError
	if errors.As(err, &invalid) {
		e = e.Field(fmt.Sprintf("rules[%d]", invalid.Index), invalid.Reason)
	}
	return e
}
