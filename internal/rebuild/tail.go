package rebuild

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// The catch-up goes on while each round leaves clearly less than the one before, and
// more than the drain joins in a moment. What is published during a round is joined
// by the next, so the rounds shrink to what their own beginning and end let through,
// or never shrink where events come faster than they can be joined.
const (
	littleLeft  = 1000
	clearlyLess = 0.8
)

// catchUp joins what was published since the new indices hold what they hold.
func (b *Rebuild) catchUp(ctx context.Context) error {
	for before := int64(math.MaxInt64); ; {
		left, err := b.advance(ctx)
		if err != nil {
			return err
		}
		if left <= littleLeft || float64(left) > float64(before)*clearlyLess {
			return b.judgeRefusals(ctx)
		}
		before = left
	}
}

// advance joins the log up to its present end, and returns how much that was.
func (b *Rebuild) advance(ctx context.Context) (int64, error) {
	present, err := b.ranges(ctx)
	if err != nil {
		return 0, err
	}
	if err := b.intact(present); err != nil {
		return 0, err
	}
	tail := stream.After(b.joined, present)
	n := records(tail)
	b.Display.Phase(string(PhaseCatchUp), n, "events")
	if err := b.join(ctx, tail, nil); err != nil {
		return 0, err
	}
	b.joined = stream.Positions(present)
	b.report.Events += n
	b.report.CaughtUp += n
	return n, nil
}

// intact makes sure that the log goes on where the new indices end.
func (b *Rebuild) intact(present []stream.Range) error {
	for _, p := range stream.Ended(b.joined, present) {
		err := b.lacks(fmt.Sprintf("topic %s was removed, or made again, before its last events were read", p.Topic),
			"`indexer rebuild --seed-from-current` begins with what the live index holds of them; --accept-truncated does without")
		if err != nil {
			return err
		}
	}
	for _, gone := range stream.Cut(b.joined, present) {
		err := b.lacks(fmt.Sprintf("the log of %s was cut from offset %d to %d before it was read", gone.Partition, gone.From, gone.To),
			"--accept-truncated does without what is gone")
		if err != nil {
			return err
		}
	}
	return nil
}

// lacks refuses to go on where events are gone. Behind the swap there is no way back:
// it is told, and what comes after them counts.
func (b *Rebuild) lacks(what, wayOut string) error {
	if !b.swapped && !b.options.AcceptTruncated {
		return &RefusedError{What: what, WayOut: wayOut}
	}
	b.tell(what)
	return nil
}

// tell says once what the new index lacks, in the log and in the report.
func (b *Rebuild) tell(what string) {
	if !slices.Contains(b.report.Notes, what) {
		b.Logger.Error().Msg(what + "; run `indexer verify`")
		b.report.note(what)
	}
}

