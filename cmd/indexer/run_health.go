package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/web"
)

// watch logs what keeps the worker from its work when that changes, and reminds of
// partitions that are paused.
func (w *worker) watch(ctx context.Context) {
	const every, remind = 10 * time.Second, 6
	said := map[string]bool{}
	for n := 1; ; n++ {
		now := map[string]bool{}
		for _, problem := range w.indexProblems(ctx) {
			now[problem] = true
			if !said[problem] && ctx.Err() == nil {
				w.log.Error().Str("problem", problem).Msg("not ready; waiting, nothing is lost")
			}
		}
		if len(now) == 0 {
			w.upkeep.look(ctx, w.client)
		}
		if len(said) > 0 && len(now) == 0 {
			w.log.Info().Msg("OpenSearch is as it should be")
		}
		said = now
		if len(now) == 0 && (n%remind == 0 || w.drift.Load() == nil) {
			w.lookForDrift(ctx)
		}
		if n%remind == 0 {
			for _, note := range pausedPartitions(w.pipeline.Snapshot()) {
				w.log.Error().Str("problem", note).Msg("still paused")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

func (w *worker) indexProblems(ctx context.Context) []string {
	var problems []string
	for _, problem := range w.client.Ready(ctx) {
		problems = append(problems, problem.String())
	}
	return problems
}

// alive is nil while the poll loop moves on, however much it has to read.
func (w *worker) alive() error {
	idle := time.Since(w.consumer.LastPoll())
	if idle > w.silence {
		return fmt.Errorf("Kafka has not been polled for %s", idle.Round(time.Second))
	}
	return nil
}

// health is what one look at everything has found.
type health struct {
	web.Readiness
	opensearch bool // nothing is wrong with it
}

// ready is what /readyz shows.
func (w *worker) ready(ctx context.Context) web.Readiness { return w.health(ctx).Readiness }

// look asks OpenSearch, and the parts of the worker how they are.
func (w *worker) look(ctx context.Context) health {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r := health{Readiness: web.Readiness{Problems: w.indexProblems(ctx)}}
	r.opensearch = len(r.Problems) == 0
	if !w.consumer.Joined() {
		r.Problems = append(r.Problems, "not a member of the consumer group yet; check KAFKA_BROKERS and the log")
	}
	r.Problems = append(r.Problems, w.consumer.Troubles()...)
	s := w.pipeline.Snapshot()
	for _, stall := range s.Stalled {
		r.Problems = append(r.Problems, fmt.Sprintf("the index of %ss takes nothing: %s", stall.Entity, stall.Reason))
	}
	r.Notes = append(pausedPartitions(s), w.unfinishedSwaps(ctx)...)
	if drift := w.drift.Load(); drift != nil {
		r.Notes = append(r.Notes, *drift...)
	}
	if !w.memory.Up() {
		r.Notes = append(r.Notes, "Redis is down: going on without it, repeated events are written again; check REDIS_URL")
	}
	return r
}

// unfinishedSwaps names the rebuilds that are between swap and done: what went to the
// old index until the swap may still be missing in the new one.
func (w *worker) unfinishedSwaps(ctx context.Context) []string {
	unfinished, err := w.client.Unfinished(ctx)
	if err != nil {
		return nil // why OpenSearch can't be asked is among the problems
	}
	swapped := slices.DeleteFunc(unfinished, func(next index.Next) bool { return !next.Live })
	return unfinishedText(swapped, w.upkeep.rebuilding())
}

func pausedPartitions(s pipeline.Snapshot) []string {
	var paused []string
	for _, p := range s.Partitions {
		if p.Paused != "" {
			paused = append(paused, fmt.Sprintf("partition %s is paused: %s", p.Partition, p.Paused))
		}
	}
	return paused
}
