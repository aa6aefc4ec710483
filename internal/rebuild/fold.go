package rebuild

import (
	"context"
	"errors"
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
	if b.options.Seed {
		if err := b.seed(ctx); err != nil {
			return err
		}
	}
	ranges, err := b.Log.Ranges(ctx, b.options.Topics)
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
	b.joined = stream.Positions(ranges)
	b.report.Events = b.fold.Stats().Records
	return b.uncut(ctx, ranges)
}

// uncut makes sure that the log still begins where the fold began to read.
func (b *Rebuild) uncut(ctx context.Context, read []stream.Range) error {
	if b.options.AcceptTruncated || b.options.Seed {
		return nil
	}
	now, err := b.Log.Ranges(ctx, b.options.Topics)
	if err != nil {
		return err
	}
	present := make(map[record.Partition]stream.Range, len(now))
	for _, r := range now {
		present[r.Partition] = r
	}
	var cut []error
	for _, r := range read {
		if p, ok := present[r.Partition]; !ok || p.TopicID != r.TopicID || p.From > r.From {
			cut = append(cut, fmt.Errorf("the log of %s was cut, or its topic made again, while it was read", r.Partition))
		}
	}
	return errors.Join(cut...)
}

// seed joins what the live indices hold.
func (b *Rebuild) seed(ctx context.Context) error {
	for _, entity := range b.options.Entities {
		live, _, err := b.Client.Live(ctx, entity)
		if err != nil {
			return err
		}
		if live == "" {
			continue
		}
		b.Display.Phase("read the live "+string(entity)+"s", b.expected(entity), "documents")
		err = b.Client.Scan(ctx, live, entity, index.ScanOptions{}, func(page []index.Stored) error {
			return b.sow(page)
		})
		if err != nil {
			return fmt.Errorf("read the live index %s: %w", live, err)
		}
	}
	return nil
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
