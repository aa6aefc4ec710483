package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

const (
	idleWait = 100 * time.Millisecond // how long a poll waits for a record
	// soonWait is that while a look-up is under way, so that its answer is taken up.
	soonWait = 10 * time.Millisecond
	// holdAfter is how long a chunk waits for the reader before fetching is paused:
	// pausing throws the prefetched records away, so it must not be frequent.
	holdAfter = time.Second
)

// Run joins the group and reads until ctx ends (nil), Close is called (nil) or the
// client can't go on (an error that says what to do). Brokers that don't answer
// are waited for. When ctx has ended the membership stays: Store and Commit work
// until Close, or until max.poll.interval.ms (5 minutes) has passed.
func (c *Consumer) Run(ctx context.Context) error {
	c.running.Lock()
	defer c.running.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	for ctx.Err() == nil && c.closing.Err() == nil { // the second, as cancel may come a moment late
		if err := c.read(ctx); err != nil {
			return err
		}
		if c.outworn {
			if err := c.renew(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// read joins the group with the present client and reads until ctx ends, the
// client is outworn, or it can't go on.
func (c *Consumer) read(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel()
	if err := c.client.SubscribeTopics(c.cfg.FullTopics(), func(_ *kafka.Consumer, event kafka.Event) error {
		c.rebalance(ctx, event)
		return nil
	}); err != nil {
		return fmt.Errorf("subscribe to the topics: %w", err)
	}
	looking.Go(func() { c.lookAround(ctx) })
	for ctx.Err() == nil && c.fatal == nil && !c.outworn {
		more := c.turn(ctx, c.patience())
		if c.chunk.full() || !more && !c.chunk.empty() {
			c.deliver(ctx)
		}
	}
	return c.fatal
}

// patience is how long the next poll may wait.
func (c *Consumer) patience() time.Duration {
	if !c.chunk.empty() {
		return 0
	}
	for _, p := range c.owned { // only this goroutine changes it
		if p.phase == starting {
			return soonWait
		}
	}
	return idleWait
}

// turn takes one event from the client, if one comes within wait.
func (c *Consumer) turn(ctx context.Context, wait time.Duration) (more bool) {
	c.lastPoll.Store(time.Now().UnixNano())
	select {
	case found := <-c.findings:
		c.takeUp(ctx, found)
	default:
	}
	event := c.client.Poll(int(wait.Milliseconds()))
	switch e := event.(type) {
	case *kafka.Message:
		c.collect(e)
	case kafka.PartitionEOF:
		c.reachEnd(kafka.TopicPartition(e))
	case kafka.Error:
		c.complain(e)
	}
	return event != nil
}

func (c *Consumer) collect(m *kafka.Message) {
	r := fromMessage(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.owned[r.Partition]
	if p == nil || p.phase != reading {
		return
	}
	p.read(&r)
	c.chunk.add(r)
}

// reachEnd notes how far a log goes behind its last record. Where the reader has
// already stored all there was, nobody else would store the rest.
func (c *Consumer) reachEnd(at kafka.TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := partitionOf(at)
	p := c.owned[id]
	if p == nil || p.phase != reading || int64(at.Offset) <= p.position {
		return
	}
	p.position = int64(at.Offset)
	if p.settled == p.delivered {
		if err := c.store([]kafka.TopicPartition{p.settle(id, p.settled)}); err != nil {
			c.log.Warn().Err(err).Msg("the end of a log is not stored; the next record will store it")
		}
	}
}

// deliver hands the chunk over. If the reader takes nothing for a while it pauses
// the partitions and goes on polling, so that the membership stays and a rebalance
// gets through; of the chunk that waits, what is revoked meanwhile is dropped.
func (c *Consumer) deliver(ctx context.Context) {
	timer := time.NewTimer(holdAfter)
	defer timer.Stop()
	select {
	case c.records <- c.chunk.records:
		c.taken()
		return
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	c.hold(true)
	defer c.hold(false)
	for ctx.Err() == nil && c.fatal == nil && !c.outworn && !c.chunk.empty() {
		select {
		case c.records <- c.chunk.records:
			c.taken()
			return
		default:
		}
		c.turn(ctx, soonWait)
	}
}

// taken notes that the reader has the chunk.
func (c *Consumer) taken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chunk = chunk{records: make([]record.Record, 0, len(c.chunk.records))} // as many as last time, probably
	for _, p := range c.owned {
		p.chunked = -1
	}
}

func (c *Consumer) hold(holding bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = holding
	if err := c.regulate(c.ids()); err != nil {
		c.log.Warn().Err(err).Msg("flow control")
	}
}

// ids returns the owned partitions, sorted. It needs c.mu, or the polling goroutine.
func (c *Consumer) ids() []record.Partition {
	return slices.SortedFunc(maps.Keys(c.owned), comparePartitions)
}

func comparePartitions(a, b record.Partition) int {
	if a.Topic != b.Topic {
		return strings.Compare(a.Topic, b.Topic)
	}
	return int(a.ID - b.ID)
}
