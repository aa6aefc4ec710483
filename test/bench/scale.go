package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/search-indexer/search-indexer/test/process"
)

// The scale chapter changes one thing after the other on a sink that acknowledges
// whatever it gets: how many workers share the partitions, how many partitions there
// are, how large bulk requests and events may be. All share the machine's cores, with
// Kafka and Redis: what the CPU of an event does says more than the rate.

// variant is one thing changed.
type variant struct {
	Name       string `json:"name"`
	Workers    int    `json:"workers"`
	Partitions int    `json:"partitions"` // of each of five topics, one of which has the events
	Size       int    `json:"event_bytes"`
	env        []string
}

func variants() []variant {
	but := func(name string, change func(*variant)) variant {
		v := variant{Name: name, Workers: 1, Partitions: usualPartitions, Size: usualSize}
		change(&v)
		return v
	}
	return []variant{
		but("1 worker", func(*variant) {}),
		but("2 workers", func(v *variant) { v.Workers, v.env = 2, fairShares() }),
		but("4 workers", func(v *variant) { v.Workers, v.env = 4, fairShares() }),
		but("1 partition", func(v *variant) { v.Partitions = 1 }),
		but("36 partitions", func(v *variant) { v.Partitions = 36 }),
		but("batch of 100", func(v *variant) { v.env = []string{"BATCH_MAX_EVENTS=100"} }),
		but("batch of 5000", func(v *variant) { v.env = []string{"BATCH_MAX_EVENTS=5000"} }),
		but("200 B", func(v *variant) { v.Size = 200 }),
		but("10 KB", func(v *variant) { v.Size = 10_000 }),
		but("100 KB", func(v *variant) { v.Size = 100_000 }),
	}
}

// fairShares gives each worker its part of each topic. The default, and the broker's
// other assignor, count partitions over all topics: who joins a worker that has all of
// them may get whole topics, and none of the one with the events (Kafka 4.1.1).
func fairShares() []string {
	return []string{"KAFKA_OPTIONS=group.protocol=consumer,group.remote.assignor=range"}
}

// scaleRun is one measurement of a variant. What has the processes read ahead is the
// same at both ends of its time, which begins when all workers have had records and
// ends when the last ones are read.
type scaleRun struct {
	workerRun
	Events  int     `json:"events"` // that have ended in this time
	Request float64 `json:"documents_per_request"`
}

type scaled struct {
	variant
	Events int        `json:"events"`
	Rounds []scaleRun `json:"rounds"`
}

// scale is the chapter.
type scale []scaled

func (b *bench) runScale(ctx context.Context) (found scale, err error) {
	s, err := startSink(ctx, b.cluster)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	published := map[string]load{} // by the workload's name
	for _, v := range variants() {
		events := eventsOf(v, b.options.count)
		w := workload{
			name: fmt.Sprintf("scale-%d-%d-%d", v.Partitions, v.Size, events),
			size: v.Size, partitions: v.Partitions, events: fresh,
		}
		topics, ok := published[w.name]
		if !ok {
			if topics, err = b.publish(ctx, w, events); err != nil {
				return found, fmt.Errorf("publish: %w", err)
			}
			published[w.name] = topics
		}
		one, err := b.scaleRounds(ctx, v, topics.measured, s)
		if err != nil {
			return found, fmt.Errorf("%s: %w", v.Name, err)
		}
		if len(one.Rounds) > 0 {
			found = append(found, one)
		}
	}
	return found, nil
}

// eventsOf is how many events a variant needs: no more bytes where events are large;
// many more where workers share them, since the first begins at once, and it takes
// the group some seconds until the last one has its part.
func eventsOf(v variant, count int) int {
	if v.Workers > 1 {
		return 20 * count
	}
	return min(3*count, max(3*count*usualSize/v.Size, 5000))
}

// errTooFew is why a variant can't be measured with the events there are.
var errTooFew = errors.New("all events were gone before all workers had a part of them: give a higher -count")

