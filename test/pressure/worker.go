package main

import (
	"context"
	"fmt"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
	"github.com/search-indexer/search-indexer/test/process"
)

// worker is one `indexer run` that is scraped until it is stopped.
type worker struct {
	*process.Process
	found *result
}

func (s *stand) start(ctx context.Context, opensearch string, found *result) (*worker, error) {
	cmd := s.command(context.WithoutCancel(ctx), opensearch, "run")
	p, err := process.Start(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return &worker{p, found}, nil
}

// until scrapes the worker until done says so. Each scrape must balance.
func (w *worker) until(ctx context.Context, done func(e2e.Metrics) bool) error {
	const limit = 30 * time.Minute
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if err := w.Wait(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		m, err := w.Scrape(ctx)
		if err != nil {
			return err
		}
		if wrong := m.Unbalanced(); wrong != "" {
			return fmt.Errorf("the books: %s", wrong)
		}
		w.found.take(m)
		if done(m) {
			return nil
		}
	}
	return fmt.Errorf("not done after %s", limit)
}

// stop notes the peak of the memory and ends the worker.
func (w *worker) stop(err error) error {
	w.found.peak = w.Peak()
	return w.Stop(err)
}

func ended(m e2e.Metrics) float64 { return m.Sum("indexer_events_total") }

// all is done once that many events have ended.
func all(n int) func(e2e.Metrics) bool {
	return func(m e2e.Metrics) bool { return ended(m) >= float64(n) }
}
