package stream

import (
	"context"
	"errors"

	"github.com/search-indexer/search-indexer/internal/record"
)

// errAllSeen ends the reading: each partition has told its first record.
var errAllSeen = errors.New("all partitions are seen")

// First returns the first record of each range that has one. Its errors are those of
// [Reader.Read]; beside one it returns what was found until then.
func (r *Reader) First(ctx context.Context, ranges []Range) (map[record.Partition]record.Record, error) {
	filled := 0
	for _, stretch := range ranges {
		if stretch.From < stretch.To {
			filled++
		}
	}
	first := make(map[record.Partition]record.Record, filled)
	err := r.Read(ctx, ranges, func(found record.Record) error {
		if _, known := first[found.Partition]; !known {
			first[found.Partition] = found
		}
		if len(first) == filled {
			return errAllSeen
		}
		return nil
	})
	if errors.Is(err, errAllSeen) {
		err = nil
	}
	return first, err
}

// Unread is what the partition holds that its group has yet to read.
func (s PartitionStatus) Unread() Range {
	return Range{Partition: s.Partition, TopicID: s.TopicID, From: max(s.Start, s.Low), To: s.High}
}
