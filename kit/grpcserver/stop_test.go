package grpcserver_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/libertaphonix/libertaphonix/kit/internal/testservice"
	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

func TestAStopLetsACallUnderWayEnd(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	d := open(t, testservice.Handlers{Unary: func(context.Context, proto.Message) error {
		close(entered)
		<-release
		return nil
	}})
	awaitHealth(t, d.conn, healthpb.HealthCheckResponse_SERVING)
	watch, err := healthpb.NewHealthClient(d.conn).Watch(context.Background(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := watch.Recv(); err != nil || answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("before the stop: %v, %v", answer, err)
	}
	called := make(chan error, 1)
	go func() {
		called <- testservice.Call(context.Background(), d.conn, testservice.Replace, testservice.Order("0550"))
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- d.group.Stop() }()
	if answer, err := watch.Recv(); err != nil || answer.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Fatalf("as soon as the stop begins: %v, %v", answer, err)
	}
	select {
	case err := <-stopped:
		t.Fatalf("the stop did not wait for the call: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-called; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("the stop: %v", err)
	}
	err = testservice.Call(context.Background(), d.conn, testservice.Replace, testservice.Order("0550"))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("after the stop: %v", err)
	}
}

func TestAStopEndsStreamsSoThatTheyAreOpenedAgainElsewhere(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	d := open(t, testservice.Handlers{Stream: func(s grpc.ServerStream) error {
		close(entered)
		<-s.Context().Done() // a run that would go on for an hour
		return s.Context().Err()
	}})
	stream, err := testservice.Open(context.Background(), d.conn, testservice.Upload)
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	began := time.Now()
	if err := d.group.Stop(); err != nil {
		t.Errorf("the stop: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	err = stream.RecvMsg(testservice.Order(""))
	if code, _, reason := rpcerr.Reason(err); code != codes.Unavailable || reason != "DEPENDENCY_UNAVAILABLE" {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestAStopCutsWhatDoesNotEndWithinTheGracePeriod(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	d := open(t, testservice.Handlers{Unary: func(context.Context, proto.Message) error {
		close(entered)
		<-release
		return nil
	}})
	d.group.Grace = 2*time.Second + 200*time.Millisecond
	called := make(chan error, 1)
	go func() {
		called <- testservice.Call(context.Background(), d.conn, testservice.Replace, testservice.Order("0550"))
	}()
	<-entered
	if err := d.group.Stop(); err == nil {
		t.Error("the stop should tell that a call was cut")
	}
	if err := <-called; status.Code(err) != codes.Unavailable {
		t.Errorf("the call that was cut: %v", err)
	}
}

func TestStoppingBeforeAnythingWasServedIsNoError(t *testing.T) {
	d := open(t, testservice.Handlers{})
	if err := errors.Join(d.group.Stop(), d.group.Stop()); err != nil {
		t.Error(err)
	}
}
