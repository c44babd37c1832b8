// Package rpc answers EcosyncService: convert in, call the domain, convert out.
//
// It holds no rule. Who may call what stands in the contract and is enforced
// before a method here runs; what the domain refuses becomes a status by the one
// table in errors.go. Start reading at Server.
package rpc

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/condition"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quarantine"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// Server implements EcosyncService.
type Server struct {
	ecosyncv1.UnimplementedEcosyncServiceServer

	stores     *store.Service
	engine     *pass.Engine
	history    History
	quota      Quota
	quarantine *quarantine.Service
	zone       *time.Location
	retention  time.Duration
	now        func() time.Time
}

// History is what was kept of passes and changes.
type History interface {
	// LastPasses reads the last pass of each store; a store without one is
	// absent.
	LastPasses(ctx context.Context, storeIDs []string) (map[string]pass.Pass, error)
	// Audit answers a page, newest first, and the position of the next; 0 when
	// there is none.
	Audit(ctx context.Context, f audit.Filter) ([]audit.Event, int64, error)
	// Passes lists a store's passes, newest first, those before an id; 0 begins
	// at the newest.
	Passes(ctx context.Context, storeID string, before int64, limit int) ([]pass.Pass, error)
	// Quarantine lists likewise what could not become orders.
	Quarantine(ctx context.Context, storeID string, resolved bool, before int64, limit int) ([]quarantine.Row, error)
	// Facts is what is known of every store that is not switched off.
	Facts(ctx context.Context) ([]condition.Facts, error)
	// Cleanup removes what is past its retention.
	Cleanup(ctx context.Context, retention time.Duration) ([]store.Removed, error)
}

// Quota is what was spent of tokens.
type Quota interface {
	// Spent of one store's token, at the moment that is answered with it.
	Spent(ctx context.Context, storeID string) (quota.State, time.Time, error)
	// Left in the tightest window of each store's token.
	Left(ctx context.Context, storeIDs []string) (map[string]int64, error)
}

// Deps is what a Server works with.
type Deps struct {
	Stores  *store.Service
	Engine  *pass.Engine
	History History
	Quota   Quota
	// Quarantine tries rows again.
	Quarantine *quarantine.Service
	Zone       *time.Location // of business days
	// Retention is how long passes are kept: LOG_RETENTION_DAYS.
	Retention time.Duration
	Now       func() time.Time
}

// NewServer puts a Server together.
func NewServer(d Deps) *Server {
	return &Server{stores: d.Stores, engine: d.Engine, history: d.History, quota: d.Quota, quarantine: d.Quarantine, zone: d.Zone, retention: d.Retention, now: d.Now}
}

// ListStores lists stores by identifier.
func (s *Server) ListStores(ctx context.Context, req *ecosyncv1.ListStoresRequest) (*ecosyncv1.ListStoresResponse, error) {
	f, bound := fromListStores(ctx, req)
	var err error
	if f.After, err = parsePageToken(req.GetPageToken(), bound); err != nil {
		return nil, err
	}
	stores, err := s.stores.List(ctx, f)
	if err != nil {
		return nil, err
	}
	res := &ecosyncv1.ListStoresResponse{}
	if len(stores) == f.Limit { // one more than asked for: there is another page
		stores = stores[:f.Limit-1]
		res.NextPageToken = pageToken(stores[len(stores)-1].Identifier, bound)
	}
	res.Stores, err = s.show(ctx, stores...)
	return res, err
}

// show adds each store's last pass and what is left of its quota.
func (s *Server) show(ctx context.Context, stores ...store.Store) ([]*ecosyncv1.Store, error) {
	ids := make([]string, len(stores))
	for i, st := range stores {
		ids[i] = st.ID
	}
	last, err := s.history.LastPasses(ctx, ids)
	if err != nil {
		return nil, err
	}
	left, err := s.quota.Left(ctx, ids)
	if err != nil {
		return nil, err
	}
	shown := make([]*ecosyncv1.Store, len(stores))
	for i, st := range stores {
		shown[i] = toStore(st)
		shown[i].QuotaLeft = count(left[st.ID])
		if p, ok := last[st.ID]; ok {
			shown[i].LastPass = toPass(p)
		}
	}
	return shown, nil
}

