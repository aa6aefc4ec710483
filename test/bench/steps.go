package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/test/process"
)

// step is one rate among others that follow each other without a pause. Its lag is
// that of all partitions in records, and of the one furthest behind in seconds.
type step struct {
	Part    float64     `json:"part_of_ceiling"`
	Rate    int         `json:"events_per_second"`
	Records percentiles `json:"lag_records"`
	Seconds percentiles `json:"lag_seconds"`
}

// runSteps goes up to what nearly fills OpenSearch, and back.
func (b *bench) runSteps(ctx context.Context) (steps []step, err error) {
	l, err := b.goLive(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = b.end(ctx, l, err) }()
	if _, err = b.try(ctx, l, 1000, 3*time.Second); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	for _, part := range []float64{.1, .25, .5, .75, .1} {
		one := step{Part: part, Rate: int(part * b.ceiling)}
		nobody := newTimeline()
		l.tap.follow(nobody)
		var records, seconds []float64
		watching, done := context.WithCancel(ctx)
		var group errgroup.Group
		group.Go(func() error {
			for l.worker.Wait(watching, 100*time.Millisecond) == nil {
				now, err := read(ctx, []*process.Process{l.worker})
				if err != nil {
					return err
				}
				records, seconds = append(records, now.lag), append(seconds, now.behind)
			}
			return nil
		})
		group.Go(func() error {
			defer done()
			return l.publish(ctx, one.Rate, b.options.step, nobody)
		})
		if err := group.Wait(); err != nil {
			return steps, err
		}
		one.Records, one.Seconds = percentilesOf(records), percentilesOf(seconds)
		b.say("step to %d events/s: lag p95 %.0f records, %.2f s", one.Rate, one.Records.P95, one.Seconds.P95)
		steps = append(steps, one)
	}
	return steps, b.checkLive(ctx, l)
}
