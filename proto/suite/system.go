package suite

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/timestamppb"

	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
)

// lookTimeout bounds what the report waits for a dependency that hangs. It lies below what the gateway gives the whole
// report, or the one service worth looking at would be shown as unreachable.
const lookTimeout = time.Second

// Pool is a database pool as the report looks at it; *pgxpool.Pool is one.
type Pool interface {
	Ping(ctx context.Context) error
	Stat() *pgxpool.Stat
}

// System answers SystemService for a process: what it is and what it depends on, as seen at this moment.
type System struct {
	systemv1.UnimplementedSystemServiceServer

	Service string // as in tokens: "orders"
	Version string
	Started time.Time
	Pool    Pool
	Redis   func(ctx context.Context) error // asks whether it answers; nil: the process uses none
}

// GetSystem never fails because a dependency is down: it says so.
func (s *System) GetSystem(ctx context.Context, _ *systemv1.GetSystemRequest) (*systemv1.GetSystemResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var reachable, cached bool
	var looks sync.WaitGroup
	looks.Go(func() { reachable = s.Pool.Ping(ctx) == nil })
	if s.Redis != nil {
		looks.Go(func() { cached = s.Redis(ctx) == nil })
	}
	looks.Wait()
	stat := s.Pool.Stat()
	res := &systemv1.GetSystemResponse{
		Service: s.Service, Version: s.Version, StartedAt: timestamppb.New(s.Started),
		Database: &systemv1.DatabasePool{Reachable: reachable, Max: stat.MaxConns(), Open: stat.TotalConns(), InUse: stat.AcquiredConns()},
	}
	if s.Redis != nil {
		res.Redis = &systemv1.Redis{Reachable: cached}
	}
	return res, nil
}
