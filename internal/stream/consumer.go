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
	client *kafka.Consumer // another one after renew
	scout  scout

	records    chan []record.Record
	rebalances chan Rebalance
	findings   chan findings
	nudge      chan struct{} // wakes the goroutine that asks the brokers

	closing  context.Context // ends at Close
	close    context.CancelFunc
	running  sync.Mutex // held by Run
	logs     sync.WaitGroup
	lastPoll atomic.Int64
	joined   atomic.Bool

	// Of the polling goroutine alone.
	chunk    chunk
	fatal    error
	login    *login
	made     fingerprint       // of what the client was made with
	outworn  bool              // the client is to be replaced
	topicIDs map[string]string // of what the client has read, by the topic's name
	missing  map[string]bool

	commits sync.Mutex // held by the one commit under way, and while the client is replaced

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
	c := &Consumer{
		cfg: cfg, log: log,
		records: make(chan []record.Record), rebalances: make(chan Rebalance),
		findings: make(chan findings), nudge: make(chan struct{}, 1),
		trouble: map[string]string{}, missing: map[string]bool{}, owned: map[record.Partition]*partition{},
		topicIDs: map[string]string{},
	}
	c.made = cfg.fingerprint() // before the client reads the files
	client, admin, err := newClient(cfg, log, &c.logs)
	if err != nil {
		return nil, err
	}
	c.client, c.scout = client, scout{admin: admin, member: client, group: cfg.GroupID, patience: answerPatience}
	// A client that replaces this one has to log in with the password of then.
	c.login = newLogin(cfg, func(username, password string) error { return c.client.SetSaslCredentials(username, password) })
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
	c.logs.Wait()
	return nil
}

// LastPoll returns when Kafka was last polled. It stands still while the reader
// has yet to call Done, and else never lags by more than a few seconds.
func (c *Consumer) LastPoll() time.Time { return time.Unix(0, c.lastPoll.Load()) }

// Joined reports whether the group has given this member its share of the
// partitions, be it none.
func (c *Consumer) Joined() bool { return c.joined.Load() }

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

// Watermarks are the ends of a partition's log as last heard of.
type Watermarks struct {
	Low int64 // the first offset, as of the assignment
	// High is the offset that a reader has come to when it has read all there is
	// (which ends in no marker of a transaction, as the log may).
	High int64
	// Unread is the earliest time at which the first record that was not handed over
	// by Records can have been published: its age is at most that of this time. The
	// error is 10 s, or what passed before this member got the partition.
	Unread time.Time
}

// Watermarks returns how far the log of a partition goes. It asks no broker: what is
// fetched is up to date, what is paused as old as the last look, 10 s. ok is false
// where the partition is not owned or not yet begun.
func (c *Consumer) Watermarks(id record.Partition) (w Watermarks, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.owned[id]
	if p == nil || p.phase == starting {
		return Watermarks{}, false
	}
	return c.watermarks(id, p), true
}

// watermarks needs c.mu.
func (c *Consumer) watermarks(id record.Partition, p *partition) Watermarks {
	high := p.high
	if _, cached, err := c.client.GetWatermarkOffsets(id.Topic, id.ID); err == nil && cached > high {
		high = cached
	}
	unread := p.unread(time.Now(), high)
	if p.position >= high {
		high = p.delivered
	}
	return Watermarks{Low: p.low, High: high, Unread: unread}
}

func codeOf(err error) kafka.ErrorCode {
	if e, ok := err.(kafka.Error); ok { //nolint:errorlint // the client returns it bare
		return e.Code()
	}
	return kafka.ErrNoError
}
