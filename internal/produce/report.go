package produce

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/dustin/go-humanize"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Report is how publishing went.
type Report struct {
	Published int64            `json:"published"` // acknowledged by all in-sync replicas
	Failed    int64            `json:"failed"`    // refused by the client or the broker
	Unknown   int64            `json:"unknown"`   // sent, and neither acknowledged nor refused so far
	Skipped   int64            `json:"skipped"`   // lines that were no event
	Bytes     int64            `json:"bytes"`     // of the published keys and values
	Seconds   float64          `json:"seconds"`   // from the first send to the last acknowledgement
	Rate      float64          `json:"events_per_second"`
	Topics    map[string]int64 `json:"topics"` // published, by topic
	Latency   Latency          `json:"latency_ms"`
}

// Latency is the time from handing a record to the client until the broker's
// acknowledgement, in milliseconds. Without a rate limit it is mostly the wait
// in the client's own queue.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "published  %s events, %s in %.1f s", humanize.Comma(r.Published), humanize.Bytes(uint64(max(r.Bytes, 0))), r.Seconds)
	if r.Failed > 0 || r.Unknown > 0 || r.Skipped > 0 {
		fmt.Fprintf(&b, "; %s failed, %s without an answer, %s lines skipped",
			humanize.Comma(r.Failed), humanize.Comma(r.Unknown), humanize.Comma(r.Skipped))
	}
	b.WriteString("\n")
	if r.Published > 0 {
		fmt.Fprintf(&b, "rate       %s events/s, %s/s\n", humanize.Comma(int64(r.Rate)), humanize.Bytes(uint64(float64(r.Bytes)/max(r.Seconds, 1e-9))))
		fmt.Fprintf(&b, "latency    p50 %.1f ms  p95 %.1f ms  p99 %.1f ms  max %.1f ms\n",
			r.Latency.P50, r.Latency.P95, r.Latency.P99, r.Latency.Max)
	}
	for i, topic := range slices.Sorted(maps.Keys(r.Topics)) {
		heading := ""
		if i == 0 {
			heading = "topics"
		}
		fmt.Fprintf(&b, "%-9s  %s %s\n", heading, topic, humanize.Comma(r.Topics[topic]))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tally counts what became of the records. It is safe for concurrent use.
type tally struct {
	mu        sync.Mutex
	report    Report
	latencies *hdrhistogram.Histogram // microseconds
	first     time.Time               // the first send
	last      time.Time               // the last acknowledgement
	failure   error                   // the first
}

func newTally() *tally {
	const hour = int64(time.Hour / time.Microsecond)
	return &tally{report: Report{Topics: map[string]int64{}}, latencies: hdrhistogram.New(1, hour, 3)}
}

// acknowledged counts a record that was sent at sent and acknowledged at now.
func (t *tally) acknowledged(rec *record.Record, sent, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Unknown--
	t.report.Published++
	t.report.Bytes += int64(len(rec.Key) + len(rec.Value))
	t.report.Topics[rec.Topic]++
	micros := min(max(now.Sub(sent).Microseconds(), 1), t.latencies.HighestTrackableValue())
	_ = t.latencies.RecordValue(micros) // errs outside of its range only
	if t.first.IsZero() || sent.Before(t.first) {
		t.first = sent
	}
	if now.After(t.last) {
		t.last = now
	}
}

func (t *tally) sent() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Unknown++
}

func (t *tally) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Unknown--
	t.report.Failed++
	if t.failure == nil {
		t.failure = err
	}
}

func (t *tally) skipped() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Skipped++
}

// firstFailure returns the error of the first record that failed.
func (t *tally) firstFailure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failure
}

// snapshot returns the report so far.
func (t *tally) snapshot() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	r.Topics = maps.Clone(r.Topics)
	r.Seconds = t.last.Sub(t.first).Seconds()
	if r.Seconds > 0 {
		r.Rate = float64(r.Published) / r.Seconds
	}
	at := t.latencies.ValueAtPercentiles([]float64{50, 95, 99})
	const milli = 1000
	r.Latency = Latency{P50: float64(at[50]) / milli, P95: float64(at[95]) / milli, P99: float64(at[99]) / milli, Max: float64(t.latencies.Max()) / milli}
	return r
}
