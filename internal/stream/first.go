package stream

import (
	"context"
	"errors"

	"github.com/search-indexer/search-indexer/internal/record"
)

// errEnough, of the function that [Reader.Read] hands records to, ends the reading of
// that partition alone.
var errEnough = errors.New("no more of this partition")

// First returns the first record of each range that has one. Its errors are those of
// [Reader.Read]; beside one it returns what was found until then.
func (r *Reader) First(ctx context.Context, ranges []Range) (map[record.Partition]record.Record, error) {
	first := make(map[record.Partition]record.Record, len(ranges))
	err := r.Read(ctx, ranges, func(found record.Record) error {
		first[found.Partition] = found
		return errEnough
	})
	return first, err
}

// Unread is what the partition holds that its group has yet to read.
func (s PartitionStatus) Unread() Range {
	return Range{Partition: s.Partition, TopicID: s.TopicID, From: max(s.Start, s.Low), To: s.High}
}
