package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/search-indexer/search-indexer/test/process"
)

// workerRun is one run of the worker through all the events of a workload.
//
// Its time begins when the worker has taken its first records from Kafka, so that
// joining the group does not count, and ends when the last event has ended: its
// write is acknowledged. The commit follows within a second, without holding
// anything up, and is checked afterwards.
type workerRun struct {
	Seconds  float64           `json:"seconds"`
	Rate     float64           `json:"events_per_second"`
	CPU      float64           `json:"cpu_us_per_event"` // user and system, of the process, in that time
	Server   float64           `json:"opensearch_cpu_us_per_event"`
	Peak     float64           `json:"peak_rss_bytes"` // the highest of all scrapes
	Outcomes map[string]uint64 `json:"outcomes"`
	Writes   int               `json:"writes"` // documents that bulk requests held; fewer than events where they were joined
}

const (
	// A scrape costs the worker about 1 ms of CPU, so they are close together only
	// where the begin and the end of the time are to be seen.
	scrapeOften = 20 * time.Millisecond
	scrapeElse  = 200 * time.Millisecond
)

// runWorker makes a side's indices and lets a worker fill them.
func (b *bench) runWorker(ctx context.Context, topics filled, s side) (workerRun, error) {
	if err := b.setup(ctx, topics.prefix, s); err != nil {
		return workerRun{}, err
	}
	cpu := meter{cluster: b.cluster}
	if err := cpu.start(ctx); err != nil {
		return workerRun{}, err
	}
	p, err := process.Start(ctx, b.command(context.WithoutCancel(ctx), topics.prefix, s, "run"))
	if err != nil {
		return workerRun{}, err
	}
	run, err := watch(ctx, p, topics.events)
	err = errors.Join(err, cpu.stop(ctx))
	run.Server = float64(cpu.used.Microseconds()) / float64(topics.events)
	if err := p.Stop(err); err != nil {
		return run, err
	}
	if run.Writes, err = b.countWrites(ctx, s); err != nil {
		return run, err
	}
	return run, b.checkCommitted(ctx, s, topics.events)
}

// watch scrapes the worker until all events have ended.
func watch(ctx context.Context, p *process.Process, events int) (workerRun, error) {
	var first, last sample
	peak := 0.0
	for last.ended() < uint64(events) {
		wait := scrapeOften
		if n := last.ended(); n > 0 && n < uint64(events)*9/10 {
			wait = scrapeElse
		}
		if err := p.Wait(ctx, wait); err != nil {
			return workerRun{}, fmt.Errorf("%w: %d of %d events have ended", err, last.ended(), events)
		}
		var err error
		if last, err = read(ctx, p); err != nil {
			return workerRun{}, err
		}
		peak = max(peak, last.resident)
		if first.consumed == 0 {
			first = last
		}
	}
	for _, unwanted := range []string{"dead", "duplicate", "abandoned"} {
		if n := last.outcomes[unwanted]; n > 0 {
			return workerRun{}, fmt.Errorf("%d events ended as %s: that is another work than the one to measure", n, unwanted)
		}
	}
	seconds := last.at.Sub(first.at).Seconds()
	return workerRun{
		Seconds: seconds, Rate: float64(events) / seconds, Peak: peak, Outcomes: last.outcomes,
		CPU: (last.cpu - first.cpu) * 1e6 / float64(events),
	}, nil
}

// sample is one scrape.
type sample struct {
	at       time.Time
	consumed uint64
	outcomes map[string]uint64
	cpu      float64 // seconds since the process began
	resident float64 // bytes
}

func (s sample) ended() (n uint64) {
	for _, count := range s.outcomes {
		n += count
	}
	return n
}

func read(ctx context.Context, p *process.Process) (sample, error) {
	m, err := p.Scrape(ctx)
	if err != nil {
		return sample{}, err
	}
	s := sample{
		at: time.Now(), consumed: uint64(m.Sum("indexer_events_consumed_total")), outcomes: map[string]uint64{},
		cpu: m.Sum("process_cpu_seconds_total"), resident: m.Sum("process_resident_memory_bytes"),
	}
	for _, outcome := range []string{"indexed", "deleted", "stale", "duplicate", "dead", "abandoned"} {
		if n := m.Sum("indexer_events_total", fmt.Sprintf("outcome=%q", outcome)); n > 0 {
			s.outcomes[outcome] = uint64(n)
		}
	}
	return s, nil
}

// checkCommitted compares the group's offsets with the events: topics begin at 0
// and have no holes, as nothing but `produce` writes there.
func (b *bench) checkCommitted(ctx context.Context, s side, events int) error {
	committed, err := b.broker.Committed(ctx, s.group)
	if err != nil {
		return err
	}
	var sum int64
	for _, offset := range committed {
		sum += max(offset, 0)
	}
	if sum != int64(events) {
		return fmt.Errorf("the worker has committed %d of %d events", sum, events)
	}
	return nil
}
