// Command bench measures the worker beside the most that the same OpenSearch
// takes: `indexer run` on topics filled beforehand, and a plain _bulk of the very
// documents that come of them, in turns. It asserts no speed, since the machine,
// its other users and the servers decide that; what can be compared is the two
// rates of one run.
//
// A workload is what the topics are filled with (load.go). Each is measured so:
//
//	load.go     publish its events once
//	worker.go   A: a worker with a new group writes them into new, empty indices
//	ceiling.go  B: a plain _bulk of the documents of A into new, empty indices
//	report.go   medians of A B A B A B, and of the ratio's two halves
//
// With -rebuild it measures `indexer rebuild` (rebuild.go).
//
// Both sides have indices made by `indexer setup` with the same settings. What a
// run makes is removed at its end, interrupted or not (cleanup.go), but for the
// stored merge script, which other programs on that cluster may use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	count     int
	seed      uint64
	rounds    int
	workloads string
	budget    time.Duration
	indexer   string
	json      bool
	rebuild   bool
	entities  int
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.count, "count", 100_000, "events of each workload")
	f.Uint64Var(&o.seed, "seed", 1, "the same seed invents the same events")
	f.IntVar(&o.rounds, "rounds", 3, "measurements of each side, of which the median counts")
	f.StringVar(&o.workloads, "workloads", "produced,fresh", "which, in this order: "+strings.Join(workloadNames(), ", "))
	f.DurationVar(&o.budget, "budget", 4*time.Minute, "start no further round that would end after this")
	f.StringVar(&o.indexer, "indexer", "bin/indexer", "the program to measure")
	f.BoolVar(&o.rebuild, "rebuild", false, "measure a rebuild instead of the worker (rebuild.go)")
	f.IntVar(&o.entities, "entities", 100_000, "with -rebuild: posts that the events are of")
	f.BoolVar(&o.json, "json", false, "print the report as JSON, every round included")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.count < 1000 || o.rounds < 1 {
		return o, errors.New("give flags only, at least 1000 events and at least 1 round; see -help")
	}
	if o.rebuild && (o.entities < 1 || o.entities > o.count) {
		return o, errors.New("-entities: give 1 or more, and no more than -count")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	chosen, err := chooseWorkloads(o.workloads)
	if err != nil {
		return err
	}
	b, err := newBench(o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cleanUp()) }()
	// What waits for a server that no longer answers must end too.
	ctx, cancel := context.WithTimeout(ctx, 3*o.budget)
	defer cancel()

	if o.rebuild {
		result, err := b.runRebuild(ctx)
		if err != nil {
			return err
		}
		if o.json {
			return writeJSON(stdout, result)
		}
		return result.writeText(stdout)
	}
	report := report{Machine: b.machine(ctx), Options: b.settings()}
	began := time.Now()
	for i, w := range chosen {
		share := began.Add(o.budget * time.Duration(i+1) / time.Duration(len(chosen)))
		result, err := b.measure(ctx, w, share)
		if err != nil {
			return fmt.Errorf("measure %s: %w", w.name, err)
		}
		report.Workloads = append(report.Workloads, result)
	}
	report.Shape = b.shape
	if o.json {
		return report.writeJSON(stdout)
	}
	return report.writeText(stdout)
}

// measure takes one workload through all its rounds, fewer where they would end
// after until. A first run of the worker is not counted: it warms both programs up
// and leaves the documents for the other side.
func (b *bench) measure(ctx context.Context, w workload, until time.Time) (result, error) {
	r := result{Workload: w.name, About: w.about}
	topics, err := b.fill(ctx, w)
	if err != nil {
		return r, err
	}
	r.Events = topics.events
	warm := b.newSide("w")
	if _, err := b.runWorker(ctx, topics, warm); err != nil {
		return r, fmt.Errorf("run the worker: %w", err)
	}
	docs, err := b.documents(ctx, warm)
	if err != nil {
		return r, err
	}
	if err := b.remove(ctx, warm); err != nil {
		return r, err
	}
	r.Documents = len(docs)
	if b.shape == (bulkShape{}) {
		if err := b.tune(ctx, docs); err != nil {
			return r, fmt.Errorf("tune the plain bulk: %w", err)
		}
	}
	for n := range b.options.rounds {
		began := time.Now()
		one, err := b.round(ctx, topics, docs)
		if err != nil {
			return r, err
		}
		r.Rounds = append(r.Rounds, one)
		b.say("%s %d/%d: worker %.0f events/s, plain _bulk %.0f docs/s", w.name, n+1, b.options.rounds, one.Worker.Rate, one.Ceiling.Rate)
		if left := b.options.rounds - n - 1; left > 0 && time.Now().Add(time.Since(began)).After(until) {
			b.say("%s: the budget of time leaves %d rounds out", w.name, left)
			break
		}
	}
	r.conclude()
	return r, nil
}

// round measures both sides once, one after the other.
func (b *bench) round(ctx context.Context, topics filled, docs []doc) (round, error) {
	var one round
	side := b.newSide("w")
	var err error
	if one.Worker, err = b.runWorker(ctx, topics, side); err != nil {
		return one, fmt.Errorf("run the worker: %w", err)
	}
	count, err := b.countDocuments(ctx, side)
	if err != nil {
		return one, err
	}
	if count != len(docs) {
		return one, fmt.Errorf("the worker left %d documents, and %d the time before", count, len(docs))
	}
	if err := b.remove(ctx, side); err != nil {
		return one, err
	}
	if one.Ceiling, err = b.runCeiling(ctx, docs, b.shape); err != nil {
		return one, fmt.Errorf("run the plain bulk: %w", err)
	}
	return one, nil
}
