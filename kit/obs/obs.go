// Package obs is what a process tells about itself: its log, its metrics, its traces,
// and whether it is alive and ready.
//
// It owns: the logger's form and what is kept out of it, the metrics registry, the
// tracer, and the admin port. It never logs a body and never asks a peer how it is:
// readiness is the process's own database and migrations.
//
// Start reading at Start, the first paragraph of every app.New, then ServeAdmin.
package obs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/internal/jsonlog"
	"github.com/libertaphonix/libertaphonix/kit/run"
)

// Observability is handed to whatever logs, measures or traces; there are no globals.
type Observability struct {
	Log        *slog.Logger
	Metrics    *prometheus.Registry
	Tracer     trace.TracerProvider // does nothing unless a collector is configured
	Propagator propagation.TextMapPropagator
}

// Start makes the logger (on stderr), the registry with the runtime's own metrics,
// and, when OTEL_EXPORTER_OTLP_ENDPOINT is set, the exporter of traces, which the
// group flushes when it stops.
func Start(g *run.Group, name string, c conf.Service) (*Observability, error) {
	o := New(os.Stderr, name, c.LogLevel)
	grpcLog.target.Store(o.Log)
	if c.OTLPEndpoint == "" {
		return o, nil
	}
	tracer, err := startTracing(context.Background(), g, name, c.OTLPEndpoint)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	o.Tracer = tracer
	return o, nil
}

// New is Start without tracing, writing its log to w: for tests and tools.
func New(w io.Writer, name string, level slog.Level) *Observability {
	reg := prometheus.NewRegistry()
	reg.MustRegister( // cannot fail: the registry is empty
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(name),
	)
	return &Observability{
		Log:        NewLogger(w, name, run.VersionText(), level),
		Metrics:    reg,
		Tracer:     noTracing(),
		Propagator: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}
}

// NewLogger writes JSON lines to w. Values under keys such as password or token are
// starred, bearer tokens, JWTs and passwords in URLs are taken out of every text, and
// telephone numbers are masked but their last two digits, in the message as well.
func NewLogger(w io.Writer, service, version string, level slog.Level) *slog.Logger {
	return jsonlog.New(w, service, version, level)
}

// buildInfo says on /metrics which version runs where.
func buildInfo(name string) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "build_info",
		Help:        "1, labelled with what is running.",
		ConstLabels: prometheus.Labels{"service": name, "version": run.VersionText()},
	})
	info.Set(1)
	return info
}
