package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/search-indexer/search-indexer/internal/pipeline"
)

const (
	historyEvery  = 2 * time.Second
	historyPoints = 90 // three minutes
	bulksKept     = 200
)

// history remembers what a worker did lately, for those who look at its status: they
// must not have to look twice to see a rate. It is safe for concurrent use.
type history struct {
	mu     sync.Mutex
	at     time.Time // of the last look
	last   map[string]uint64
	rates  map[string][]float64 // events a second, the latest last
	bulks  []float64            // seconds that the latest bulk requests took
	bulkAt int
}

func newHistory() *history { return &history{rates: map[string][]float64{}} }

// follow looks at the books until ctx ends.
func (h *history) follow(ctx context.Context, look func() pipeline.Snapshot) {
	tick := time.NewTicker(historyEvery)
	defer tick.Stop()
	for {
		h.add(time.Now(), totals(look()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// totals counts what was consumed, and each outcome.
func totals(s pipeline.Snapshot) map[string]uint64 {
	sums := map[string]uint64{"consumed": 0}
	for _, result := range pipeline.Results() {
		sums[string(result)] = 0
	}
	for _, n := range s.Consumed {
		sums["consumed"] += n
	}
	for _, c := range s.Outcomes {
		sums[string(c.Result)] += c.Count
	}
	return sums
}

func (h *history) add(now time.Time, sums map[string]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if passed := now.Sub(h.at).Seconds(); h.last != nil && passed > 0 {
		for name, sum := range sums {
			line := h.rates[name]
			line = append(line, float64(sum-h.last[name])/passed)
			h.rates[name] = line[max(0, len(line)-historyPoints):]
		}
	}
	h.at, h.last = now, sums
}

// bulk takes how long a bulk request took.
func (h *history) bulk(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.bulks) < bulksKept {
		h.bulks = append(h.bulks, took.Seconds())
		return
	}
	h.bulks[h.bulkAt] = took.Seconds()
	h.bulkAt = (h.bulkAt + 1) % bulksKept
}

// rateStatus is what /status shows of a worker's speed.
type rateStatus struct {
	Interval float64              `json:"interval_seconds"` // between two points
	Now      map[string]float64   `json:"per_second"`       // over the last ten seconds
	Points   map[string][]float64 `json:"points"`           // events a second, the latest last
}

// bulkStatus is about the latest bulk requests.
type bulkStatus struct {
	Requests int     `json:"requests"` // that the rest is of
	Median   float64 `json:"p50_seconds"`
	P95      float64 `json:"p95_seconds"`
	Longest  float64 `json:"max_seconds"`
}

func (h *history) status() (rateStatus, bulkStatus) {
	const recent = 5 // points
	h.mu.Lock()
	defer h.mu.Unlock()
	rates := rateStatus{Interval: historyEvery.Seconds(), Now: map[string]float64{}, Points: map[string][]float64{}}
	for name, line := range h.rates {
		rates.Points[name] = slices.Clone(line)
		last := line[max(0, len(line)-recent):]
		for _, rate := range last {
			rates.Now[name] += rate / float64(len(last))
		}
	}
	bulk := bulkStatus{Requests: len(h.bulks)}
	if n := len(h.bulks); n > 0 {
		sorted := slices.Sorted(slices.Values(h.bulks))
		bulk.Median, bulk.P95, bulk.Longest = sorted[n/2], sorted[n*95/100], sorted[n-1]
	}
	return rates, bulk
}
