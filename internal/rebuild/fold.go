package rebuild

import (
	"context"
	"fmt"

	"github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// foldLog joins every good event of the log, and makes sure afterwards that nothing
// was cut off meanwhile.
func (b *Rebuild) foldLog(ctx context.Context) error {
	var err error
	if b.fold, err = fold.Open(b.Fold); err != nil {
		return err
	}
	var ranges []stream.Range
	if b.options.Seed {
		ranges, err = b.seed(ctx)
	} else {
		ranges, err = b.ranges(ctx)
	}
	if err != nil {
		return err
	}
	b.Display.Phase(string(PhaseFold), records(ranges), "events")
	err = b.fold.Read(ctx, b.Log, ranges, b.Decoder, fold.Options{
		Only:     b.options.Entities,
		Bad:      func(_ *record.Record, why *handlers.Rejection) { b.refused.broken(string(why.Reason)) },
		Progress: func(records, _ int) { b.Display.Add(int64(records)) },
	})
	if err != nil {
		return err
	}
	b.begun = stream.Positions(ranges)
	for i := range b.begun {
		b.begun[i].Next = ranges[i].From
	}
	b.joined = stream.Positions(ranges)
	b.report.Events = b.fold.Stats().Records
	return b.uncut(ctx)
}

// uncut makes sure that the log still begins where the fold began to read.
func (b *Rebuild) uncut(ctx context.Context) error {
	if b.options.AcceptTruncated || b.options.Seed {
		return nil
	}
	now, err := b.ranges(ctx)
	if err != nil {
		return err
	}
	if ended := stream.Ended(b.begun, now); len(ended) > 0 {
		return fmt.Errorf("topic %s was removed, or made again, while it was read", ended[0].Topic)
	}
	if cut := stream.Cut(b.begun, now); len(cut) > 0 {
		return fmt.Errorf("the log of %s was cut while it was read", cut[0].Partition)
	}
	return nil
}

// seed joins what the live indices hold, and returns the log that is to be joined over
// it. It begins before what they did not hold for sure: behind what the group had
// committed, or what was gone already.
func (b *Rebuild) seed(ctx context.Context) ([]stream.Range, error) {
	committed, err := b.committed(ctx)
	if err != nil {
		return nil, err
	}
	before, err := b.ranges(ctx)
	if err != nil {
		return nil, err
	}
	for _, entity := range b.options.Entities {
		live, _, err := b.Client.Live(ctx, entity)
		if err != nil {
			return nil, err
		}
		if live == "" {
			continue
		}
		b.Display.Phase("read the live "+string(entity)+"s", b.expected(entity), "documents")
		err = b.Client.Scan(ctx, live, entity, index.ScanOptions{}, func(page []index.Stored) error {
			return b.sow(page)
		})
		if err != nil {
			return nil, fmt.Errorf("read the live index %s: %w", live, err)
		}
	}
	present, err := b.ranges(ctx)
	if err != nil {
		return nil, err
	}
	held := stream.Positions(stream.Before(committed, before))
	if gone := stream.Cut(held, present); len(gone) > 0 {
		return nil, &RefusedError{
			What:   fmt.Sprintf("the log of %s was cut from offset %d to %d, which the workers had not committed, while the live index was read", gone[0].Partition, gone[0].From, gone[0].To),
			WayOut: "raise the topic's retention.ms, let the workers catch up, and rebuild again",
		}
	}
	return present, nil
}

func (b *Rebuild) sow(page []index.Stored) error {
	entries := make([]fold.Entry, 0, len(page))
	for _, doc := range page {
		if doc.Err != nil {
			// Err may quote the document.
			return fmt.Errorf("document %s was not written by this program, or by a newer one; remove it, or run `indexer verify --repair`", doc.Key)
		}
		entries = append(entries, fold.Entry{Key: doc.Key, State: doc.State})
	}
	b.Display.Add(int64(len(page)))
	return b.fold.Join(entries)
}

// records returns how many records the ranges hold at most: their logs may have holes.
func records(ranges []stream.Range) int64 {
	var n int64
	for _, r := range ranges {
		n += r.To - r.From
	}
	return n
}

// ranges is the present log. Brokers that do not answer are waited for, as they are
// while it is read.
func (b *Rebuild) ranges(ctx context.Context) (present []stream.Range, err error) {
	err = b.insist(ctx, "look where the log ends", func() error {
		present, err = b.Log.Ranges(ctx, b.options.Topics)
		return err
	})
	return present, err
}

// committed is how far the live group is.
func (b *Rebuild) committed(ctx context.Context) (positions []record.Position, err error) {
	err = b.insist(ctx, "look up what the live group has committed", func() error {
		positions, err = b.Committed(ctx)
		return err
	})
	return positions, err
}
