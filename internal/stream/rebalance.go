package stream

import (
	"context"
	"fmt"
	"sync"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Kind says what a Rebalance is.
type Kind int

const (
	// Assigned says that records of the partitions will come, from Start.Offset on, except of
	// those with a Start.Problem.
	Assigned Kind = iota + 1
	// Revoked says that another member takes over when Done is called. Before that, finish
	// what is under way as far as there is time, Store and Commit.
	Revoked
	// Lost says that another member may already have taken over, or the topic was made again.
	// Forget all of the partitions and call Done; nothing of them can be stored.
	Lost
	// Failed says that the log has lost the records that come next. What was read before
	// still comes and counts; then nothing until an operator has decided.
	Failed
)

// String returns the kind in lower case, as for a metric's label.
func (k Kind) String() string {
	return [...]string{"unknown", "assigned", "revoked", "lost", "failed"}[k]
}

// Start is where reading one partition begins or has ended.
type Start struct {
	record.Partition
	Offset  int64 // next to be read; of no meaning for Revoked and Lost
	Problem error // set where nothing is read until an operator decides; says what to do
}

// Rebalance is a change of what this member owns.
type Rebalance struct {
	Kind       Kind
	Partitions []Start // never empty, sorted
	// Done lets the group go on. Revoked and Lost must call it, once or more often,
	// from any goroutine; elsewhere it does nothing.
	Done func()
}

// tell hands a rebalance to the reader and, where its Done counts, waits for that.
// When ctx ends it returns at once.
func (c *Consumer) tell(ctx context.Context, kind Kind, partitions []Start) {
	if len(partitions) == 0 {
		return
	}
	c.log.Info().Int("count", len(partitions)).Msg("partitions " + kind.String())
	done := make(chan struct{})
	select {
	case c.rebalances <- Rebalance{Kind: kind, Partitions: partitions, Done: sync.OnceFunc(func() { close(done) })}:
	case <-ctx.Done():
		return
	}
	if kind != Revoked && kind != Lost {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// rebalance is called by the client from within a poll. It must change the
// client's assignment in its turn, be it by nothing, or the client would do so.
func (c *Consumer) rebalance(ctx context.Context, event kafka.Event) {
	switch e := event.(type) {
	case kafka.AssignedPartitions:
		c.joined.Store(true)
		// Nothing is assigned to the client before it is known where to begin
		// (takeUp does it), so that nothing is read or committed meanwhile.
		c.await(partitionsOf(e.Partitions))
		c.insist("acknowledge the assignment", c.client.IncrementalAssign([]kafka.TopicPartition{}))
	case kafka.RevokedPartitions:
		kind := Revoked
		if c.client.AssignmentLost() {
			kind = Lost
			c.joined.Store(false)
		}
		c.release(ctx, kind, partitionsOf(e.Partitions))
	}
}

// await takes partitions into ownership and has their starts looked up.
func (c *Consumer) await(partitions []record.Partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range partitions {
		c.owned[id] = &partition{phase: starting}
	}
	c.lookSoon()
}

// release gives partitions up once the reader is done with them.
func (c *Consumer) release(ctx context.Context, kind Kind, ids []record.Partition) {
	c.mu.Lock()
	gone := map[record.Partition]*partition{}
	var known []Start
	for _, id := range ids {
		p := c.owned[id]
		if p == nil {
			continue
		}
		gone[id] = p
		if p.phase != starting {
			known = append(known, Start{Partition: id})
		}
		if kind == Lost { // before the reader is told: no Store of its may count
			delete(c.owned, id)
		}
	}
	c.chunk.drop(gone)
	c.mu.Unlock()

	c.tell(ctx, kind, known)

	c.mu.Lock()
	defer c.mu.Unlock()
	assigned := []kafka.TopicPartition{}
	for id, p := range gone {
		delete(c.owned, id)
		if p.assigned {
			assigned = append(assigned, topicPartition(id, 0))
		}
	}
	c.insist("give partitions up", c.client.IncrementalUnassign(assigned))
}

// insist ends Run where the client refuses a change that must succeed.
func (c *Consumer) insist(what string, err error) {
	if err != nil && c.fatal == nil {
		c.fatal = fmt.Errorf("%s: %w (start the worker again; no offset is lost)", what, err)
	}
}
