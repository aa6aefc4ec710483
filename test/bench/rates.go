package main

import (
	"context"
	"fmt"
	"time"
)

// The rates chapter runs `indexer run` on topics filled beforehand, and a plain
// _bulk of the very documents that come of them, in turns. Each workload
// (workloads.go) is measured so:
//
//	load.go     publish its events once
//	worker.go   A: a worker with a new group writes them into new indices
//	want.go     count the documents, and compare a sample with what was published
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
	for _, w := range chosen {
		one, err := b.measure(ctx, w, b.options.budget/time.Duration(len(chosen)))
		if err != nil {
			return found, fmt.Errorf("%s: %w", w.name, err)
		}
		found.Workloads = append(found.Workloads, one)
	}
	found.Shape = b.shape
	return found, nil
}

// measure takes one workload through all its rounds, fewer where they would take
// longer than budget.
func (b *bench) measure(ctx context.Context, w workload, budget time.Duration) (result, error) {
	r := result{Workload: w.name, About: w.about}
	published, err := b.publish(ctx, w, b.options.count)
	if err != nil {
		return r, fmt.Errorf("publish: %w", err)
	}
	c, err := b.warmUp(ctx, published)
	if err != nil {
		return r, fmt.Errorf("warm up: %w", err)
	}
	r.Events, r.Documents = c.measured.events, len(c.after)
	r.Disk = float64(c.disk) / float64(r.Documents)
	until := time.Now().Add(budget)
	for n := range b.options.rounds {
		began := time.Now()
		one, err := b.round(ctx, c)
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
	return r, b.remove(ctx, c.first)
}

// contest is a workload that is ready for both sides.
type contest struct {
	load
	first         side  // that of warmUp
	before, after []doc // documents that are there when the time begins, and at its end
	disk          int   // bytes that those at its end take in OpenSearch
}

// warmUp runs the worker without counting it. That warms it and OpenSearch up, and
// leaves the documents for the other side.
func (b *bench) warmUp(ctx context.Context, l load) (c contest, err error) {
	c = contest{load: l, first: b.newSide("w")}
	c.first.env = l.env
	if l.before.events > 0 {
		if _, err := b.runWorker(ctx, l.before, c.first); err != nil {
			return c, err
		}
		if c.before, err = b.documents(ctx, c.first); err != nil {
			return c, err
		}
	}
	if _, err := b.runWorker(ctx, l.measured, b.sameSide(c.first)); err != nil {
		return c, err
	}
	if err := b.check(ctx, c.first, l.want); err != nil {
		return c, err
	}
	if c.after, err = b.documents(ctx, c.first); err != nil {
		return c, err
	}
	if c.disk, err = b.countBytes(ctx, c.first); err != nil {
		return c, err
	}
	if b.shape == (bulkShape{}) {
		if err := b.tune(ctx, c.after); err != nil {
			return c, fmt.Errorf("tune the plain bulk: %w", err)
		}
	}
	return c, nil
}

// round measures both sides once, one after the other.
func (b *bench) round(ctx context.Context, c contest) (one round, err error) {
	side, err := b.stage(ctx, c)
	if err != nil {
		return one, err
	}
	if one.Worker, err = b.runWorker(ctx, c.measured, side); err != nil {
		return one, fmt.Errorf("run the worker: %w", err)
	}
	if n := one.Worker.Outcomes["duplicate"]; n > 0 && c.events != nil {
		return one, fmt.Errorf("%d events ended as duplicates: that is another work than the one to measure", n)
	}
	if err := b.check(ctx, side, c.want); err != nil {
		return one, err
	}
	if side.prefix != c.first.prefix {
		err = b.remove(ctx, side)
	}
	if err != nil {
		return one, err
	}
	if one.Ceiling, err = b.runCeiling(ctx, c.after, b.shape); err != nil {
		return one, fmt.Errorf("run the plain bulk: %w", err)
	}
	return one, nil
}

// stage returns a side with the documents that are there when the time begins. What
// changes nothing there can be measured on the same indices again.
func (b *bench) stage(ctx context.Context, c contest) (side, error) {
	if c.events == nil {
		return b.sameSide(c.first), nil
	}
	s := b.newSide("w")
	s.env = c.env
	if len(c.before) == 0 {
		return s, nil
	}
	if err := b.setup(ctx, c.measured.prefix, s); err != nil {
		return s, err
	}
	if err := b.send(ctx, bulkBodies(c.before, s.prefix, b.shape.Documents), b.shape.InFlight); err != nil {
		return s, fmt.Errorf("write what is there before: %w", err)
	}
	return s, nil
}
