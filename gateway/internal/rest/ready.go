package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
)

// probeEvery is how often a service that was not ready yet is asked again.
const probeEvery = 500 * time.Millisecond

// Readiness says whether this gateway should get requests: once every configured service has been ready, until it
// drains. It is a latch on purpose: a service that goes down later makes its own paths answer 503, and taking every
// gateway out of rotation for it would take down the rest.
type Readiness struct {
	mu       sync.Mutex
	waiting  map[string]bool // services that have not been ready yet
	draining bool
}

// NewReadiness waits for the given services.
func NewReadiness(services ...string) *Readiness {
	r := &Readiness{waiting: map[string]bool{}}
	for _, name := range services {
		r.waiting[name] = true
	}
	return r
}

// Watch asks a service until it has been ready once.
func (r *Readiness) Watch(ctx context.Context, b Backend) error {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		if Reach(ctx, b) == nil {
			r.mu.Lock()
			delete(r.waiting, b.Name)
			r.mu.Unlock()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Reach asks a service once whether it is ready; the error says why not.
func Reach(ctx context.Context, b Backend) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(b.Conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("not ready: %s", answer.GetStatus())
	}
	return nil
}

// Drain makes the gateway not ready for good: it is about to stop.
func (r *Readiness) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
}

// Ready is nil, or says what is waited for.
func (r *Readiness) Ready(context.Context) error {
	waiting, draining := r.state()
	switch {
	case draining:
		return fmt.Errorf("stopping")
	case len(waiting) > 0:
		return fmt.Errorf("not ready yet since this start: %s", strings.Join(waiting, ", "))
	default:
		return nil
	}
}

func (r *Readiness) state() (waiting []string, draining bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting = []string{}
	for name := range r.waiting {
		waiting = append(waiting, name)
	}
	slices.Sort(waiting)
	return waiting, r.draining
}

// healthy answers as long as the process lives; what it depends on is none of its business.
func (h *handler) healthy(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

func (h *handler) readiness(w http.ResponseWriter, r *http.Request) {
	waiting, draining := h.ready.state()
	status := http.StatusOK
	if h.ready.Ready(r.Context()) != nil {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, struct {
		Ready      bool     `json:"ready"`
		WaitingFor []string `json:"waitingFor"`
		Draining   bool     `json:"draining"`
	}{status == http.StatusOK, waiting, draining})
}

func writeJSON[T any](w http.ResponseWriter, status int, body T) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
