package pg

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// poolCollector reads the pool's own counters when metrics are scraped, so that
// measuring costs nothing between scrapes.
type poolCollector struct {
	pool                                        *pgxpool.Pool
	connections, limit                          *prometheus.Desc
	acquires, emptyAcquires, cancelled, waiting *prometheus.Desc
}

func newPoolCollector(pool *pgxpool.Pool) *poolCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("db_pool_"+name, help, labels, nil)
	}
	return &poolCollector{
		pool:          pool,
		connections:   desc("connections", "Connections of this process by state.", "state"),
		limit:         desc("connections_max", "Most connections this process may hold."),
		acquires:      desc("acquires_total", "Connections handed out."),
		emptyAcquires: desc("acquires_waited_total", "Connections handed out after waiting for one."),
		cancelled:     desc("acquires_cancelled_total", "Waits for a connection that were given up."),
		waiting:       desc("acquire_seconds_total", "Time spent waiting for connections."),
	}
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.pool.Stat()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(c.connections, float64(s.AcquiredConns()), "in_use")
	gauge(c.connections, float64(s.IdleConns()), "idle")
	gauge(c.connections, float64(s.ConstructingConns()), "opening")
	gauge(c.limit, float64(s.MaxConns()))
	counter(c.acquires, float64(s.AcquireCount()))
	counter(c.emptyAcquires, float64(s.EmptyAcquireCount()))
	counter(c.cancelled, float64(s.CanceledAcquireCount()))
	counter(c.waiting, s.AcquireDuration().Seconds())
}
