package app

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
)

// count measures what passes did. Stores are no label: the history of a store is
// in its passes, and a label per store would grow with the business.
func count(registry prometheus.Registerer) func(pass.Pass) {
	factory := promauto.With(registry)
	passes := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "ecosync_passes_total", Help: "Passes that ended, by result and failure.",
	}, []string{"result", "failure"})
	requests := factory.NewCounter(prometheus.CounterOpts{
		Name: "ecosync_shop_requests_total", Help: "Requests that passes sent to shops.",
	})
	rows := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "ecosync_rows_total", Help: "Rows that passes read, by what became of them.",
	}, []string{"outcome"})
	return func(p pass.Pass) {
		passes.WithLabelValues(string(p.Result), string(p.Failure)).Inc()
		requests.Add(float64(p.Counts.Requests))
		for outcome, n := range map[string]int64{
			"created": p.Counts.Created, "updated": p.Counts.Updated, "unchanged": p.Counts.Unchanged, "stale": p.Counts.Stale,
			"deleted": p.Counts.Deleted, "quarantined": p.Counts.Quarantined, "outside": p.Counts.Outside,
		} {
			rows.WithLabelValues(outcome).Add(float64(n))
		}
	}
}
