package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// The stub chapter measures the worker on a sink that acknowledges whatever it
// gets (sink.go), so that the worker is what limits. Kafka and Redis are the real
// ones and have the same cores.

// stubRun is one run of the worker before a sink. What the others used is per
// event, too.
type stubRun struct {
	workerRun
	Sink    float64 `json:"sink_cpu_us_per_event"`
	Redis   float64 `json:"redis_cpu_us_per_event"`
	Memory  float64 `json:"redis_bytes_per_event"`
	Request float64 `json:"documents_per_request"`
}

// stubResult is the chapter.
type stubResult struct {
	Events int       `json:"events"`
	Cores  int       `json:"cores"`
	Rounds []stubRun `json:"rounds"`
}

func (b *bench) runStub(ctx context.Context) (stubResult, error) {
	r := stubResult{Cores: cores()}
	published, err := b.publish(ctx, workload{name: "stub", times: 4, events: fresh}, b.options.count)
	if err != nil {
		return r, fmt.Errorf("publish: %w", err)
	}
	topics := published.measured
	r.Events = topics.events
	s, err := startSink(ctx, b.cluster)
	if err != nil {
		return r, err
	}
	defer s.stop()
	for n := range b.options.rounds {
		one, err := b.stubRun(ctx, topics, s)
		if err != nil {
			return r, err
		}
		b.say("stub %d/%d: %.0f events/s, %.1f µs of CPU an event", n+1, b.options.rounds, one.Rate, one.CPU)
		r.Rounds = append(r.Rounds, one)
	}
	if b.options.profile == "" {
		return r, nil
	}
	return r, b.profile(ctx, topics, s, time.Duration(median(r.Rounds, stubRun.seconds)*float64(time.Second)))
}

func (r stubRun) seconds() float64 { return r.Seconds }

// before is a side whose worker finds a sink where OpenSearch would be.
func (b *bench) before(s *runningSink, kind string) side {
	one := b.newSide(kind)
	one.env = append(one.env, "OPENSEARCH_URLS="+s.url)
	return one
}

func (b *bench) stubRun(ctx context.Context, topics filled, s *runningSink) (one stubRun, err error) {
	side := b.before(s, "s")
	if err := b.setup(ctx, topics.prefix, side); err != nil {
		return one, err
	}
	counts, err := s.counts(ctx)
	if err != nil {
		return one, err
	}
	memory, err := b.redisUse(ctx)
	if err != nil {
		return one, err
	}
	p, err := b.start(ctx, topics, side)
	if err != nil {
		return one, err
	}
	one.workerRun, err = watchOne(ctx, p, topics.events)
	if err := p.Stop(err); err != nil {
		return one, err
	}
	taken, err := s.counts(ctx)
	if err != nil {
		return one, err
	}
	after, err := b.redisUse(ctx)
	if err != nil {
		return one, err
	}
	n := float64(topics.events)
	one.Writes = int(taken.Actions - counts.Actions)
	one.Request = float64(one.Writes) / float64(taken.Requests-counts.Requests)
	one.Sink = float64(taken.CPU-counts.CPU) / n
	one.Redis = float64((after.cpu - memory.cpu).Microseconds()) / n
	one.Memory = float64(after.memory-memory.memory) / n
	if one.Writes < topics.events {
		return one, fmt.Errorf("the sink got %d documents of %d events, all of different ones", one.Writes, topics.events)
	}
	return one, errors.Join(b.checkCommitted(ctx, side, topics.events), b.remove(ctx, side))
}

// writeText prints the result in 80 columns.
func (r stubResult) writeText(to io.Writer) error {
	var b strings.Builder
	of := func(number func(stubRun) float64) float64 { return median(r.Rounds, number) }
	fmt.Fprintf(&b, "%s fresh events of %d bytes; rounds: %d, medians\n\n", humanize.Comma(int64(r.Events)), usualSize, len(r.Rounds))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name, format string, number func(stubRun) float64) {
		_, _ = fmt.Fprintf(table, "%s\t"+format+"\n", name, of(number))
	}
	_, _ = fmt.Fprintf(table, "events/s\t%s\n", humanize.Comma(int64(of(func(s stubRun) float64 { return s.Rate }))))
	line("CPU of the worker, µs an event", "%.1f", func(s stubRun) float64 { return s.CPU })
	line("  of that, librdkafka's threads", "%.1f", func(s stubRun) float64 { return s.Kafka })
	line("allocations an event", "%.1f", func(s stubRun) float64 { return s.Objects })
	line("allocated bytes an event", "%.0f", func(s stubRun) float64 { return s.Allocated })
	line("peak RSS, MiB", "%.0f", func(s stubRun) float64 { return s.Peak / (1 << 20) })
	line("documents a bulk request", "%.0f", func(s stubRun) float64 { return s.Request })
	line("Redis, bytes an event", "%.0f", func(s stubRun) float64 { return s.Memory })
	line("CPU of Redis, µs an event", "%.1f", func(s stubRun) float64 { return s.Redis })
	line("CPU of the sink, µs an event", "%.1f", func(s stubRun) float64 { return s.Sink })
	line("CPU of all on the machine, Kafka too, µs an event", "%.1f", func(s stubRun) float64 { return s.Machine })
	_, _ = fmt.Fprintf(table, "cores at work, of %d\t%.1f\n", r.Cores, of(func(s stubRun) float64 { return s.Machine * s.Rate / 1e6 }))
	_ = table.Flush() // to memory
	_, err := io.WriteString(to, b.String())
	return err
}
