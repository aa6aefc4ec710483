package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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
	Seconds   float64           `json:"seconds"`
	Rate      float64           `json:"events_per_second"`
	CPU       float64           `json:"cpu_us_per_event"`            // user and system, of the process, in that time
	Kafka     float64           `json:"librdkafka_cpu_us_per_event"` // of that, the threads of the Kafka client
	Machine   float64           `json:"machine_cpu_us_per_event"`    // of all processes, Kafka's among them
	Objects   float64           `json:"allocations_per_event"`       // by Go
	Allocated float64           `json:"allocated_bytes_per_event"`   // by Go
	Server    float64           `json:"opensearch_cpu_us_per_event"`
	Peak      float64           `json:"peak_rss_bytes"`
	Outcomes  map[string]uint64 `json:"outcomes"`
	Writes    int               `json:"writes"` // documents that bulk requests held; fewer than events where they were joined
}

const (
	// A scrape costs the worker about 1 ms of CPU, so they are close together only
	// where the begin and the end of the time are to be seen.
	scrapeOften = 20 * time.Millisecond
	scrapeElse  = 200 * time.Millisecond
)

// start starts a worker for a side.
func (b *bench) start(ctx context.Context, topics filled, s side) (*process.Process, error) {
	return process.Start(ctx, b.command(context.WithoutCancel(ctx), topics.prefix, s, "run"))
}

// runWorker makes a side's indices, where they are not there, and lets a worker
// write to them.
func (b *bench) runWorker(ctx context.Context, topics filled, s side) (workerRun, error) {
	if err := b.setup(ctx, topics.prefix, s); err != nil {
		return workerRun{}, err
	}
	before, err := b.countWrites(ctx, s)
	if err != nil {
		return workerRun{}, err
	}
	cpu := meter{cluster: b.cluster}
	if err := cpu.start(ctx); err != nil {
		return workerRun{}, err
	}
	p, err := b.start(ctx, topics, s)
	if err != nil {
		return workerRun{}, err
	}
	run, err := watchOne(ctx, p, topics.events)
	err = errors.Join(err, cpu.stop(ctx))
	run.Server = float64(cpu.used.Microseconds()) / float64(topics.events)
	if err := p.Stop(err); err != nil {
		return run, err
	}
	after, err := b.countWrites(ctx, s)
	if err != nil {
		return run, err
	}
	run.Writes = after - before
	return run, b.checkCommitted(ctx, s, topics.events)
}

// watchOne scrapes a worker until all events have ended.
func watchOne(ctx context.Context, p *process.Process, events int) (workerRun, error) {
	samples, err := watch(ctx, []*process.Process{p}, events)
	if err != nil {
		return workerRun{}, err
	}
	last := samples[len(samples)-1]
	for _, unwanted := range []string{"dead", "abandoned"} {
		if n := last.outcomes[unwanted]; n > 0 {
			return workerRun{}, fmt.Errorf("%d events ended as %s", n, unwanted)
		}
	}
	run := between(samples[0], last, events)
	run.Peak, run.Outcomes = float64(p.Peak()), last.outcomes
	return run, nil
}

// between is what events of them cost from one sample to another.
func between(from, to sample, events int) workerRun {
	seconds, n := to.at.Sub(from.at).Seconds(), float64(events)
	return workerRun{
		Seconds: seconds, Rate: n / seconds,
		CPU:     (to.cpu - from.cpu) * 1e6 / n,
		Kafka:   (to.kafka - from.kafka) * 1e6 / n,
		Machine: (to.machine - from.machine) * 1e6 / n,
		Objects: (to.objects - from.objects) / n, Allocated: (to.allocated - from.allocated) / n,
	}
}

// watch scrapes workers that share the events until all have ended. It returns the
// samples from the first on in which each worker has taken some.
func watch(ctx context.Context, workers []*process.Process, events int) (samples []sample, err error) {
	var last sample
	for last.ended() < uint64(events) {
		wait := scrapeOften
		if n := last.ended(); n > 0 && n < uint64(events)*9/10 {
			wait = scrapeElse
		}
		if err := workers[0].Wait(ctx, wait); err != nil {
			return nil, fmt.Errorf("%w: %d of %d events have ended", err, last.ended(), events)
		}
		if last, err = read(ctx, workers); err != nil {
			return nil, err
		}
		if len(samples) > 0 || last.least > 0 {
			samples = append(samples, last)
		}
	}
	return slices.Clip(samples), nil
}

// sample is one scrape of all workers, summed up.
type sample struct {
	at        time.Time
	consumed  float64 // records
	least     float64 // records consumed by the worker that has consumed the fewest
	outcomes  map[string]uint64
	cpu       float64 // seconds since the processes began
	kafka     float64 // of that, the threads of librdkafka
	machine   float64 // seconds that all cores have worked, for whomever
	objects   float64 // allocated since then
	allocated float64 // bytes
	lag       float64 // records
	behind    float64 // seconds, of the partition that is furthest behind
}

func (s sample) ended() (n uint64) {
	for _, count := range s.outcomes {
		n += count
	}
	return n
}

func read(ctx context.Context, workers []*process.Process) (sample, error) {
	s := sample{outcomes: map[string]uint64{}, least: math.Inf(1)}
	for _, p := range workers {
		m, err := p.Scrape(ctx)
		if err != nil {
			return sample{}, err
		}
		consumed := m.Sum("indexer_events_consumed_total")
		s.consumed += consumed
		s.least = min(s.least, consumed)
		s.cpu += m.Sum("process_cpu_seconds_total")
		s.kafka += threadsCPU(p.PID(), "rdk:").Seconds()
		s.objects += m.Sum("go_memstats_mallocs_total")
		s.allocated += m.Sum("go_memstats_alloc_bytes_total")
		s.lag += m.Sum("indexer_consumer_lag")
		s.behind = max(s.behind, m.Max("indexer_consumer_lag_seconds"))
		for _, outcome := range []string{"indexed", "deleted", "stale", "duplicate", "dead", "abandoned"} {
			if n := m.Sum("indexer_events_total", fmt.Sprintf("outcome=%q", outcome)); n > 0 {
				s.outcomes[outcome] += uint64(n)
			}
		}
	}
	s.at, s.machine = time.Now(), machineCPU().Seconds()
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
