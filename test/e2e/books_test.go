package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// books scrapes a worker's metrics as long as it runs.
type books struct {
	worker  *worker
	halt    func()
	stopped chan struct{}

	mu      sync.Mutex
	last    Metrics
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
	m, err := ParseMetrics(string(body))
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.wrong = append(b.wrong, err.Error())
		return
	}
	b.last = m
	b.scrapes++
	if wrong := m.Unbalanced(); wrong != "" {
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
func (b *books) now() Metrics {
	b.scrape()
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.last)
}

func (w *worker) consumed() float64 { return w.books.now().Sum("indexer_events_consumed_total") }

func TestBooksFindWhatIsOff(t *testing.T) {
	const good = `# HELP indexer_events_consumed_total x
indexer_events_consumed_total{topic="a"} 5
indexer_events_consumed_total{topic="b"} 3
indexer_events_total{entity="post",outcome="indexed"} 4
indexer_events_total{entity="",outcome="dead"} 1
indexer_in_flight_events 3
indexer_events_total_of_something_else 99
`
	m, err := ParseMetrics(good)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := m.Unbalanced(); wrong != "" {
		t.Errorf("these balance, yet: %s", wrong)
	}
	if got := m.Sum("indexer_events_total", `outcome="dead"`); got != 1 {
		t.Errorf("want 1 dead, got %v", got)
	}
	for _, bad := range []string{strings.Replace(good, "} 4", "} 5", 1), strings.Replace(good, "events 3", "events 2", 1)} {
		m, err := ParseMetrics(bad)
		if err != nil {
			t.Fatal(err)
		}
		if m.Unbalanced() == "" {
			t.Errorf("these do not balance, which was not found:\n%s", bad)
		}
	}
}
