package stream

import (
	"fmt"

	"github.com/search-indexer/search-indexer/internal/record"
)

// StartAt decides where a group begins to read: where it left off; at the log's
// first offset where it never read this topic, be it that the topic was made
// again under its name; nowhere (Start.Problem) where the log has lost what comes
// next. The note is set where an operator may want to know. It asks nobody.
func StartAt(p record.Partition, at Place, group string) (from Start, note string) {
	from = Start{Partition: p, Offset: at.Committed}
	switch {
	case at.Committed < 0:
		from.Offset = at.Low
		if at.Low > 0 {
			note = "reading the partition from behind a cut: the group has no offset here and the log's beginning is gone"
		}
	case differ(at.CommittedID, at.TopicID):
		from.Offset = at.Low
		note = "reading the partition from its beginning: the topic was made again since the group last read it"
	case at.Committed < at.Low || at.Committed > at.High:
		from.Problem = lostRange(p, at.Committed, at, group)
	}
	return from, note
}

// differ compares topic ids; an unknown one differs from none.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

// lostRange is the problem of a partition whose next offset is not in the log.
func lostRange(p record.Partition, next int64, at Place, group string) error {
	what := fmt.Sprintf("offsets %d to %d are no longer in the log", next, at.Low-1)
	if next > at.High {
		what = fmt.Sprintf("the log ends at offset %d, so records were lost after they were read", at.High)
	}
	return fmt.Errorf("partition %s of group %s should go on at offset %d, but %s; it stays paused until an operator decides: "+
		"stop all workers of the group, choose the place to go on with "+
		"`indexer offsets reset --to earliest --topic %s --partition %d` (or --to an offset or a time), and start them again",
		p, group, next, what, p.Topic, p.ID)
}
