package pipeline

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// Watermarks returns how far the log of a partition goes, as last heard from the
// broker, without asking it.
type Watermarks func(record.Partition) (w stream.Watermarks, ok bool)

// Metrics shows a Worker to Prometheus. All counts of one scrape are of one moment
// between two steps, so that the books balance in every scrape.
type Metrics struct {
	topics     []string
	snapshot   func() Snapshot
	watermarks Watermarks
	redisUp    func() bool
	latency    prometheus.Histogram
	bulkTime   prometheus.Histogram
	bulkBytes  prometheus.Histogram
	now        func() time.Time
}

// NewMetrics returns metrics that have no worker yet: hand Observe to the worker's
// Parts, then call Follow. What can be counted by topic is counted for these topics
// from the start.
func NewMetrics(topics []string, watermarks Watermarks, redisUp func() bool) *Metrics {
	return &Metrics{
		topics:   topics,
		snapshot: func() Snapshot { return Snapshot{} }, watermarks: watermarks, redisUp: redisUp, now: time.Now,
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "indexer_event_latency_seconds",
			Help:    "From an event's timestamp to its acknowledged write.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600},
		}),
		bulkTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "indexer_bulk_duration_seconds",
			Help:    "From sending a bulk request to its answer or failure.",
			Buckets: []float64{.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		bulkBytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "indexer_bulk_bytes",
			Help:    "Body of a bulk request, before compression.",
			Buckets: prometheus.ExponentialBuckets(1<<10, 4, 9), // 1 KiB to 64 MiB
		}),
	}
}

// Follow shows w from now on. Call it before the metrics are registered.
func (m *Metrics) Follow(w *Worker) { m.snapshot = w.Snapshot }

// Observe takes the latency of an event that was written.
func (m *Metrics) Observe(e Ending) {
	if e.Result == Indexed || e.Result == Deleted {
		m.latency.Observe(m.now().Sub(time.UnixMicro(e.Time)).Seconds())
	}
}

// ObserveBulk takes size and time of a bulk request.
func (m *Metrics) ObserveBulk(bytes int, took time.Duration) {
	m.bulkTime.Observe(took.Seconds())
	m.bulkBytes.Observe(float64(bytes))
}

func description(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("indexer_"+name, help, labels, nil)
}

// Describe sends nothing: an unchecked collector, since its labels come and go with
// the partitions.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends the state of one moment.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	s := m.snapshot()
	send := func(kind prometheus.ValueType, value float64, desc *prometheus.Desc, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	}
	counter := func(value uint64, desc *prometheus.Desc, labels ...string) {
		send(prometheus.CounterValue, float64(value), desc, labels...)
	}
	gauge := func(value float64, desc *prometheus.Desc, labels ...string) {
		send(prometheus.GaugeValue, value, desc, labels...)
	}
	consumed := description("events_consumed_total", "Records taken from Kafka.", "topic")
	for topic, n := range seeded(s.Consumed, m.topics) {
		counter(n, consumed, topic)
	}
	events := description("events_total", "Records that have ended, by entity and outcome.", "entity", "outcome")
	for key, n := range s.outcomes() {
		counter(n, events, key.entity, string(key.result))
	}
	letters := description("dead_letters_total", "Records whose dead letter the broker has, by reason.", "reason")
	for reason, n := range seeded(s.Dead, deadReasons()) {
		counter(n, letters, reason)
	}
	retries := description("bulk_retries_total", "Documents of a bulk request that had to be tried again, by reason.", "reason")
	for reason, n := range seeded(s.Retries, retryReasons()) {
		counter(n, retries, reason)
	}
	counter(s.Rebalances, description("rebalances_total", "Assignments, revocations and losses of partitions."))
	gauge(float64(s.InFlight), description("in_flight_events", "Records taken from Kafka that have not ended."))
	gauge(float64(s.Bytes), description("in_flight_bytes", "Bytes of the records in flight."))
	gauge(float64(len(s.Partitions)), description("partitions_assigned", "Partitions that this worker owns."))
	gauge(float64(s.paused()), description("partitions_paused", "Partitions of this worker that are not read at the moment."))
	gauge(flag(m.redisUp()), description("redis_up", "1 while Redis answers, 0 while the worker goes on without it."))
	stalled := description("index_stalled", "1 for an entity whose index takes nothing, while everything is tried again.", "entity", "reason")
	for _, stall := range s.Stalled {
		gauge(1, stalled, string(stall.Entity), stall.Reason)
	}
	m.collectLag(s.Lag(m.watermarks, m.now()), gauge)
	m.latency.Collect(out)
	m.bulkTime.Collect(out)
	m.bulkBytes.Collect(out)
}

func (m *Metrics) collectLag(lags []PartitionLag, gauge func(float64, *prometheus.Desc, ...string)) {
	messages := description("consumer_lag", "Records of a partition that have not ended.", "topic", "partition")
	seconds := description("consumer_lag_seconds", "Age of the oldest record of a partition that has not ended; 0 where there is none.", "topic", "partition")
	for _, lag := range lags {
		labels := []string{lag.Partition.Topic, strconv.Itoa(int(lag.Partition.ID))}
		gauge(float64(lag.Messages), messages, labels...)
		gauge(lag.Age.Seconds(), seconds, labels...)
	}
}

// PartitionLag says how far behind one partition is.
type PartitionLag struct {
	Partition record.Partition
	Messages  int64
	// Age is that of the oldest record that has not ended: exact where it is in
	// flight, else what [stream.Watermarks] knows of it. It is 0 without lag.
	Age time.Duration
}

// Lag returns how far behind the partitions of s are.
func (s Snapshot) Lag(watermarks Watermarks, now time.Time) []PartitionLag {
	lags := make([]PartitionLag, 0, len(s.Partitions))
	for _, p := range s.Partitions {
		lag := PartitionLag{Partition: p.Partition}
		w, known := watermarks(p.Partition)
		if known {
			lag.Messages = max(w.High-p.Next, 0)
		}
		switch {
		case p.InFlight > 0:
			lag.Age = now.Sub(time.UnixMilli(p.Oldest))
		case lag.Messages > 0:
			lag.Age = now.Sub(w.Unread)
		}
		lag.Age = max(lag.Age, 0) // publishers have clocks of their own
		lags = append(lags, lag)
	}
	return lags
}

func (s Snapshot) paused() (n int) {
	for _, p := range s.Partitions {
		if p.Paused != "" {
			n++
		}
	}
	return n
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
