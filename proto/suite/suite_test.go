package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/libertaphonix/libertaphonix/kit/audit"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
	"github.com/libertaphonix/libertaphonix/proto/suite"
)

func TestEveryServiceOfAFileIsListed(t *testing.T) {
	list := suite.Services(identityv1.File_libertaphonix_identity_v1_identity_proto, systemv1.File_libertaphonix_system_v1_system_proto)
	if len(list) != 2 || list[0].Name() != "IdentityService" || list[1].Name() != "SystemService" {
		t.Errorf("%v", list)
	}
}

func TestAnAuditEventKeepsWhatWasWritten(t *testing.T) {
	at := time.Date(2025, 11, 18, 9, 41, 7, 0, time.UTC)
	got, err := suite.AuditEvents([]audit.Event{{
		ID: 7, At: at, Actor: "user", Role: "MANAGER", Action: "ChangeStatus", Resource: "order/1", After: json.RawMessage(`{"status":"CANCELLED"}`), Reason: "why",
	}})
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	e := got[0]
	if e.GetId() != "7" || !e.GetAt().AsTime().Equal(at) || e.GetRole() != "MANAGER" || e.GetBefore() != nil ||
		e.GetAfter().GetFields()["status"].GetKind().(*structpb.Value_StringValue).StringValue != "CANCELLED" || e.GetReason() != "why" {
		t.Errorf("%v", e)
	}
	if _, err := suite.AuditEvents([]audit.Event{{ID: 8, Before: json.RawMessage(`[`)}}); err == nil {
		t.Error("a damaged document passed")
	}
}

// brokenPool is a pool whose database is away.
type brokenPool struct{ *pgxpool.Pool }

func (brokenPool) Ping(context.Context) error { return errors.New("connection refused") }

func TestTheReportSaysWhatIsDownInsteadOfFailing(t *testing.T) {
	config, err := pgxpool.ParseConfig("postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	s := &suite.System{Service: "orders", Version: "v1", Started: time.Now(), Pool: brokenPool{pool}, Redis: func(context.Context) error { return errors.New("away") }}
	got, err := s.GetSystem(t.Context(), &systemv1.GetSystemRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetDatabase().GetReachable() || got.GetRedis().GetReachable() || got.GetDatabase().GetMax() != pool.Stat().MaxConns() {
		t.Errorf("%v", got)
	}
	s.Redis = nil
	if got, err = s.GetSystem(t.Context(), &systemv1.GetSystemRequest{}); err != nil || got.Redis != nil {
		t.Errorf("without Redis: %v, %v", got, err)
	}
}

// hangingPool is a pool whose database takes connections and never answers.
type hangingPool struct{ *pgxpool.Pool }

func (hangingPool) Ping(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestTheReportIsThereBeforeTheGatewayGivesUpOnADatabaseThatHangs(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	s := &suite.System{
		Service: "orders", Version: "v1", Started: time.Now(), Pool: hangingPool{pool},
		Redis: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // what the gateway gives
	defer cancel()
	got, err := s.GetSystem(ctx, &systemv1.GetSystemRequest{})
	if err != nil || ctx.Err() != nil || got.GetDatabase().GetReachable() || got.GetRedis().GetReachable() {
		t.Errorf("%v, %v, %v", got, err, ctx.Err())
	}
}