func (s *Server) showOne(ctx context.Context, st store.Store, err error) (*ecosyncv1.Store, error) {
	if err != nil {
		return nil, err
	}
	shown, err := s.show(ctx, st)
	if err != nil {
		return nil, err
	}
	return shown[0], nil
}

// CreateStore makes a store.
func (s *Server) CreateStore(ctx context.Context, req *ecosyncv1.CreateStoreRequest) (*ecosyncv1.CreateStoreResponse, error) {
	r, err := creation(ctx, req)
	if err != nil {
		return nil, err
	}
	made, err := s.stores.Create(ctx, fromCreateStore(req), r)
	shown, err := s.showOne(ctx, made, err)
	return &ecosyncv1.CreateStoreResponse{Store: shown}, err
}

// GetStore answers one store.
func (s *Server) GetStore(ctx context.Context, req *ecosyncv1.GetStoreRequest) (*ecosyncv1.GetStoreResponse, error) {
	found, err := s.stores.Find(ctx, req.GetStoreId())
	shown, err := s.showOne(ctx, found, err)
	return &ecosyncv1.GetStoreResponse{Store: shown}, err
}

// UpdateStore changes settings.
func (s *Server) UpdateStore(ctx context.Context, req *ecosyncv1.UpdateStoreRequest) (*ecosyncv1.UpdateStoreResponse, error) {
	change, err := fromUpdateStore(req)
	if err != nil {
		return nil, err
	}
	changed, err := s.stores.Update(ctx, req.GetStoreId(), change, store.Request{Action: "UpdateStore"})
	shown, err := s.showOne(ctx, changed, err)
	return &ecosyncv1.UpdateStoreResponse{Store: shown}, err
}

// DeleteStore removes a store without orders.
func (s *Server) DeleteStore(ctx context.Context, req *ecosyncv1.DeleteStoreRequest) (*ecosyncv1.DeleteStoreResponse, error) {
	return &ecosyncv1.DeleteStoreResponse{}, s.stores.Delete(ctx, req.GetStoreId(), store.Request{Action: "DeleteStore"})
}

// TestConnection tries the stored address and token.
func (s *Server) TestConnection(ctx context.Context, req *ecosyncv1.TestConnectionRequest) (*ecosyncv1.TestConnectionResponse, error) {
	failed, err := s.stores.Test(ctx, req.GetStoreId())
	if err != nil {
		return nil, err
	}
	res := &ecosyncv1.TestConnectionResponse{Ok: failed == nil, TestedAt: timestamppb.New(s.now())}
	if failed != nil {
		res.Failure, res.Message = toFailure(failed.Failure), failed.Advice
	}
	return res, nil
}

// PauseStore stops passes.
func (s *Server) PauseStore(ctx context.Context, req *ecosyncv1.PauseStoreRequest) (*ecosyncv1.PauseStoreResponse, error) {
	paused, err := s.stores.Pause(ctx, req.GetStoreId(), store.Request{Action: "PauseStore", Reason: req.GetReason()})
	shown, err := s.showOne(ctx, paused, err)
	return &ecosyncv1.PauseStoreResponse{Store: shown}, err
}

// ResumeStore lets passes run again.
func (s *Server) ResumeStore(ctx context.Context, req *ecosyncv1.ResumeStoreRequest) (*ecosyncv1.ResumeStoreResponse, error) {
	resumed, err := s.stores.Resume(ctx, req.GetStoreId(), store.Request{Action: "ResumeStore", Reason: req.GetReason()})
	shown, err := s.showOne(ctx, resumed, err)
	return &ecosyncv1.ResumeStoreResponse{Store: shown}, err
}

// Cleanup removes what is past its retention.
func (s *Server) Cleanup(ctx context.Context, _ *ecosyncv1.CleanupRequest) (*ecosyncv1.CleanupResponse, error) {
	removed, err := s.history.Cleanup(ctx, s.retention)
	if err != nil {
		return nil, err
	}
	res := &ecosyncv1.CleanupResponse{}
	for _, r := range removed {
		res.Removed = append(res.Removed, &ecosyncv1.CleanupCount{Kind: r.Kind, Count: count(r.Count)})
	}
	return res, nil
}
