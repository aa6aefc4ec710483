package stream

import (
	"context"
	"fmt"
	"time"

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
	if codeOf(err) == kafka.ErrNoOffset {
		return nil
	}
	return c.remember(answer, err)
}

// remember takes note of what a commit has written. It needs c.commits.
func (c *Consumer) remember(answer []kafka.TopicPartition, err error) error {
	if err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	var failed error
	for _, p := range answer {
		switch {
		case p.Offset < 0: // nothing was stored of it
		case p.Error == nil:
			c.committed[partitionOf(p)] = int64(p.Offset)
		case failed == nil:
			failed = fmt.Errorf("commit the offset of %s: %w", partitionOf(p), p.Error)
		}
	}
	return failed
}

// lower commits the starts that lie below what this client remembers to have
// committed, and reports whether all are committed.
//
// A commit without arguments leaves out a stored offset that is not above the last
// one that the client has committed (seen with librdkafka 2.15), and an unassigned
// partition is not forgotten: of a topic that was made again, nothing would be
// committed before it had grown past the old one. Only a commit that names the
// offset changes what is remembered. Brokers take it from any member of the group,
// so it is only safe here: on the polling goroutine, which has to answer before the
// partition can go to another member, in the group's present generation (a member
// that was put out has none, and is refused). Even a late one would only have
// records read again.
func (c *Consumer) lower(ctx context.Context, starts map[record.Partition]Place) bool {
	if !c.lockCommits(ctx) {
		return false
	}
	defer c.commits.Unlock()
	var offsets []kafka.TopicPartition
	for id, at := range starts {
		from, _ := StartAt(id, at, c.cfg.GroupID)
		if last, ok := c.committed[id]; ok && from.Problem == nil && from.Offset < last {
			offset := topicPartition(id, from.Offset)
			offset.Metadata = writeMetadata(at.TopicID)
			offsets = append(offsets, offset)
		}
	}
	if len(offsets) == 0 {
		return true
	}
	answer, err := c.client.CommitOffsets(offsets)
	if err = c.remember(answer, err); err != nil {
		c.log.Info().Err(err).Stringers("partitions", stringers(partitionsOf(offsets))).Msg("partitions can't begin yet; trying on")
		time.AfterFunc(retryInterval, c.lookSoon)
	}
	return err == nil
}

// lockCommits waits for the commit under way, which takes up to 45 s while the
// brokers are away, but not past the end of ctx: a worker that is to end would not.
func (c *Consumer) lockCommits(ctx context.Context) bool {
	for !c.commits.TryLock() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(soonWait):
		}
	}
	return true
}
