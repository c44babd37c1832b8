package grpcclient

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/status"
)

// metrics counts calls by callee, method and code. A nil *metrics counts nothing.
type metrics struct {
	service  string
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// newMetrics registers the metrics once per registry: the connections of a process share them.
func newMetrics(o Options) (*metrics, error) {
	if o.Obs == nil {
		return nil, nil
	}
	requests, err := shared(o.Obs.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "grpc_client_requests_total", Help: "Calls made, by service called, method and code.",
	}, []string{"service", "method", "code"}))
	if err != nil {
		return nil, err
	}
	seconds, err := shared(o.Obs.Metrics, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "grpc_client_request_seconds", Help: "Time of a call, retries included.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120},
	}, []string{"service", "method"}))
	if err != nil {
		return nil, err
	}
	return &metrics{service: o.Service, requests: requests, seconds: seconds}, nil
}

// shared registers c, or finds what was registered under its name before.
func shared[C prometheus.Collector](registry prometheus.Registerer, c C) (C, error) {
	err := registry.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	return c, err
}

func (m *metrics) around() layer {
	return func(ctx context.Context, method string) (context.Context, func(error)) {
		if m == nil {
			return ctx, func(error) {}
		}
		began := time.Now()
		return ctx, func(err error) {
			m.requests.WithLabelValues(m.service, method, status.Code(err).String()).Inc()
			m.seconds.WithLabelValues(m.service, method).Observe(time.Since(began).Seconds())
		}
	}
}
