package ecomanagersim

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestHundredsOfOrdersChangeComeAndGoInOneSecond(t *testing.T) {
	s, clock := clockedServer(t, 400)
	clock.pass(time.Hour)
	at := clock.Now()
	changed, err := s.ChangeOrders("east", "a", Pick{Newest: 300}, Change{Stage: ptr(Dispatch)})
	if err != nil {
		t.Fatal(err)
	}
	added, err := s.AddOrders("east", "a", 250, Change{})
	if err != nil {
		t.Fatal(err)
	}
	if len(changed) != 300 || len(added) != 250 {
		t.Fatalf("%d changed, %d added", len(changed), len(added))
	}
	for _, o := range append(changed, added...) {
		if !o.UpdatedAt.Equal(at) {
			t.Fatalf("order %d was updated at %v", o.ID, o.UpdatedAt)
		}
	}
	gone, err := s.DeleteOrders("east", "a", Pick{IDs: []int64{added[3].ID, changed[7].ID, added[3].ID}})
	if err != nil || len(gone) != 2 {
		t.Fatalf("%v: %v", gone, err)
	}
	resp := ask(t, s, "east", "a", "/orders/"+decimal(gone[0]))
	if resp.StatusCode != http.StatusNotFound || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("a deleted order answers %d as %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	left, _ := s.Orders("east", "a")
	if len(left) != 648 {
		t.Errorf("%d orders are left", len(left))
	}
}

func TestABulkChangeThatCannotBeDoneChangesNothing(t *testing.T) {
	s := newServer(t, twoTenants(10))
	mine, _ := s.Orders("east", "a")
	others, _ := s.Orders("east", "b")
	_, err := s.ChangeOrders("east", "a", Pick{IDs: []int64{mine[0].ID, others[0].ID}}, Change{Name: ptr("Nobody")})
	if !errors.Is(err, ErrUnknownOrder) {
		t.Errorf("an order of another shop: %v", err)
	}
	if _, err := s.ChangeOrders("east", "a", Pick{}, Change{Name: ptr("Nobody"), Stage: ptr(Stage("MOON"))}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a stage that is none: %v", err)
	}
	after, _ := s.Orders("east", "a")
	for _, o := range after {
		if o.Name == "Nobody" {
			t.Errorf("order %d was changed", o.ID)
		}
	}
}
