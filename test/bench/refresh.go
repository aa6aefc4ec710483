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
	Trials []trial   `json:"trials"`
	Costs  []catchUp `json:"costs"`
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
	var costs []catchUp
	for _, interval := range intervals {
		costs = append(costs, catchUp{Name: interval, env: []string{"OPENSEARCH_REFRESH_INTERVAL=" + interval}})
	}
	found.Costs, err = b.catchUps(ctx, "refresh", costs)
	return found, err
}
