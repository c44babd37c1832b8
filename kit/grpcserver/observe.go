package grpcserver

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// logging writes one line per call, when it is over. Bodies are never part of it.
func logging(log *slog.Logger) around {
	return func(ctx context.Context, method string, next func(context.Context) error) error {
		began := time.Now()
		return watched(ctx, next, func(code codes.Code, err error) {
			attrs := []slog.Attr{
				slog.String("method", method),
				slog.String("code", code.String()),
				slog.Float64("ms", float64(time.Since(began).Microseconds())/1000),
				slog.String("request_id", callOf(ctx).requestID),
			}
			if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
				attrs = append(attrs, slog.String("trace_id", span.TraceID().String()))
			}
			p := callOf(ctx).principal
			attrs = append(attrs, slog.String("caller", p.Kind.String()))
			if p.Subject != "" {
				attrs = append(attrs, slog.String("subject", p.Subject))
			}
			if p.Actor != nil {
				attrs = append(attrs, slog.String("actor", p.Actor.Subject))
			}
			if err != nil {
				attrs = append(attrs, slog.String("error", innermost(err)))
			}
			log.LogAttrs(ctx, levelOf(method, code), "request", attrs...)
		})
	}
}

// innermost is what really happened: the cause that rpcerr keeps from the caller, or else the text the caller got.
func innermost(err error) string {
	if cause := errors.Unwrap(err); cause != nil {
		return cause.Error()
	}
	return err.Error()
}

// levelOf: our bugs are errors, outages warnings, and what a caller did wrong is the caller's. Kubernetes asks for health
// every few seconds, for ever; that is for debugging alone.
func levelOf(method string, code codes.Code) slog.Level {
	switch code {
	case codes.OK:
		if strings.HasPrefix(method, healthPrefix) {
			return slog.LevelDebug
		}
		return slog.LevelInfo
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return slog.LevelError
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// watched calls over when next is done, also when it ends by a panic, which goes on to recovery.
func watched(ctx context.Context, next func(context.Context) error, over func(codes.Code, error)) (err error) {
	panicking := true
	defer func() {
		if panicking {
			over(codes.Internal, errors.New("panic"))
			return
		}
		over(status.Code(err), err)
	}()
	err = next(ctx)
	panicking = false
	return err
}

// metrics counts calls by method and code. Methods are those registered: gRPC answers others before any interceptor, so
// no caller can invent a label.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_server_requests_total", Help: "Calls answered, by method and code.",
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "grpc_server_request_seconds", Help: "Time to answer a call, a stream from opening to end.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120},
		}, []string{"method", "code"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "grpc_server_requests_in_flight", Help: "Calls being answered now.",
		}, []string{"method"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.inFlight} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) interceptor() around {
	return func(ctx context.Context, method string, next func(context.Context) error) error {
		began := time.Now()
		m.inFlight.WithLabelValues(method).Inc()
		return watched(ctx, next, func(code codes.Code, _ error) {
			m.inFlight.WithLabelValues(method).Dec()
			m.requests.WithLabelValues(method, code.String()).Inc()
			m.seconds.WithLabelValues(method, code.String()).Observe(time.Since(began).Seconds())
		})
	}
}
