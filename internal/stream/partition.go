package stream

import (
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

type phase int

const (
	starting phase = iota // where to begin is being looked up; the reader knows nothing of it
	reading
	failed // the log has lost the next offset; an operator decides
)

// partition is one that this member owns. A new ownership gets a new one, so that
// an answer that was asked for an earlier ownership is told apart.
type partition struct {
	phase    phase
	topicID  string
	assigned bool // to the client, which fetches it and takes its offsets
	low      int64
	high     int64     // as of the last look; the client knows better where it fetches
	atEnd    time.Time // when the reading was last seen to have come to the log's end, or began
	last     int64     // timestamp (ms) of the last record
	chunked  int64     // the same of the first that the reader has yet to take; -1 for none

	pausedByReader bool

	// begun is where the reading started, delivered the offset after the last record, position the one that reading
	// has come to: further where the log ends in a transaction's marker or a hole.
	begun, delivered, position int64
	settled                    int64 // last given to Store
}

// read notes the next record.
func (p *partition) read(r *record.Record) {
	p.delivered = r.Offset + 1
	p.position = p.delivered
	p.last = r.Timestamp
	if p.chunked < 0 {
		p.chunked = r.Timestamp
	}
}

// unread returns the earliest time at which the first record that the reader has yet
// to take can have been published. Its timestamp is known only where it waits in the
// chunk; else it is no older than the record before it, and not as old as the last
// time when there was none.
func (p *partition) unread(now time.Time, high int64) time.Time {
	if p.position >= high {
		p.atEnd = now
	}
	switch last := time.UnixMilli(p.last); {
	case p.chunked >= 0:
		return time.UnixMilli(p.chunked)
	case last.After(p.atEnd):
		return last
	default:
		return p.atEnd
	}
}

// accepts reports whether next can be what this ownership has come to. It is
// assigned to the client from its start on, failed or not.
func (p *partition) accepts(next int64) bool {
	return p.assigned && p.settled <= next && next <= p.delivered
}

// settle returns what to commit when every record before next has ended. A reader
// that has ended all there is has come to the end, markers included; else their
// count would show as lag for ever.
func (p *partition) settle(id record.Partition, next int64) kafka.TopicPartition {
	p.settled = next
	if next == p.delivered {
		next = p.position
	}
	offset := topicPartition(id, next)
	// Commit keeps what was stored beside the offset (seen with librdkafka 2.15;
	// early ones dropped it).
	offset.Metadata = writeMetadata(p.topicID)
	return offset
}

// regulate lets the client fetch those of the partitions that nothing speaks
// against. It needs c.mu.
func (c *Consumer) regulate(partitions []record.Partition) error {
	var pause, resume []kafka.TopicPartition
	for _, id := range partitions {
		switch p := c.owned[id]; {
		case p == nil || !p.assigned:
		case c.holding || p.pausedByReader || p.phase != reading:
			pause = append(pause, topicPartition(id, 0))
		default:
			resume = append(resume, topicPartition(id, 0))
		}
	}
	if len(pause) > 0 {
		if err := c.client.Pause(pause); err != nil {
			return fmt.Errorf("pause partitions: %w", err)
		}
	}
	if len(resume) > 0 {
		if err := c.client.Resume(resume); err != nil {
			return fmt.Errorf("resume partitions: %w", err)
		}
	}
	return nil
}

const (
	chunkRecords = 512
	chunkBytes   = 1 << 20
)

// chunk collects the records of one hand-over.
type chunk struct {
	records []record.Record
	bytes   int
}

func (c *chunk) add(r record.Record) {
	c.records = append(c.records, r)
	c.bytes += r.Size()
}

func (c *chunk) full() bool { return len(c.records) >= chunkRecords || c.bytes >= chunkBytes }

func (c *chunk) empty() bool { return len(c.records) == 0 }

// drop takes out the records of partitions that are no longer owned.
func (c *chunk) drop(gone map[record.Partition]*partition) {
	kept := chunk{}
	for _, r := range c.records {
		if gone[r.Partition] == nil {
			kept.add(r)
		}
	}
	*c = kept
}
