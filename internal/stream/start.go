package stream

import (
	"fmt"

	"github.com/search-indexer/search-indexer/internal/record"
)

// start is where reading a partition begins, and why there.
type start struct {
	offset  int64
	problem error  // set: reading must not begin
	note    string // set where an operator may want to know
}

// startAt decides where a group begins to read: where it left off; at the log's
// first offset where it never read this topic, be it that the topic was made
// again under its name; nowhere where the log has lost what comes next.
func startAt(p record.Partition, at place, group string) start {
	switch {
	case at.committed < 0 && at.low > 0:
		return start{offset: at.low, note: "reading the partition from behind a cut: the group has no offset here and the log's beginning is gone"}
	case at.committed < 0:
		return start{offset: at.low}
	case differ(at.committedID, at.topicID):
		return start{offset: at.low, note: "reading the partition from its beginning: the topic was made again since the group last read it"}
	case at.committed < at.low || at.committed > at.high:
		return start{offset: at.committed, problem: lostRange(p, at.committed, at, group)}
	default:
		return start{offset: at.committed}
	}
}

// differ compares topic ids; an unknown one differs from none.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

// lostRange is the problem of a partition whose next offset is not in the log.
func lostRange(p record.Partition, next int64, at place, group string) error {
	what := fmt.Sprintf("offsets %d to %d are no longer in the log", next, at.low-1)
	if next > at.high {
		what = fmt.Sprintf("the log ends at offset %d, so records were lost after they were read", at.high)
	}
	return fmt.Errorf("partition %s of group %s should go on at offset %d, but %s; it stays paused until an operator decides: "+
		"stop all workers of the group, choose the place to go on with "+
		"`indexer offsets reset --to earliest --topic %s --partition %d` (or --to an offset or a time), and start them again",
		p, group, next, what, p.Topic, p.ID)
}
