package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// trial is one case.
type trial struct {
	about string
	run   func(context.Context, *stand, *result) error
}

func cases(o options) map[string]trial {
	return map[string]trial{
		"slow":     {fmt.Sprintf("OpenSearch at a tenth of its rate, a backlog of %d MB", o.backlog/1_000_000), slow},
		"large":    {"a record of 10 MB among normal ones", large},
		"tiny":     {fmt.Sprintf("10,000 tiny records a second for %d s", o.seconds), tiny},
		"hot":      {fmt.Sprintf("one entity with %d updates", o.updates), hot},
		"blocked":  {"the index of artists is blocked, posts go on", blocked},
		"poisoned": {"a dead letter is refused, all but its partition goes on", poisoned},
	}
}

// simple publishes events, lets a worker work them off, and compares.
func (s *stand) simple(ctx context.Context, found *result, events iter.Seq[event], total func() int, want map[string]int64) error {
	if err := s.publish(ctx, events); err != nil {
		return err
	}
	w, err := s.start(ctx, s.cluster.URL, found)
	if err != nil {
		return err
	}
	began := time.Time{}
	err = w.until(ctx, func(m e2e.Metrics) bool {
		if began.IsZero() && m.Sum("indexer_events_consumed_total") > 0 {
			began = time.Now()
		}
		return all(total())(m)
	})
	if err := w.stop(err); err != nil {
		return err
	}
	found.say("events\t%d in %.1f s", total(), time.Since(began).Seconds())
	return errors.Join(s.checkCommitted(ctx, total()), s.checkDocuments(ctx, "posts", want))
}

func large(ctx context.Context, s *stand, found *result) error {
	const n = 2000
	want := map[string]int64{"large": 1}
	events := func(yield func(event) bool) {
		for e := range s.prose.posts(n, want) {
			if !yield(e) || e.key == "p999" && e.topic == "post.created" && !yield(s.prose.post("post.created", "large", 1, 10_000_000)) {
				return
			}
		}
	}
	return s.simple(ctx, found, events, func() int { return n + n/10 + 1 }, want)
}

func hot(ctx context.Context, s *stand, found *result) error {
	n := s.options.updates
	want := map[string]int64{"hot": int64(n)}
	events := func(yield func(event) bool) {
		for i := range n {
			if !yield(s.prose.post("post.updated", "hot", i+1, 100)) {
				return
			}
		}
	}
	if err := s.simple(ctx, found, events, func() int { return n }, want); err != nil {
		return err
	}
	var stats struct {
		All struct {
			Primaries struct {
				Indexing struct {
					Total int `json:"index_total"`
				} `json:"indexing"`
			} `json:"primaries"`
		} `json:"_all"`
	}
	err := s.cluster.Do(ctx, "GET", "/"+s.name+"posts/_stats/indexing", "", &stats)
	found.say("writes of the document\t%d", stats.All.Primaries.Indexing.Total)
	return errors.Join(err, s.checkProcess(found))
}
