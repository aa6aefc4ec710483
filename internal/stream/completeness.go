package stream

import (
	"context"
	"fmt"
	"slices"
)

// Gap is a reason why a log does not hold every event that was published, or may
// stop to do so.
type Gap struct {
	Topic     string
	Partition int32 // -1 where it is of the whole topic
	// Missing tells that events are gone, or may be; else they still can go.
	Missing bool
	What    string // what is the matter, naming the topic or partition
	Remedy  string // what an operator can do
}

// String returns what is the matter and what can be done.
func (g Gap) String() string { return g.What + "; " + g.Remedy }

// Completeness returns, sorted, why those of the topics that exist do not hold every
// event: a log that begins behind offset 0, and one that is compacted, as the events
// of one document add up and have one key. A bounded retention that has removed
// nothing yet is no lack, but is told. It waits for a broker until ctx ends, or 10 s
// where ctx has no deadline.
func (r *Reader) Completeness(ctx context.Context, topics []string) ([]Gap, error) {
	ranges, err := r.Ranges(ctx, topics)
	if err != nil {
		return nil, err
	}
	var present []string
	for _, stretch := range ranges {
		if !slices.Contains(present, stretch.Topic) {
			present = append(present, stretch.Topic)
		}
	}
	retentions, err := r.admin.retentions(ctx, present)
	if err != nil {
		return nil, err
	}
	var gaps []Gap
	for _, name := range present {
		gaps = append(gaps, topicGaps(name, retentions[name])...)
		for _, stretch := range ranges {
			if stretch.Topic == name && stretch.From > 0 {
				gaps = append(gaps, cutGap(stretch))
			}
		}
	}
	return gaps, nil
}

// topicGaps tells what the topic's settings do to its log.
func topicGaps(name string, kept Retention) []Gap {
	var gaps []Gap
	if kept.Compacted {
		gaps = append(gaps, Gap{
			Topic: name, Partition: -1, Missing: true,
			What:   fmt.Sprintf("topic %s is compacted (cleanup.policy), so earlier events of a document may be gone", name),
			Remedy: "set its cleanup.policy to delete and its retention.ms to -1, and publish again what is missing",
		})
	}
	if kept.Time >= 0 || kept.Bytes >= 0 {
		kept.Compacted = false
		gaps = append(gaps, Gap{
			Topic: name, Partition: -1,
			What:   fmt.Sprintf("topic %s keeps events only %s", name, kept),
			Remedy: "set its retention.ms and retention.bytes to -1, as a rebuild needs the whole log",
		})
	}
	return gaps
}

func cutGap(stretch Range) Gap {
	return Gap{
		Topic: stretch.Topic, Partition: stretch.ID, Missing: true,
		What:   fmt.Sprintf("the log of %s begins at offset %d: the events before it are gone", stretch.Partition, stretch.From),
		Remedy: "publish again what is missing, or begin with what the present index holds",
	}
}
