package rebuild

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics shows a rebuild to Prometheus: it is a Display that passes everything on to
// another, and a collector. It is safe for concurrent use.
type Metrics struct {
	next     Display
	phase    *prometheus.GaugeVec
	done     *prometheus.CounterVec
	expected *prometheus.GaugeVec

	mu      sync.Mutex
	present string
}

// NewMetrics returns metrics before the first phase.
func NewMetrics(next Display) *Metrics {
	label := []string{"phase"}
	return &Metrics{
		next:  next,
		phase: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "indexer_rebuild_phase", Help: "1 for the phase that the rebuild is in, 0 for those before."}, label),
		done: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "indexer_rebuild_done_total", Help: "What a phase has done: events, or documents where it loads.",
		}, label),
		expected: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "indexer_rebuild_expected", Help: "What a phase has to do in the unit of indexer_rebuild_done_total, estimated where it loads; -1 where nobody knows.",
		}, label),
	}
}

// Phase implements [Display].
func (m *Metrics) Phase(name string, total int64, unit string) {
	m.mu.Lock()
	if m.present != "" {
		m.phase.WithLabelValues(m.present).Set(0)
	}
	m.present = name
	m.phase.WithLabelValues(name).Set(1)
	m.expected.WithLabelValues(name).Set(float64(total))
	m.mu.Unlock()
	m.next.Phase(name, total, unit)
}

// Add implements [Display].
func (m *Metrics) Add(n int64) {
	m.mu.Lock()
	phase := m.present
	m.mu.Unlock()
	if phase != "" {
		m.done.WithLabelValues(phase).Add(float64(n))
	}
	m.next.Add(n)
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.phase.Describe(ch)
	m.done.Describe(ch)
	m.expected.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.phase.Collect(ch)
	m.done.Collect(ch)
	m.expected.Collect(ch)
}