// join takes records through the pipeline into the new indices. Keep, where it is
// set, chooses them.
func (b *Rebuild) join(ctx context.Context, stretches []stream.Range, keep func(*record.Record) bool) error {
	targets, aliases := index.Targets{}, map[document.Entity]string{}
	for _, next := range b.nexts {
		targets[next.Entity] = index.Target{Alias: next.Alias, Index: next.Index, UUID: next.UUID}
		aliases[next.Entity] = next.Alias
	}
	partitions := make([]record.Partition, len(stretches))
	for i, r := range stretches {
		partitions[i] = r.Partition
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	return pipeline.Process(ctx, b.Batch, pipeline.Parts{
		Decoder: b.Decoder, Catalog: fixed(targets),
		Writer:  chosen{index.NewWriterTo(b.Client, aliases), targets, stop},
		Deliver: func(letter pipeline.Letter, done func(error)) { b.deliver(letter, done, stop) }, Observe: func(pipeline.Ending) { b.Display.Add(1) }, Log: b.Logger,
	}, partitions, func(ctx context.Context, add func(*record.Record) error) error {
		return b.Log.Read(ctx, stretches, func(r record.Record) error {
			if keep != nil && !keep(&r) {
				b.Display.Add(1)
				return nil
			}
			return add(&r)
		})
	})
}

// deliver ends a record that cannot be indexed. A broken one is a dead letter of the
// live run. One that OpenSearch refuses is perhaps refused by the new index alone:
// it becomes a letter once that index serves, if it is none yet. One that the broker
// does not take ends the join by stop, as nobody would mend that who is not told.
func (b *Rebuild) deliver(letter pipeline.Letter, done func(error), stop context.CancelCauseFunc) {
	switch byIndex := letter.Reason == index.ReasonRejectedByIndex || letter.Reason == index.ReasonTooLarge; {
	case !byIndex:
		b.refused.broken(letter.Reason)
		done(nil)
	case b.Letters.Known(letter.Record):
		done(nil)
	default:
		_, change, _ := b.Decoder.Decode(letter.Record)
		b.refused.event(change.Key, letter)
		if !b.swapped {
			done(nil)
			return
		}
		b.Letters.Send(letter, func(err error) {
			if err != nil {
				stop(&RefusedError{
					What:   "an event that OpenSearch refuses can't become a dead letter: " + err.Error(),
					WayOut: "run `indexer setup`, which makes the dead-letter topic or says what it lacks, then `indexer rebuild --finish`",
				})
			}
			done(err)
		})
	}
}

// bury makes dead letters of the events that were refused before the swap: they are
// joined, and refused, once more. Before, there was nothing to be told: the index
// that refused them served nobody.
func (b *Rebuild) bury(ctx context.Context) error {
	origin := b.nexts[0].Origin // all have the same of these
	if len(origin.Refused) == 0 {
		return nil
	}
	err := b.insist(ctx, "look which events are dead letters", func() error { return b.Letters.Refresh(ctx) })
	if err != nil {
		return err
	}
	present, err := b.ranges(ctx)
	if err != nil {
		return err
	}
	b.tellUnburied(origin, present)
	again := stream.After(origin.Refused, stream.Before(origin.Joined, present))
	b.Display.Phase("write dead letters", records(again), "events")
	return b.join(ctx, again, b.isMarked)
}

// tellUnburied says of which stretches with refused events no letters can be made, as
// the log holds them no more. Nobody remembers which events these were: it may have
// been an earlier run that met them.
func (b *Rebuild) tellUnburied(origin index.Origin, present []stream.Range) {
	const lost = "what the new index refuses of them is no dead letter; the index that was replaced may hold it"
	for _, p := range stream.Ended(origin.Refused, present) {
		if !slices.Contains(origin.Joined, p) { // of which nothing was refused
			b.tell(fmt.Sprintf("topic %s was removed, or made again, before its events from offset %d of partition %d on were read once more: %s", p.Topic, p.Next, p.ID, lost))
		}
	}
	for _, gone := range stream.Before(origin.Joined, stream.Cut(origin.Refused, present)) {
		if gone.From < gone.To {
			b.tell(fmt.Sprintf("the log of %s was cut before %d events from offset %d on were read once more: %s", gone.Partition, gone.To-gone.From, gone.From, lost))
		}
	}
}

// judgeRefusals keeps a new index from going live that refuses what is not yet a
// dead letter, since nobody would learn of it. What the live index refuses too has
// become one meanwhile.
func (b *Rebuild) judgeRefusals(ctx context.Context) error {
	if b.refused.count == 0 || b.options.AcceptRejected {
		return nil
	}
	err := b.insist(ctx, "look which events are dead letters", func() error { return b.Letters.Refresh(ctx) })
	if err != nil {
		return err
	}
	b.refused.drop(func(e Refusal) bool {
		at := record.Partition{Topic: e.Topic, ID: e.Partition}
		return b.Letters.Known(&record.Record{Partition: at, Offset: e.Offset})
	})
	if n := b.refused.count; n > 0 {
		return &RefusedError{
			What:   fmt.Sprintf("OpenSearch refuses %d events in the new index that are no dead letters yet", n),
			WayOut: "mend the template, or make them dead letters with --accept-rejected",
		}
	}
	return nil
}

// fixed is the Catalog of indices that nobody else knows.
type fixed index.Targets

// Refresh returns them.
func (f fixed) Refresh(context.Context) (index.Targets, error) { return index.Targets(f), nil }

// Last returns them.
func (f fixed) Last() index.Targets { return index.Targets(f) }

// chosen writes what has a new index; of the other entities, all is known already.
type chosen struct {
	writer  *index.Writer
	targets index.Targets
	stop    context.CancelCauseFunc
}

// Write writes actions, which are all of one entity.
func (c chosen) Write(ctx context.Context, opaqueID string, actions []index.Action) []index.Outcome {
	if target, ok := c.targets[actions[0].Entity]; ok {
		outcomes := c.writer.Write(ctx, opaqueID, actions)
		if outcomes[0].Reason == index.ReasonAliasMissing {
			c.stop(gone(target.Index))
		}
		return outcomes
	}
	outcomes := make([]index.Outcome, len(actions))
	for i := range outcomes {
		outcomes[i].Result = index.Stale
	}
	return outcomes
}
