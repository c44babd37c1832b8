package obs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/libertaphonix/libertaphonix/kit/internal/redact"
	"github.com/libertaphonix/libertaphonix/kit/run"
)

// Every timeout of the admin port is set: a scraper that hangs must not pile up
// connections on a process that is already in trouble.
const (
	adminReadTimeout  = 5 * time.Second
	adminWriteTimeout = 30 * time.Second // a big /metrics over a slow link
	adminIdleTimeout  = 2 * time.Minute
	adminMaxHeader    = 16 << 10
	readyTimeout      = 5 * time.Second
)

// ServeAdmin serves, in plaintext HTTP and for the operator's network only:
//
//	/healthz  200 as long as the process answers
//	/readyz   200 when ready answers nil, else 503 with the reason; 503 once the
//	          process is stopping, so that nobody sends it new work
//	/metrics  the registry
//
// It listens when it returns, and stops after everything that was started later.
func ServeAdmin(g *run.Group, addr string, reg *prometheus.Registry, ready func(ctx context.Context) error) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("ADMIN_ADDR: health and metrics cannot be served: %w", err)
	}
	server := &http.Server{
		Handler:           adminHandler(g.Stopping(), reg, ready),
		ReadTimeout:       adminReadTimeout,
		ReadHeaderTimeout: adminReadTimeout,
		WriteTimeout:      adminWriteTimeout,
		IdleTimeout:       adminIdleTimeout,
		MaxHeaderBytes:    adminMaxHeader,
	}
	g.Go("admin", func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() {
			// Close, not Shutdown: a probe under way may fail, a scrape may be repeated.
			_ = server.Close()
		})
		defer stop()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return nil
}

func adminHandler(stopping <-chan struct{}, reg *prometheus.Registry, ready func(ctx context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stopping:
			answer(w, errors.New("stopping"))
			return
		default:
		}
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		answer(w, ready(ctx))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{Registry: reg}))
	return mux
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintln(w, redact.Text(err.Error()))
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}
