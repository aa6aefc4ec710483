package stream

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Store notes for the next Commit the offset that each partition is to be read
// from, in this or another member's life: the one after the last record that has
// ended. Ignored are partitions that this member does not own, and offsets that
// this ownership has not come to or is past: a late call of an earlier one.
func (c *Consumer) Store(next map[record.Partition]int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	offsets := make([]kafka.TopicPartition, 0, len(next))
	for id, offset := range next {
		if p := c.owned[id]; p != nil && p.accepts(offset) {
			offsets = append(offsets, p.settle(id, offset))
		}
	}
	return c.store(offsets)
}

// store keeps offsets in the client, which refuses those of partitions that it is
// not assigned: an explicit commit would move their owner's offset instead.
func (c *Consumer) store(offsets []kafka.TopicPartition) error {
	if len(offsets) == 0 {
		return nil
	}
	stored, err := c.client.StoreOffsets(offsets)
	for _, p := range stored {
		if p.Error != nil && codeOf(p.Error) != kafka.ErrState {
			return fmt.Errorf("store the offset of %s: %w", partitionOf(p), p.Error)
		}
	}
	if err != nil && codeOf(err) != kafka.ErrState {
		return fmt.Errorf("store offsets: %w", err)
	}
	return nil
}

// storeAgain stores what the client has forgotten with an assignment.
func (c *Consumer) storeAgain(ids []record.Partition) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var offsets []kafka.TopicPartition
	for _, id := range ids {
		if p := c.owned[id]; p.settled > p.begun {
			offsets = append(offsets, p.settle(id, p.settled))
		}
	}
	return c.store(offsets)
}

// Commit writes the stored offsets to the brokers. Nothing stored since the last
// time is no error. It blocks for up to about 45 s while they are away.
func (c *Consumer) Commit() error {
	c.commits.Lock()
	defer c.commits.Unlock()
	answer, err := c.client.Commit()
	switch {
	case codeOf(err) == kafka.ErrNoOffset:
		return nil
	case err != nil:
		return fmt.Errorf("commit offsets: %w", err)
	}
	for _, p := range answer {
		if p.Offset >= 0 && p.Error != nil { // below 0: nothing was stored of it
			return fmt.Errorf("commit the offset of %s: %w", partitionOf(p), p.Error)
		}
	}
	return nil
}
