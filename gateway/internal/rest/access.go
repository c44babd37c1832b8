package rest

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/libertaphonix/libertaphonix/kit/auth"
)

// access writes one line for each request and counts it, by route pattern: paths hold ids and, at the webhook doors,
// secrets; queries hold telephone numbers. Neither is ever logged.
type access struct {
	log      *slog.Logger
	now      auth.Clock
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newAccess(log *slog.Logger, metrics prometheus.Registerer, now auth.Clock) (*access, error) {
	a := &access{
		log: log, now: now,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_requests_total", Help: "Requests answered, by route pattern, method and HTTP status.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_request_seconds", Help: "Time from the last header byte to the end of the answer, by route pattern and method.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route", "method"}),
	}
	return a, errors.Join(metrics.Register(a.requests), metrics.Register(a.seconds))
}

func (a *access) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &answer{ResponseWriter: w}
		defer func() { a.record(r, answer) }() // also when the connection is broken on purpose
		next.ServeHTTP(answer, r)
	})
}

func (a *access) record(r *http.Request, answer *answer) {
	v := visitOf(r.Context())
	took := a.now().Sub(v.started)
	method := knownMethod(v.method)
	status := answer.code()
	a.requests.WithLabelValues(v.route, method, strconv.Itoa(status)).Inc()
	a.seconds.WithLabelValues(v.route, method).Observe(took.Seconds())

	level := slog.LevelInfo
	switch {
	case status == http.StatusInternalServerError:
		level = slog.LevelError // our bug
	case status > http.StatusInternalServerError:
		level = slog.LevelWarn // something is away
	case isProbe(v.route):
		level = slog.LevelDebug // every few seconds, for ever
	}
	line := []slog.Attr{
		slog.String("method", method), slog.String("route", v.route), slog.Int("status", status),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.Int64("bytes", answer.bytes),
		slog.String("request_id", v.requestID),
	}
	if v.code != codes.OK {
		line = append(line, slog.String("code", v.code.String()))
	}
	if v.user != "" {
		line = append(line, slog.String("subject", v.user))
	}
	if v.cause != nil {
		line = append(line, slog.Any("error", v.cause))
	}
	a.log.LogAttrs(r.Context(), level, "request", line...)
}

// knownMethod keeps invented methods out of logs and labels.
func knownMethod(method string) string {
	if slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
		return method
	}
	return "other"
}

// answer watches what is written.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// code is the status that was sent; net/http sends 200 for a handler that wrote nothing.
func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// written says whether the answer has begun.
func written(w http.ResponseWriter) bool {
	a, ok := w.(*answer)
	return ok && a.status != 0
}
