package stream

import (
	"context"
	"maps"
	"slices"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Fetch returns the records at the given offsets of each partition, sorted by
// partition and offset. Those that the log no longer has are left out. What lies
// between the first and the last of a partition is read too, so it is for offsets
// that are near each other. It waits for brokers until ctx ends.
func (r *Reader) Fetch(ctx context.Context, offsets map[record.Partition][]int64) ([]record.Record, error) {
	if len(offsets) == 0 {
		return nil, nil
	}
	topics := map[string]bool{}
	for p := range offsets {
		topics[p.Topic] = true
	}
	there, err := r.Ranges(ctx, slices.Sorted(maps.Keys(topics)))
	if err != nil {
		return nil, err
	}
	wanted := map[record.Partition]map[int64]bool{}
	var ranges []Range
	for _, stretch := range there {
		list := offsets[stretch.Partition]
		if len(list) == 0 {
			continue
		}
		stretch.From = max(stretch.From, slices.Min(list))
		stretch.To = min(stretch.To, slices.Max(list)+1)
		ranges = append(ranges, stretch)
		wanted[stretch.Partition] = map[int64]bool{}
		for _, offset := range list {
			wanted[stretch.Partition][offset] = true
		}
	}
	var found []record.Record
	err = r.Read(ctx, ranges, func(rec record.Record) error {
		if wanted[rec.Partition][rec.Offset] {
			found = append(found, rec)
		}
		return nil
	})
	return found, err
}
