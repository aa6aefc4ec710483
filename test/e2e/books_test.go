package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// metrics are the series of one scrape, by name and labels as they stand there.
type metrics map[string]float64

func parseMetrics(text string) (metrics, error) {
	m := make(metrics)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 {
			return nil, fmt.Errorf("no metric: %q", line)
		}
		value, err := strconv.ParseFloat(line[cut+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("no metric: %q: %w", line, err)
		}
		m[line[:cut]] = value
	}
	return m, nil
}

// sum adds up the series of a name that have all of labels, as label="value".
func (m metrics) sum(name string, labels ...string) float64 {
	total := 0.0
series:
	for series, value := range m {
		family, rest, _ := strings.Cut(series, "{")
		if family != name {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue series
			}
		}
		total += value
	}
	return total
}

// unbalanced says how the books are wrong: every record consumed has ended in
// one way, or is in flight. Empty where they balance.
func (m metrics) unbalanced() string {
	consumed := m.sum("indexer_events_consumed_total")
	ended := m.sum("indexer_events_total")
	flying := m.sum("indexer_in_flight_events")
	if consumed == ended+flying {
		return ""
	}
	return fmt.Sprintf("consumed %.0f, ended %.0f, in flight %.0f: off by %.0f", consumed, ended, flying, consumed-ended-flying)
}

// books scrapes a worker's metrics as long as it runs.
type books struct {
	worker  *worker
	halt    func()
	stopped chan struct{}

	mu      sync.Mutex
	last    metrics
	scrapes int
	wrong   []string
}

func watchBooks(w *worker) *books {
	done := make(chan struct{})
	b := &books{worker: w, stopped: make(chan struct{}), halt: sync.OnceFunc(func() { close(done) })}
	go func() {
		defer close(b.stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-w.ended:
				return
			case <-tick.C:
				b.scrape()
			}
		}
	}()
	return b
}

// scrape looks once. A worker that does not answer yet, or no more, is no error.
func (b *books) scrape() {
	status, body := b.worker.get("/metrics")
	if status != http.StatusOK {
		return
	}
	m, err := parseMetrics(string(body))
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.wrong = append(b.wrong, err.Error())
		return
	}
	b.last = m
	b.scrapes++
	if wrong := m.unbalanced(); wrong != "" {
		b.wrong = append(b.wrong, fmt.Sprintf("scrape %d: %s", b.scrapes, wrong))
	}
}

// stop looks a last time and fails the test where the books were ever wrong.
func (b *books) stop() {
	b.halt()
	<-b.stopped
	b.scrape()
	b.mu.Lock()
	defer b.mu.Unlock()
	if report := Report(fmt.Sprintf("books in %d scrapes", b.scrapes), b.wrong); report != "" {
		b.worker.t.Error(report)
	}
	b.wrong = nil
}

// now scrapes and returns a copy of what it says; of the last scrape where the
// worker does not answer.
func (b *books) now() metrics {
	b.scrape()
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.last)
}

func (w *worker) consumed() float64 { return w.books.now().sum("indexer_events_consumed_total") }

func TestBooksFindWhatIsOff(t *testing.T) {
	const good = `# HELP indexer_events_consumed_total x
indexer_events_consumed_total{topic="a"} 5
indexer_events_consumed_total{topic="b"} 3
indexer_events_total{entity="post",outcome="indexed"} 4
indexer_events_total{entity="",outcome="dead"} 1
indexer_in_flight_events 3
indexer_events_total_of_something_else 99
`
	m, err := parseMetrics(good)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := m.unbalanced(); wrong != "" {
		t.Errorf("these balance, yet: %s", wrong)
	}
	if got := m.sum("indexer_events_total", `outcome="dead"`); got != 1 {
		t.Errorf("want 1 dead, got %v", got)
	}
	for _, bad := range []string{strings.Replace(good, "} 4", "} 5", 1), strings.Replace(good, "events 3", "events 2", 1)} {
		m, err := parseMetrics(bad)
		if err != nil {
			t.Fatal(err)
		}
		if m.unbalanced() == "" {
			t.Errorf("these do not balance, which was not found:\n%s", bad)
		}
	}
}
