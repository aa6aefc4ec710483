package main

import (
	"context"
	"fmt"
	"time"
)

// The rates chapter runs `indexer run` on topics filled beforehand, and a plain
// _bulk of the very documents that come of them, in turns. A workload is what the
// topics are filled with (load.go). Each is measured so:
//
//	load.go     publish its events once
//	worker.go   A: a worker with a new group writes them into new, empty indices
//	ceiling.go  B: a plain _bulk of the documents of A into new, empty indices
//	report.go   medians of A B A B A B, and of the ratio's two halves
//
// Both sides have indices made by `indexer setup` with the same settings.

// rates is the chapter.
type rates struct {
	Shape     bulkShape `json:"plain_bulk"`
	Workloads []result  `json:"workloads"`
}

func (b *bench) runRates(ctx context.Context) (found rates, err error) {
	chosen, err := chooseWorkloads(b.options.workloads)
	if err != nil {
		return found, err
	}
	began := time.Now()
	for i, w := range chosen {
		share := began.Add(b.options.budget * time.Duration(i+1) / time.Duration(len(chosen)))
		one, err := b.measure(ctx, w, share)
		if err != nil {
			return found, fmt.Errorf("%s: %w", w.name, err)
		}
		found.Workloads = append(found.Workloads, one)
	}
	found.Shape = b.shape
	return found, nil
}

// measure takes one workload through all its rounds, fewer where they would end
// after until. A first run of the worker is not counted: it warms both programs up
// and leaves the documents for the other side.
func (b *bench) measure(ctx context.Context, w workload, until time.Time) (result, error) {
	r := result{Workload: w.name, About: w.about}
	topics, err := b.fill(ctx, w)
	if err != nil {
		return r, err
	}
	r.Events = topics.events
	warm := b.newSide("w")
	if _, err := b.runWorker(ctx, topics, warm); err != nil {
		return r, fmt.Errorf("run the worker: %w", err)
	}
	docs, err := b.documents(ctx, warm)
	if err != nil {
		return r, err
	}
	if err := b.remove(ctx, warm); err != nil {
		return r, err
	}
	r.Documents = len(docs)
	if b.shape == (bulkShape{}) {
		if err := b.tune(ctx, docs); err != nil {
			return r, fmt.Errorf("tune the plain bulk: %w", err)
		}
	}
	for n := range b.options.rounds {
		began := time.Now()
		one, err := b.round(ctx, topics, docs)
		if err != nil {
			return r, err
		}
		r.Rounds = append(r.Rounds, one)
		b.say("%s %d/%d: worker %.0f events/s, plain _bulk %.0f docs/s", w.name, n+1, b.options.rounds, one.Worker.Rate, one.Ceiling.Rate)
		if left := b.options.rounds - n - 1; left > 0 && time.Now().Add(time.Since(began)).After(until) {
			b.say("%s: the budget of time leaves %d rounds out", w.name, left)
			break
		}
	}
	r.conclude()
	return r, nil
}

// round measures both sides once, one after the other.
func (b *bench) round(ctx context.Context, topics filled, docs []doc) (round, error) {
	var one round
	side := b.newSide("w")
	var err error
	if one.Worker, err = b.runWorker(ctx, topics, side); err != nil {
		return one, fmt.Errorf("run the worker: %w", err)
	}
	count, err := b.countDocuments(ctx, side)
	if err != nil {
		return one, err
	}
	if count != len(docs) {
		return one, fmt.Errorf("the worker left %d documents, and %d the time before", count, len(docs))
	}
	if err := b.remove(ctx, side); err != nil {
		return one, err
	}
	if one.Ceiling, err = b.runCeiling(ctx, docs, b.shape); err != nil {
		return one, fmt.Errorf("run the plain bulk: %w", err)
	}
	return one, nil
}