// scaleRounds measures a variant in all its rounds, less those with too few events.
func (b *bench) scaleRounds(ctx context.Context, v variant, topics filled, s *runningSink) (scaled, error) {
	one := scaled{variant: v, Events: topics.events}
	for range b.options.rounds {
		run, err := b.scaleRun(ctx, v, topics, s)
		switch {
		case errors.Is(err, errTooFew):
			b.say("%s: %s", v.Name, errTooFew)
		case err != nil:
			return one, err
		default:
			b.say("%s: %.0f events/s, %.1f µs of CPU an event", v.Name, run.Rate, run.CPU)
			one.Rounds = append(one.Rounds, run)
		}
	}
	return one, nil
}

func (b *bench) scaleRun(ctx context.Context, v variant, topics filled, s *runningSink) (run scaleRun, err error) {
	side := b.before(s, "s")
	side.env = append(side.env, v.env...)
	if err := b.setup(ctx, topics.prefix, side); err != nil {
		return run, err
	}
	before, err := s.counts(ctx)
	if err != nil {
		return run, err
	}
	var workers []*process.Process
	for range v.Workers {
		p, startErr := b.start(ctx, topics, side)
		if err = startErr; err != nil {
			break
		}
		workers = append(workers, p)
	}
	if err == nil {
		run, err = share(ctx, workers, topics.events)
	}
	for _, p := range workers {
		err = p.Stop(err)
	}
	if err != nil {
		return run, err
	}
	after, err := s.counts(ctx)
	run.Request = float64(after.Actions-before.Actions) / float64(after.Requests-before.Requests)
	return run, errors.Join(err, b.checkCommitted(ctx, side, topics.events), b.remove(ctx, side))
}

// share measures workers from when all have records until all records are read.
func share(ctx context.Context, workers []*process.Process, events int) (run scaleRun, err error) {
	samples, err := watch(ctx, workers, events)
	if err != nil {
		return run, err
	}
	if len(samples) == 0 {
		return run, errTooFew
	}
	from, to := samples[0], samples[0]
	for _, one := range samples {
		if from.ended() == 0 {
			from = one
		}
		if one.consumed < float64(events) {
			to = one
		}
	}
	const enough = 10 // a tenth of the events
	if run.Events = int(to.ended()) - int(from.ended()); run.Events < events/enough {
		return run, errTooFew
	}
	run.workerRun = between(from, to, run.Events)
	for _, p := range workers {
		run.Peak = max(run.Peak, float64(p.Peak()))
	}
	return run, nil
}

// writeText prints the result in 80 columns.
func (r scale) writeText(to io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "\tevents\tevents/s\tMB/s\tCPU µs/ev\tof Kafka\tallocs/ev\tdocs/bulk\tMiB\t")
	for _, one := range r {
		of := func(number func(scaleRun) float64) float64 { return median(one.Rounds, number) }
		rate := of(func(s scaleRun) float64 { return s.Rate })
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%.0f\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t\n", one.Name,
			humanize.Comma(int64(one.Events)), humanize.Comma(int64(rate)), rate*float64(one.Size)/1e6,
			of(func(s scaleRun) float64 { return s.CPU }), of(func(s scaleRun) float64 { return s.Kafka }),
			of(func(s scaleRun) float64 { return s.Objects }), of(func(s scaleRun) float64 { return s.Request }),
			of(func(s scaleRun) float64 { return s.Peak })/(1<<20))
	}
	_ = table.Flush() // to memory
	_, _ = fmt.Fprintf(&b, "\nWhere not said: 1 worker, %d partitions, batches of 1000, events of %d bytes.\n"+
		"MiB: the peak of the worker with the highest. Medians of the rounds.\n"+
		"2 and 4 workers: group.protocol=consumer, group.remote.assignor=range.\n", usualPartitions, usualSize)
	_, err := io.WriteString(to, b.String())
	return err
}
