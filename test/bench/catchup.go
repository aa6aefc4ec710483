package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// catchUp is what a worker that catches up with fresh events reaches with settings
// of its own.
type catchUp struct {
	Name   string    `json:"settings"`
	Rates  []float64 `json:"events_per_second"`
	Server []float64 `json:"opensearch_cpu_us_per_event"`
	env    []string
}

// catchUps lets a worker index the same events, published for a chapter, with each of
// the settings in turn.
func (b *bench) catchUps(ctx context.Context, chapter string, with []catchUp) ([]catchUp, error) {
	l, err := b.publish(ctx, workload{name: chapter, events: fresh}, b.options.count)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	for range b.options.rounds {
		for i := range with {
			one := &with[i]
			s := b.newSide("r")
			s.env = one.env
			run, err := b.runWorker(ctx, l.measured, s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", one.Name, err)
			}
			if err := b.check(ctx, s, l.want); err != nil {
				return nil, err
			}
			if err := b.remove(ctx, s); err != nil {
				return nil, err
			}
			b.say("%s: %.0f events/s", one.Name, run.Rate)
			one.Rates, one.Server = append(one.Rates, run.Rate), append(one.Server, run.Server)
		}
	}
	return with, nil
}

// writeCatchUps prints them in 80 columns.
func writeCatchUps(b *strings.Builder, list []catchUp) {
	b.WriteString("A worker that catches up with fresh events:\n\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "settings\tevents/s\tof the first\tOpenSearch's CPU µs/ev\t")
	for _, c := range list {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%.2f\t%.0f\t\n", c.Name, humanize.Comma(int64(middle(c.Rates))),
			middle(c.Rates)/middle(list[0].Rates), middle(c.Server))
	}
	_ = table.Flush() // to memory
	fmt.Fprintf(b, "\nMedians of %d rounds, in turns.\n", len(list[0].Rates))
}

// requests is the chapter that tries how large bulk requests are, and how many are
// under way at once.
type requests []catchUp

func (b *bench) runRequests(ctx context.Context) (requests, error) {
	var all requests
	for _, try := range []struct{ events, concurrency int }{{1000, 4}, {1000, 1}, {1000, 2}, {1000, 8}, {1000, 16}, {250, 4}, {2500, 4}, {4000, 8}} {
		all = append(all, catchUp{
			Name: fmt.Sprintf("%d at once of %d events", try.concurrency, try.events),
			env:  []string{fmt.Sprintf("BATCH_MAX_EVENTS=%d", try.events), fmt.Sprintf("BULK_CONCURRENCY=%d", try.concurrency), "BATCH_MAX_BYTES=8388608"},
		})
	}
	return b.catchUps(ctx, "requests", all)
}

// writeText prints the result in 80 columns.
func (r requests) writeText(to io.Writer) error {
	var b strings.Builder
	writeCatchUps(&b, r)
	_, err := io.WriteString(to, b.String())
	return err
}
