package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Consumer is a member of the consumer group. [Consumer.Run] polls; all that it
// finds reaches one reader through [Consumer.Records] and [Consumer.Rebalances],
// in order: of a partition, Assigned comes before its first record, and no record
// comes after Revoked or Lost. The other methods may be called from any goroutine.
type Consumer struct {
	cfg    Config
	log    zerolog.Logger
	client *kafka.Consumer
	scout  scout

	records    chan []record.Record
	rebalances chan Rebalance
	findings   chan findings
	nudge      chan struct{} // wakes the goroutine that asks the brokers

	closing  context.Context // ends at Close
	close    context.CancelFunc
	running  sync.Mutex // held by Run
	lastPoll atomic.Int64
	joined   atomic.Bool

	// Of the polling goroutine alone.
	chunk   chunk
	fatal   error
	login   *login
	missing map[string]bool

	mu      sync.Mutex
	owned   map[record.Partition]*partition
	holding bool // the reader takes nothing, so every partition is paused
	// trouble is what was logged of the connection since it was last well, by kind.
	trouble map[string]string
	suspect bool // the log has lost the next offset of some partition
}

// NewConsumer makes a group member. It joins when Run is called. No broker needs
// to answer yet; an error means that the settings are wrong.
func NewConsumer(cfg Config, log zerolog.Logger) (*Consumer, error) {
	properties := cfg.consumerProperties()
	properties["go.logs.channel.enable"] = true
	client, err := kafka.NewConsumer(&properties)
	if err != nil {
		return nil, fmt.Errorf("make Kafka consumer: %w", err)
	}
	go forwardLogs(client.Logs(), log)
	admin, err := kafka.NewAdminClientFromConsumer(client)
	if err != nil {
		return nil, fmt.Errorf("make Kafka admin client: %w", err)
	}
	c := &Consumer{
		cfg: cfg, log: log, client: client, login: newLogin(cfg, client.SetSaslCredentials), scout: scout{admin: admin, group: cfg.GroupID},
		records: make(chan []record.Record), rebalances: make(chan Rebalance),
		findings: make(chan findings), nudge: make(chan struct{}, 1),
		trouble: map[string]string{}, missing: map[string]bool{}, owned: map[record.Partition]*partition{},
	}
	c.closing, c.close = context.WithCancel(context.Background())
	c.lastPoll.Store(time.Now().UnixNano())
	return c, nil
}

// Records hands over what was read in chunks of at most [chunkRecords] records or
// about [chunkBytes] bytes (one larger record comes alone or last), the records of
// a partition in offset order. A reader that takes nothing stops the reading, not
// the membership. The chunk belongs to the reader.
func (c *Consumer) Records() <-chan []record.Record { return c.records }

// Rebalances hands over changes of ownership. Polling stands still until the
// reader calls Done of a Revoked or Lost.
func (c *Consumer) Rebalances() <-chan Rebalance { return c.rebalances }

// Close leaves the group, so that others take over at once; it ends Run, which
// tells the reader nothing more. Drain, Store and Commit before it. It may wait
// for a broker; no other method may be called after it.
func (c *Consumer) Close() error {
	c.close()
	c.running.Lock()
	defer c.running.Unlock()
	if err := c.client.Close(); err != nil {
		return fmt.Errorf("leave the consumer group: %w", err)
	}
	return nil
}

// LastPoll returns when Kafka was last polled. It stands still while the reader
// has yet to call Done, and else never lags by more than a few seconds.
func (c *Consumer) LastPoll() time.Time { return time.Unix(0, c.lastPoll.Load()) }

// Joined reports whether the group has given this member its share of the
// partitions, be it none.
func (c *Consumer) Joined() bool { return c.joined.Load() }

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

// Commit writes the stored offsets to the brokers. Nothing stored since the last
// time is no error. It blocks for up to about 45 s while they are away.
func (c *Consumer) Commit() error {
	committed, err := c.client.Commit()
	if err != nil {
		if codeOf(err) == kafka.ErrNoOffset {
			return nil
		}
		return fmt.Errorf("commit offsets: %w", err)
	}
	for _, p := range committed {
		if p.Error != nil && p.Offset >= 0 {
			return fmt.Errorf("commit the offset of %s: %w", partitionOf(p), p.Error)
		}
	}
	return nil
}

// Pause stops reading the partitions until Resume; what was already read of them
// still comes. Partitions that this member does not own are ignored.
func (c *Consumer) Pause(partitions ...record.Partition) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range partitions {
		if p := c.owned[id]; p != nil {
			p.pausedByReader = true
		}
	}
	return c.regulate(partitions)
}

// Resume undoes Pause.
func (c *Consumer) Resume(partitions ...record.Partition) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range partitions {
		if p := c.owned[id]; p != nil {
			p.pausedByReader = false
		}
	}
	return c.regulate(partitions)
}

// Troubles returns what keeps the brokers from being used, each as a sentence;
// nothing where all is well.
func (c *Consumer) Troubles() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Values(c.trouble))
}

// Watermarks returns the first offset of a partition's log, as of its assignment,
// and the one that its reader has come to when it has read all there is (which
// ends in no marker of a transaction, as the log may). It asks no broker; ok is
// false where the partition is not owned or not yet begun.
func (c *Consumer) Watermarks(id record.Partition) (low, high int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.owned[id]
	if p == nil || p.phase == starting {
		return 0, 0, false
	}
	high = p.high
	if _, cached, err := c.client.GetWatermarkOffsets(id.Topic, id.ID); err == nil && cached > high {
		high = cached
	}
	if p.position >= high {
		high = p.delivered
	}
	return p.low, high, true
}

func codeOf(err error) kafka.ErrorCode {
	if e, ok := err.(kafka.Error); ok { //nolint:errorlint // the client returns it bare
		return e.Code()
	}
	return kafka.ErrNoError
}
