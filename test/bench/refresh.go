package main

import (
	"context"
	"fmt"
	"strings"
)

// The refresh chapter tries refresh intervals: what they do to the latency, and what
// they cost a worker that catches up, since OpenSearch has to make a segment
// searchable each time.

// refresh is the chapter.
type refresh struct {
	Trials []trial       `json:"trials"`
	Costs  []refreshCost `json:"costs"`
}

// refreshCost is what a worker that catches up with fresh events reaches.
type refreshCost struct {
	Refresh string    `json:"refresh_interval"`
	Rates   []float64 `json:"events_per_second"`
}

func (b *bench) runRefresh(ctx context.Context) (found refresh, err error) {
	if err := b.findCeiling(ctx); err != nil {
		return found, err
	}
	rates, err := ratesOf(b.options.rates, b.ceiling)
	if err != nil {
		return found, err
	}
	intervals := strings.Split(b.options.refresh, ",")
	for _, interval := range intervals {
		trials, err := b.tryRates(ctx, interval, rates)
		if err != nil {
			return found, fmt.Errorf("refresh interval %s: %w", interval, err)
		}
		found.Trials = append(found.Trials, trials...)
	}
	found.Costs, err = b.refreshCosts(ctx, intervals)
	return found, err
}

// refreshCosts lets a worker index the same events with each interval in turn.
func (b *bench) refreshCosts(ctx context.Context, intervals []string) ([]refreshCost, error) {
	l, err := b.publish(ctx, workload{name: "refresh", events: fresh}, b.options.count)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	costs := make([]refreshCost, len(intervals))
	for range b.options.rounds {
		for i, interval := range intervals {
			s := b.newSide("r")
			s.env = []string{"OPENSEARCH_REFRESH_INTERVAL=" + interval}
			run, err := b.runWorker(ctx, l.measured, s)
			if err != nil {
				return nil, fmt.Errorf("refresh interval %s: %w", interval, err)
			}
			if err := b.check(ctx, s, l.want); err != nil {
				return nil, err
			}
			if err := b.remove(ctx, s); err != nil {
				return nil, err
			}
			b.say("refresh %s: %.0f events/s", interval, run.Rate)
			costs[i].Refresh = interval
			costs[i].Rates = append(costs[i].Rates, run.Rate)
		}
	}
	return costs, nil
}
