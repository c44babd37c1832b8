package rpc

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
)

// System answers SystemService: what this process is and what it depends on.
type System struct {
	systemv1.UnimplementedSystemServiceServer

	// Version and Started are of the process.
	Version string
	Started time.Time
	// Pool is the database pool as it is now.
	Pool func(ctx context.Context) Pool
}

// Pool is a look at a database pool.
type Pool struct {
	Reachable        bool
	Max, Open, InUse int32
}

// GetSystem tells the state of the process. Orders uses no Redis.
func (s *System) GetSystem(ctx context.Context, _ *systemv1.GetSystemRequest) (*systemv1.GetSystemResponse, error) {
	p := s.Pool(ctx)
	return &systemv1.GetSystemResponse{
		Service: "orders", Version: s.Version, StartedAt: timestamppb.New(s.Started),
		Database: &systemv1.DatabasePool{Reachable: p.Reachable, Max: p.Max, Open: p.Open, InUse: p.InUse},
	}, nil
}
