package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// foldLog joins all that the live group has committed, less what has an open letter.
//
// The order of the questions matters: a letter is written before its record is
// committed, so the letters are read after the commits, lest an event count as
// written that became a letter in between. And an index that went live before the
// commits were read holds all of them; one that goes live later need not matter.
func (v *Verify) foldLog(ctx context.Context) error {
	committed, err := v.Committed(ctx)
	if err != nil {
		return fmt.Errorf("look up what the live group has committed: %w", err)
	}
	if len(committed) == 0 {
		v.report.note("the group has committed nothing: what the index lacks can't be told")
	}
	if err := v.findIndices(ctx); err != nil {
		return err
	}
	if v.letters, err = v.readLetters(ctx); err != nil {
		return err
	}
	present, err := v.Log.Ranges(ctx, v.options.Topics)
	if err != nil {
		return err
	}
	if len(present) == 0 {
		return errors.New("none of the topics exists; check KAFKA_TOPICS and KAFKA_TOPIC_PREFIX")
	}
	v.read = stream.Before(committed, present)
	if err := v.checkLog(ctx); err != nil {
		return err
	}
	if v.fold, err = fold.Open(v.Fold); err != nil {
		return err
	}
	v.Display.Phase("read the log", records(v.read), "events")
	err = v.fold.Read(ctx, v.Log, v.read, v.Decoder, fold.Options{
		Only:     v.options.Entities,
		Skip:     v.letters.has,
		Progress: func(records, _ int) { v.Display.Add(int64(records)) },
	})
	stats := v.fold.Stats()
	v.report.Events, v.report.Bad, v.report.Letters = stats.Events, stats.Bad, stats.Skipped
	return err
}

// findIndices names the indices to look at. One that a rebuild has put into place
// and not finished may lack events.
func (v *Verify) findIndices(ctx context.Context) error {
	v.indices = map[document.Entity]string{}
	for _, entity := range v.options.Entities {
		live, _, err := v.Client.Live(ctx, entity)
		if err != nil {
			return fmt.Errorf("look for the indices: %w", err)
		}
		if live == "" {
			return fmt.Errorf("no index serves %ss: `indexer status` says why", entity)
		}
		v.indices[entity] = live
	}
	unfinished, err := v.Client.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("look for the indices: %w", err)
	}
	for _, next := range unfinished {
		if next.Live && v.indices[next.Entity] == next.Index {
			return fmt.Errorf("%s lacks events: the rebuild of %ss is between swap and done; wait for its end, or run `indexer rebuild --finish` where it has died", next.Index, next.Entity)
		}
	}
	return nil
}

// checkLog finds out whether the log holds everything.
func (v *Verify) checkLog(ctx context.Context) error {
	gaps, err := v.Log.Completeness(ctx, v.options.Topics)
	if err != nil {
		return err
	}
	v.rule.complete = true
	for _, gap := range gaps {
		if gap.Missing {
			v.rule.complete = false
			v.report.note(gap.What)
		}
	}
	if !v.rule.complete {
		v.report.note("so documents are judged by what the log still holds, and orphans can't be told")
	}
	return nil
}

// letters are the records that have an open dead letter.
type letters struct {
	entries map[document.Key][]*dlq.Entry
	names   map[dlq.Name]struct{}
	places  map[dlq.Place]struct{} // of names, which cost more to tell
}

func (v *Verify) readLetters(ctx context.Context) (letters, error) {
	l := letters{map[document.Key][]*dlq.Entry{}, map[dlq.Name]struct{}{}, map[dlq.Place]struct{}{}}
	listing, err := v.Letters.List(ctx)
	if err != nil {
		return l, err
	}
	for _, e := range listing.Matching(dlq.Filter{}, false) {
		l.entries[e.Document] = append(l.entries[e.Document], e)
		l.names[e.Name], l.places[e.Place] = struct{}{}, struct{}{}
	}
	return l, nil
}

// has tells whether a record has an open letter.
func (l letters) has(r *record.Record) bool {
	if _, ok := l.places[dlq.Place{Partition: r.Partition, Offset: r.Offset}]; !ok {
		return false
	}
	_, ok := l.names[dlq.NameOf(r)]
	return ok
}

// records returns how many records the ranges hold at most: their logs may have holes.
func records(ranges []stream.Range) int64 {
	var n int64
	for _, r := range ranges {
		n += r.To - r.From
	}
	return n
}
