package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// tiny publishes small records at an even rate and notes the lag meanwhile.
func tiny(ctx context.Context, s *stand, found *result) error {
	const rate, slice = 10_000, 100 * time.Millisecond
	n := s.options.seconds * rate
	want := map[string]int64{}
	began := time.Now()
	events := func(yield func(event) bool) {
		tick := time.NewTicker(slice)
		defer tick.Stop()
		for i := range n {
			for i >= int(time.Since(began).Seconds()*rate) {
				<-tick.C
			}
			id := fmt.Sprintf("p%d", i%5000)
			want[id] = int64(i) + 1
			if !yield(event{"post.updated", id, fmt.Appendf(nil, `{"version":%d,"data":{"post_id":%q}}`, i+1, id)}) {
				return
			}
		}
	}
	w, err := s.start(ctx, s.cluster.URL, found)
	if err != nil {
		return err
	}
	published := make(chan error, 1)
	go func() { published <- s.publish(ctx, events) }()
	var messages, seconds []float64
	err = w.until(ctx, func(m e2e.Metrics) bool {
		messages = append(messages, m.Sum("indexer_consumer_lag"))
		oldest := 0.0
		for partition := range partitions {
			oldest = max(oldest, m.Sum("indexer_consumer_lag_seconds", fmt.Sprintf("partition=\"%d\"", partition)))
		}
		seconds = append(seconds, oldest)
		return ended(m) >= float64(n)
	})
	if err := errors.Join(w.stop(err), <-published); err != nil {
		return err
	}
	found.say("events\t%d in %.1f s", n, time.Since(began).Seconds())
	found.say("lag in records, p50 p95\t%.0f, %.0f", at(messages, 50), at(messages, 95))
	found.say("oldest in flight, p50 p95\t%.2f s, %.2f s", at(seconds, 50), at(seconds, 95))
	return errors.Join(s.checkProcess(found), s.checkCommitted(ctx, n), s.checkDocuments(ctx, "posts", want))
}

// at returns a percentile.
func at(values []float64, percent int) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)-1)*percent/100]
}

// blocked lets a worker find the index of artists blocked. All posts must get
// through all the same, and the artists once the block is lifted.
func blocked(ctx context.Context, s *stand, found *result) error {
	const n = 100_000
	want, artists := map[string]int64{}, map[string]int64{}
	events := func(yield func(event) bool) {
		for e := range s.prose.posts(n, want) {
			if !yield(e) {
				return
			}
			if e.topic == "post.updated" {
				continue
			}
			if !yield(s.prose.artist("a"+e.key[1:], artists)) {
				return
			}
		}
	}
	block := func(on string) error {
		return s.cluster.Do(ctx, "PUT", "/"+s.name+"artists/_settings", `{"index.blocks.write":`+on+`}`, nil)
	}
	if err := errors.Join(s.publish(ctx, events), block("true")); err != nil {
		return err
	}
	w, err := s.start(ctx, s.cluster.URL, found)
	if err != nil {
		return err
	}
	const entity = `entity="post"`
	const total = n + n/10
	began, took := time.Now(), time.Duration(0)
	err = w.until(ctx, func(m e2e.Metrics) bool {
		took = time.Since(began)
		return m.Sum("indexer_events_total", entity) >= total
	})
	err = errors.Join(err, block("null"))
	lifted := time.Now()
	if err == nil {
		err = w.until(ctx, all(total+n))
	}
	if err := w.stop(err); err != nil {
		return err
	}
	found.say("posts while artists are blocked\t%d in %.1f s", total, took.Seconds())
	found.say("artists once the block is lifted\t%d in %.1f s", n, time.Since(lifted).Seconds())
	return errors.Join(s.checkProcess(found), s.checkCommitted(ctx, total+n),
		s.checkDocuments(ctx, "posts", want), s.checkDocuments(ctx, "artists", artists))
}
