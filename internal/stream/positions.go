package stream

import (
	"context"
	"fmt"
	"slices"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Positions returns where the ranges end: what is known of the log once they have
// been read.
func Positions(ranges []Range) []record.Position {
	positions := make([]record.Position, len(ranges))
	for i, r := range ranges {
		positions[i] = record.Position{Partition: r.Partition, TopicID: r.TopicID, Next: r.To}
	}
	return positions
}

// After returns what positions do not cover of the present log, one Range for each
// of its partitions, an empty one where nothing is left.
//
// A partition without a position is left whole; so is one whose topic was made
// again, as it has another id then: what was read is of another log. Of a log that
// was cut, or that lost its end, since the position was taken, there is left what
// it holds from the position on.
func After(positions []record.Position, present []Range) []Range {
	left := slices.Clone(present)
	for i := range left {
		left[i].From = reached(positions, present[i])
	}
	return left
}

// Before returns what positions cover of the present log: the part that [After]
// leaves out.
func Before(positions []record.Position, present []Range) []Range {
	before := slices.Clone(present)
	for i := range before {
		before[i].To = reached(positions, present[i])
	}
	return before
}

// Cut returns what positions do not cover and the present log holds no more: a Range
// for each partition of which something is gone, from the position to where its log
// begins now.
func Cut(positions []record.Position, present []Range) []Range {
	var gone []Range
	for _, r := range present {
		if next := covered(positions, r); next < r.From {
			r.From, r.To = next, r.From
			gone = append(gone, r)
		}
	}
	return gone
}

// Ended returns the positions whose log is no more: its topic was removed, or made
// again.
func Ended(positions []record.Position, present []Range) []record.Position {
	return slices.DeleteFunc(slices.Clone(positions), func(p record.Position) bool {
		return slices.ContainsFunc(present, func(r Range) bool { return isOf(p, r) })
	})
}

// isOf tells whether a position is of the log that r is of.
func isOf(p record.Position, r Range) bool {
	return p.Partition == r.Partition && !differ(p.TopicID, r.TopicID)
}

// reached is the offset of r that positions come to.
func reached(positions []record.Position, r Range) int64 {
	return min(max(covered(positions, r), r.From), r.To)
}

// covered is the offset up to which positions cover the log that r is of: 0 where
// none is of it, be it that its topic was made again since.
func covered(positions []record.Position, r Range) int64 {
	for _, p := range positions {
		if isOf(p, r) {
			return p.Next
		}
	}
	return 0
}

// Committed returns what a group has committed of those of the topics that exist,
// sorted: a position for each partition where it has committed one, with the id of
// the topic that it was committed for. It needs no running member and is none. It
// waits for a broker until ctx ends, or 10 s where ctx has no deadline.
func (a *Admin) Committed(ctx context.Context, group string, topics []string) ([]record.Position, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, done, err := a.outside(ctx, group)
	if err != nil {
		return nil, err
	}
	defer done()
	found, err := s.topics(ctx, topics)
	if err != nil {
		return nil, a.connection.explain(err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	places, err := s.committed(ctx, topicPartitions(partitionsIn(found)))
	if err != nil {
		return nil, fmt.Errorf("look up the committed offsets of group %s: %w", group, a.connection.explain(err))
	}
	var positions []record.Position
	for id, at := range places {
		if at.Committed >= 0 {
			positions = append(positions, record.Position{Partition: id, TopicID: at.CommittedID, Next: at.Committed})
		}
	}
	slices.SortFunc(positions, func(a, b record.Position) int { return comparePartitions(a.Partition, b.Partition) })
	return positions, nil
}
