package rpc

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/condition"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quarantine"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
)

// ListPasses lists the passes of a store, newest first.
func (s *Server) ListPasses(ctx context.Context, req *ecosyncv1.ListPassesRequest) (*ecosyncv1.ListPassesResponse, error) {
	bound := scope(ctx, "passes", req.GetStoreId())
	before, err := s.position(ctx, req.GetStoreId(), req.GetPageToken(), bound)
	if err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	passes, err := s.history.Passes(ctx, req.GetStoreId(), before, size+1)
	if err != nil {
		return nil, err
	}
	res := &ecosyncv1.ListPassesResponse{}
	if len(passes) > size {
		passes = passes[:size]
		res.NextPageToken = pageToken(strconv.FormatInt(passes[size-1].ID, 10), bound)
	}
	for _, p := range passes {
		res.Passes = append(res.Passes, toPass(p))
	}
	return res, nil
}

// position reads a page token of a list by id under a store, which must exist.
func (s *Server) position(ctx context.Context, storeID, token, bound string) (before int64, err error) {
	key, err := parsePageToken(token, bound)
	if err != nil {
		return 0, err
	}
	if key != "" {
		if before, err = strconv.ParseInt(key, 10, 64); err != nil {
			return 0, errPageToken
		}
	}
	_, err = s.stores.Find(ctx, storeID)
	return before, err
}

// GetRateLimits answers what is left of the four windows.
func (s *Server) GetRateLimits(ctx context.Context, req *ecosyncv1.GetRateLimitsRequest) (*ecosyncv1.GetRateLimitsResponse, error) {
	if _, err := s.stores.Find(ctx, req.GetStoreId()); err != nil {
		return nil, err
	}
	spent, now, err := s.quota.Spent(ctx, req.GetStoreId())
	if err != nil {
		return nil, err
	}
	spent = spent.At(now)
	res := &ecosyncv1.GetRateLimitsResponse{BlockedUntil: timestamp(spent.BlockedUntil)}
	for i, w := range spent.Windows {
		shown := &ecosyncv1.RateLimit{
			WindowSeconds: count(int64(quota.Length(i) / time.Second)), Limit: count(quota.Limit(i, quota.Live)), Spent: count(w.Spent),
		}
		if w.Spent > 0 { // an empty window begins with its next request
			shown.ResetsAt = timestamp(w.Began.Add(quota.Length(i)))
		}
		res.Windows = append(res.Windows, shown)
	}
	return res, nil
}

// mostRaw bounds the raw rows of one page, in bytes: a message has an end.
const mostRaw = 2 << 20

// ListQuarantine lists rows that could not become orders, newest first.
func (s *Server) ListQuarantine(ctx context.Context, req *ecosyncv1.ListQuarantineRequest) (*ecosyncv1.ListQuarantineResponse, error) {
	bound := scope(ctx, "quarantine", req.GetStoreId(), strconv.FormatBool(req.GetResolved()))
	before, err := s.position(ctx, req.GetStoreId(), req.GetPageToken(), bound)
	if err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	rows, err := s.history.Quarantine(ctx, req.GetStoreId(), req.GetResolved(), before, size+1)
	if err != nil {
		return nil, err
	}
	res := &ecosyncv1.ListQuarantineResponse{}
	for i, raw := 0, 0; i < len(rows); i++ {
		raw += len(rows[i].Raw)
		if i == size || i > 0 && raw > mostRaw {
			res.NextPageToken = pageToken(strconv.FormatInt(rows[i-1].ID, 10), bound)
			break
		}
		res.Rows = append(res.Rows, toQuarantineRow(rows[i]))
	}
	return res, nil
}

// RetryQuarantine reads the order of a row anew and tries to store it.
func (s *Server) RetryQuarantine(ctx context.Context, req *ecosyncv1.RetryQuarantineRequest) (*ecosyncv1.RetryQuarantineResponse, error) {
	id, err := strconv.ParseInt(req.GetQuarantineId(), 10, 64)
	if err != nil {
		return nil, quarantine.ErrNotFound
	}
	row, err := s.quarantine.Retry(ctx, req.GetStoreId(), id)
	if err != nil {
		return nil, err
	}
	return &ecosyncv1.RetryQuarantineResponse{Row: toQuarantineRow(row)}, nil
}

// ListConditions tells what is wrong now.
func (s *Server) ListConditions(ctx context.Context, _ *ecosyncv1.ListConditionsRequest) (*ecosyncv1.ListConditionsResponse, error) {
	facts, err := s.history.Facts(ctx)
	if err != nil {
		return nil, err
	}
	var all []condition.Condition
	for _, f := range facts {
		all = append(all, condition.Of(f, s.now(), s.zone)...)
	}
	slices.SortStableFunc(all, func(a, b condition.Condition) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.StoreID, b.StoreID))
	})
	res := &ecosyncv1.ListConditionsResponse{}
	for _, c := range all {
		res.Conditions = append(res.Conditions, &ecosyncv1.Condition{
			Kind: string(c.Kind), Subject: "store/" + c.StoreID, Since: timestamp(c.Since), Message: c.Message,
		})
	}
	return res, nil
}

func toQuarantineRow(r quarantine.Row) *ecosyncv1.QuarantineRow {
	shown := &ecosyncv1.QuarantineRow{
		Id: strconv.FormatInt(r.ID, 10), Reference: r.Reference, Reason: r.Reason, Field: r.Field, Message: r.Detail,
		Times: count(r.Times), FirstSeenAt: timestamp(r.FirstSeenAt), LastSeenAt: timestamp(r.LastSeenAt),
		ResolvedAt: timestamp(r.ResolvedAt), Raw: r.Raw,
	}
	if r.UpstreamID != 0 {
		shown.UpstreamId = strconv.FormatInt(r.UpstreamID, 10)
	}
	return shown
}
