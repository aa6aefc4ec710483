// Command bench measures the program on the real services. It asserts no speed,
// since the machine, its other users and the servers decide that: what can be
// compared is what one run has measured in turns. It fails where documents are
// wrong.
//
// What it measures are chapters:
//
//	rates    a worker beside the most that the same OpenSearch takes (rates.go)
//	stub     a worker on a sink that only acknowledges; its profile (stub.go)
//	latency  from publishing to acknowledged and searchable; lag (latency.go, steps.go)
//	refresh  the same with other refresh intervals, and what they cost (refresh.go)
//	scale    workers, partitions, batches and sizes of events on that sink (scale.go)
//	rebuild  `indexer rebuild` beside the least it has to do (rebuild.go)
//
// What a run makes is removed at its end, interrupted or not (cleanup.go), but for
// the stored merge script, which other programs on that cluster may use.
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
	chapters  string
	count     int
	seed      uint64
	rounds    int
	workloads string
	budget    time.Duration
	indexer   string
	json      bool
	entities  int
	rates     string
	refresh   string
	step      time.Duration
	profile   string
	sink      string
	page      string
	shown     string // how the command was given, for the page
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.chapters, "chapters", "rates,stub,latency", "what to measure, in this order: "+strings.Join(chapterNames(), ", "))
	f.IntVar(&o.count, "count", 120_000, "events of each workload")
	f.Uint64Var(&o.seed, "seed", 1, "the same seed invents the same events")
	f.IntVar(&o.rounds, "rounds", 3, "measurements of each side, of which the median counts")
	f.StringVar(&o.workloads, "workloads", "fresh,updates,partial,replay,mixed", "rates: which, in this order: "+strings.Join(workloadNames(), ", "))
	f.DurationVar(&o.budget, "budget", 8*time.Minute, "rates and rebuild: of all rounds, of which no further one begins where it would end later")
	f.StringVar(&o.indexer, "indexer", "bin/indexer", "the program to measure")
	f.IntVar(&o.entities, "entities", 100_000, "rebuild: posts that the events are of")
	f.StringVar(&o.rates, "rates", "100,1000,quarter,half", "latency and refresh: events per second to publish; quarter and half are of the plain bulk")
	f.StringVar(&o.refresh, "refresh", "1s,500ms,200ms,100ms", "refresh: intervals to try")
	f.DurationVar(&o.step, "step", 8*time.Second, "latency and refresh: how long to publish at each rate")
	f.StringVar(&o.profile, "profile", "", "stub: the folder to write profiles of CPU and allocations into, by one more run")
	f.StringVar(&o.page, "page", "", "put the results into this page, such as docs/performance.md")
	f.BoolVar(&o.json, "json", false, "print the results as JSON, every round included")
	f.StringVar(&o.sink, "sink", "", "be a sink before this OpenSearch, as this program starts one itself")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.shown = strings.TrimSpace("test/bench " + strings.Replace(strings.Join(args, " "), "-page "+o.page, "", 1))
	if f.NArg() > 0 || o.count < 1000 || o.rounds < 1 {
		return o, errors.New("give flags only, at least 1000 events and at least 1 round; see -help")
	}
	if strings.Contains(o.chapters, "rebuild") && (o.entities < 1 || o.entities > o.count) {
		return o, errors.New("-entities: give 1 or more, and no more than -count")
	}
	return o, nil
}

// chapter is one thing to measure.
type chapter struct {
	name string
	run  func(*bench, context.Context) (finding, error)
}

// finding is what a chapter has found.
type finding interface {
	// writeText prints it in 80 columns.
	writeText(to io.Writer) error
}

func chapters() []chapter {
	return []chapter{
		{"rates", func(b *bench, ctx context.Context) (finding, error) { return b.runRates(ctx) }},
		{"stub", func(b *bench, ctx context.Context) (finding, error) { return b.runStub(ctx) }},
		{"latency", func(b *bench, ctx context.Context) (finding, error) { return b.runLatency(ctx) }},
		{"refresh", func(b *bench, ctx context.Context) (finding, error) { return b.runRefresh(ctx) }},
		{"requests", func(b *bench, ctx context.Context) (finding, error) { return b.runRequests(ctx) }},
		{"scale", func(b *bench, ctx context.Context) (finding, error) { return b.runScale(ctx) }},
		{"rebuild", func(b *bench, ctx context.Context) (finding, error) { return b.runRebuild(ctx) }},
	}
}

func chapterNames() []string {
	var names []string
	for _, c := range chapters() {
		names = append(names, c.name)
	}
	return names
}

func chooseChapters(list string) ([]chapter, error) {
	var chosen []chapter
next:
	for name := range strings.SplitSeq(list, ",") {
		for _, c := range chapters() {
			if c.name == name {
				chosen = append(chosen, c)
				continue next
			}
		}
		return nil, fmt.Errorf("no chapter named %q: use %s", name, strings.Join(chapterNames(), ", "))
	}
	return chosen, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.sink != "" {
		return serveSink(ctx, o.sink, os.Stdin, stdout)
	}
	chosen, err := chooseChapters(o.chapters)
	if err != nil {
		return err
	}
	if err := (page{o.page}).check(chosen); err != nil {
		return err
	}
	b, err := newBench(o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cleanUp()) }()
	// What waits for a server that no longer answers must end too.
	ctx, cancel := context.WithTimeout(ctx, time.Duration(3*len(chosen))*o.budget)
	defer cancel()

	all := report{Machine: b.machine(ctx), Options: b.settings(), Chapters: map[string]finding{}}
	if !o.json {
		if err := all.Machine.writeText(stdout); err != nil {
			return err
		}
	}
	for _, c := range chosen {
		found, err := c.run(b, ctx)
		if err != nil {
			return fmt.Errorf("measure %s: %w", c.name, err)
		}
		all.Chapters[c.name] = found
		if err := b.tell(c.name, all.Machine, found, stdout); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(stdout, all)
	}
	return nil
}

// tell prints what a chapter has found, and puts it into the page.
func (b *bench) tell(chapter string, m machine, found finding, stdout io.Writer) error {
	var text strings.Builder
	if err := found.writeText(&text); err != nil {
		return err
	}
	if !b.options.json {
		if _, err := fmt.Fprintf(stdout, "\n%s\n\n%s", strings.ToUpper(chapter), text.String()); err != nil {
			return fmt.Errorf("print the results: %w", err)
		}
	}
	return page{b.options.page}.write(chapter, m, b.options.shown, text.String())
}
