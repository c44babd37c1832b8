package ordersrpc_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/ordersrpc"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// scripted is an orders service that answers what a test tells it to.
type scripted struct {
	ordersv1.UnimplementedOrdersServiceServer
	results []*ordersv1.IngestResult
	err     error
}

func (s *scripted) IngestOrders(context.Context, *ordersv1.IngestOrdersRequest) (*ordersv1.IngestOrdersResponse, error) {
	return &ordersv1.IngestOrdersResponse{Results: s.results}, s.err
}

func ingest(t *testing.T, s *scripted, ids ...int64) ([]pass.Outcome, error) {
	t.Helper()
	wire := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	ordersv1.RegisterOrdersServiceServer(server, s)
	go func() { _ = server.Serve(wire) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///orders", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return wire.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	b := pass.Batch{Source: pass.Live}
	for _, id := range ids {
		b.Rows = append(b.Rows, pass.Observation{Order: &shop.Order{ID: id}, ObservedAt: time.Now()})
	}
	return ordersrpc.New(conn).Ingest(t.Context(), b)
}

func result(id int64, outcome ordersv1.IngestOutcome_Value) *ordersv1.IngestResult {
	return &ordersv1.IngestResult{UpstreamId: id, Outcome: outcome}
}

func TestEveryVerdictOfTheContractIsUnderstood(t *testing.T) {
	for number, name := range ordersv1.IngestOutcome_Value_name {
		if number == 0 {
			continue
		}
		outcomes, err := ingest(t, &scripted{results: []*ordersv1.IngestResult{result(7, ordersv1.IngestOutcome_Value(number))}}, 7)
		if err != nil || string(outcomes[0].Verdict) != name {
			t.Errorf("%s: %+v, %v", name, outcomes, err)
		}
	}
}

func TestAnAnswerThatProvesNothingIsAnError(t *testing.T) {
	for name, results := range map[string][]*ordersv1.IngestResult{
		"no verdict":                       {result(7, ordersv1.IngestOutcome_VALUE_UNSPECIFIED)},
		"the verdict of a newer release":   {result(7, 99)},
		"no result at all":                 {},
		"a result of another order":        {result(8, ordersv1.IngestOutcome_CREATED)},
		"more results than rows were sent": {result(7, ordersv1.IngestOutcome_CREATED), result(7, ordersv1.IngestOutcome_UNCHANGED)},
	} {
		if outcomes, err := ingest(t, &scripted{results: results}, 7); err == nil || errors.Is(err, pass.ErrOrdersUnavailable) {
			t.Errorf("%s: %+v, %v: the head would move over an order that is nowhere (lesson P2)", name, outcomes, err)
		}
	}
}

func TestARowThatOccursTwiceKeepsBothVerdicts(t *testing.T) {
	outcomes, err := ingest(t, &scripted{results: []*ordersv1.IngestResult{
		result(7, ordersv1.IngestOutcome_REJECTED), result(7, ordersv1.IngestOutcome_CREATED),
	}}, 7, 7)
	if err != nil || outcomes[0].Verdict != pass.Rejected || outcomes[1].Verdict != pass.Created {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

func TestOnlyWhatARepetitionMayCureIsUnavailable(t *testing.T) {
	for code, want := range map[codes.Code]bool{
		codes.Unavailable: true, codes.Aborted: true, codes.DeadlineExceeded: true,
		codes.ResourceExhausted: false, codes.Internal: false, codes.InvalidArgument: false,
	} {
		_, err := ingest(t, &scripted{err: status.Error(code, strings.ToLower(code.String()))}, 7)
		if errors.Is(err, pass.ErrOrdersUnavailable) != want {
			t.Errorf("%s: %v", code, err)
		}
	}
}
