// Command pressure shows that the worker stays within its memory and loses nothing
// when more comes than OpenSearch takes: `indexer run` itself, on the real services.
// It fails where a result is wrong, never because something was slow: how fast
// anything goes is up to the machine, and only printed.
//
//	cases.go    the cases; slow.go, lanes.go and poisoned.go have some of them
//	events.go   what is published
//	stand.go    names, settings, `indexer setup`, and their removal
//	worker.go   the process: scrapes, peak memory, books (test/process runs it)
//	valve.go    the proxy that makes OpenSearch slow
//	check.go    the documents that must be there
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"
)

// options are the command line.
type options struct {
	backlog uint64 // bytes
	updates int
	seconds int
	cases   string
	indexer string
	cap     uint64 // bytes of resident memory
}

func parse(args []string) (options, error) {
	var o options
	var backlog, most string
	f := flag.NewFlagSet("pressure", flag.ContinueOnError)
	f.StringVar(&backlog, "backlog", "1GB", "what waits in the topics while OpenSearch is slow")
	f.IntVar(&o.updates, "updates", 100_000, "of the hot entity")
	f.IntVar(&o.seconds, "seconds", 20, "for which 10,000 tiny records a second are published")
	f.StringVar(&o.cases, "cases", "slow,large,tiny,hot,blocked,poisoned", "which, in this order")
	f.StringVar(&o.indexer, "indexer", "bin/indexer", "the program")
	f.StringVar(&most, "cap", "200MB", "of the worker's resident memory, at its peak")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	var err, wrong error
	o.backlog, err = humanize.ParseBytes(backlog)
	o.cap, wrong = humanize.ParseBytes(most)
	if f.NArg() > 0 || err != nil || wrong != nil {
		return o, errors.Join(errors.New("give flags only, sizes like 200MB; see -help"), err, wrong)
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "pressure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	known := cases(o)
	var wrong []error
	for name := range strings.SplitSeq(o.cases, ",") {
		try, ok := known[name]
		if !ok {
			return fmt.Errorf("no case named %q", name)
		}
		found, err := attempt(ctx, o, try)
		found.print(os.Stdout, name, try.about, err)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(wrong...)
}

// attempt runs one case on names of its own.
func attempt(ctx context.Context, o options, try trial) (found result, err error) {
	s, err := newStand(o)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, s.remove()) }()
	if err := s.setup(ctx); err != nil {
		return found, err
	}
	err = try.run(ctx, s, &found)
	return found, err
}
