package grpcserver_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/libertaphonix/libertaphonix/kit/grpcserver"
	"github.com/libertaphonix/libertaphonix/kit/internal/testservice"
	"github.com/libertaphonix/libertaphonix/kit/pg"
	"github.com/libertaphonix/libertaphonix/kit/run"
)

func TestHealthSaysNotServingWhileTheDatabaseWasNeverReached(t *testing.T) {
	t.Parallel()
	database := &run.Group{}
	t.Cleanup(func() { _ = database.Stop() })
	db, err := pg.Start(t.Context(), database, pg.Options{URL: "postgres://x@127.0.0.1:1/none", Schema: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, testservice.Handlers{}, func(c *grpcserver.Config) { c.Ready = db.Ready })
	for _, service := range []string{"", testservice.Name} {
		answer, err := healthpb.NewHealthClient(d.conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || answer.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("%q: %v, %v", service, answer.GetStatus(), err)
		}
	}
}

func TestHealthSaysServingOnceTheServiceIsReady(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	d := open(t, testservice.Handlers{}, func(c *grpcserver.Config) {
		c.Ready = func(context.Context) error {
			if !ready.Load() {
				return errors.New("the schema is not migrated yet")
			}
			return nil
		}
	})
	awaitHealth(t, d.conn, healthpb.HealthCheckResponse_NOT_SERVING)
	ready.Store(true)
	awaitHealth(t, d.conn, healthpb.HealthCheckResponse_SERVING)
}

func TestAServiceThatIsNeverReadyStopsAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t, testservice.Handlers{}, func(c *grpcserver.Config) {
		c.Ready = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() } // a database that hangs
	})
	begun := time.Now()
	if err := d.group.Stop(); err != nil || time.Since(begun) > 2*time.Second {
		t.Errorf("the stop took %v and says %v", time.Since(begun), err)
	}
}

func TestOneConnectionCannotHoldAnyNumberOfStreams(t *testing.T) {
	t.Parallel()
	d := open(t, testservice.Handlers{})
	awaitHealth(t, d.conn, healthpb.HealthCheckResponse_SERVING)
	client := healthpb.NewHealthClient(d.conn)
	for range 500 {
		watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := watch.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("one more call on the same connection: %v, want it to wait", err)
	}
}
