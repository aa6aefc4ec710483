package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Producer writes records, acknowledged by all in-sync replicas, in order and once
// each (idempotence) as long as the process lives. It is safe for concurrent use.
type Producer struct {
	cfg        Config
	log        zerolog.Logger
	connection *connection
	clients    sync.WaitGroup // their goroutines: logs, reports, and ends of those that were replaced
	refused    atomic.Bool    // the brokers refuse the client, or it them

	mu     sync.RWMutex
	client *kafka.Producer // another one after renew
	made   fingerprint     // of what it was made with

	// pending counts the records whose delivered has not returned yet: the client
	// forgets a record when it hands its report over.
	pending atomic.Int64
}

// Delivered is told where a record was written, or why it was not; then partition
// and offset mean nothing. It runs on the one goroutine of all deliveries, so it
// must not block, nor send.
type Delivered = func(partition int32, offset int64, err error)

// NewProducer makes a producer. No broker needs to answer yet; an error means that
// the settings are wrong.
func NewProducer(cfg Config, log zerolog.Logger) (*Producer, error) {
	p := &Producer{cfg: cfg, log: log, connection: &connection{}}
	if err := p.start(); err != nil {
		return nil, err
	}
	return p, nil
}

// start makes the client. It needs p.mu, or that nobody else knows of p.
func (p *Producer) start() error {
	p.made = p.cfg.fingerprint() // before the client reads the files
	properties := p.cfg.producerProperties()
	properties["go.logs.channel.enable"] = true
	client, err := kafka.NewProducer(&properties)
	if err != nil {
		return fmt.Errorf("make Kafka producer: %w", err)
	}
	p.client = client
	p.clients.Go(func() { forwardLogs(client.Logs(), p.log, p.connection) })
	login := newLogin(p.cfg, client.SetSaslCredentials)
	p.clients.Go(func() { p.report(client, login) })
	return nil
}

// renew replaces a client that is refused, where its files have changed. What the
// old one has not delivered it gives up, so that its sender sends it again.
func (p *Producer) renew() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	cfg, outdated := p.cfg.outdated(p.made)
	if !outdated {
		return nil
	}
	old := p.client
	p.cfg = cfg
	if err := p.start(); err != nil {
		return err
	}
	p.refused.Store(false)
	p.clients.Go(func() { _ = giveUp(old) })
	return nil
}

// giveUp ends a client; each record's delivered is told.
func giveUp(client *kafka.Producer) error {
	err := client.Purge(kafka.PurgeQueue | kafka.PurgeInFlight)
	client.Flush(int(purgeWait.Milliseconds())) // fetches the reports of the purge
	client.Close()
	return err
}

// Send queues a record: for the partition of its key (murmur2, as the JVM's
// clients do) where its partition is -1. A timestamp of 0 or below becomes the
// time of sending; the offset is ignored. It blocks while the queue is full, until
// ctx ends. Where it returns nil, delivered is called exactly once, with an error
// after 30 s without an answer; else it is never called.
func (p *Producer) Send(ctx context.Context, r *record.Record, delivered Delivered) error {
	message := toMessage(r)
	message.Opaque = delivered
	if p.refused.Load() {
		if err := p.renew(); err != nil {
			return err
		}
	}
	p.pending.Add(1)
	for {
		p.mu.RLock()
		err := p.client.Produce(message, nil)
		p.mu.RUnlock()
		if codeOf(err) != kafka.ErrQueueFull {
			if err != nil {
				p.pending.Add(-1)
				return fmt.Errorf("send to %s: %w", r.Topic, err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			p.pending.Add(-1)
			return fmt.Errorf("wait for room in the send queue: %w", ctx.Err())
		case <-time.After(queueWait):
		}
	}
}

const queueWait = 5 * time.Millisecond

// Flush waits until every record is delivered or refused and that has been told,
// or ctx ends.
func (p *Producer) Flush(ctx context.Context) error {
	for p.pending.Load() > 0 {
		p.mu.RLock()
		p.client.Flush(int(flushStep.Milliseconds()))
		p.mu.RUnlock()
		select {
		case <-ctx.Done():
			return fmt.Errorf("flush %d records: %w", p.pending.Load(), ctx.Err())
		case <-time.After(queueWait): // the client has nothing left, but the last are still being told
		}
	}
	return nil
}

const (
	flushStep = 100 * time.Millisecond
	purgeWait = 10 * time.Second
)

// Close gives up what is not delivered (each record's delivered is told) and
// frees the client. Flush before it; send nothing after it.
func (p *Producer) Close() error {
	err := giveUp(p.client)
	p.clients.Wait()
	if err != nil {
		return fmt.Errorf("give up unsent records: %w", err)
	}
	return nil
}

// report tells the fate of each of the client's records, until that is closed.
func (p *Producer) report(client *kafka.Producer, login *login) {
	for event := range client.Events() {
		switch e := event.(type) {
		case *kafka.Message:
			if delivered, ok := e.Opaque.(Delivered); ok && delivered != nil {
				delivered(e.TopicPartition.Partition, int64(e.TopicPartition.Offset), p.explain(e.TopicPartition))
			}
			p.pending.Add(-1)
		case kafka.Error:
			p.log.Debug().Err(e).Msg("Kafka producer") // each record's own error says it too
			if refusesLogin(e.Code()) {
				if err := login.renew(); err != nil {
					p.log.Warn().Err(err).Msg("use the new password of KAFKA_SASL_PASSWORD_FILE")
				}
			}
			if refusesLogin(e.Code()) || distrusts(e) {
				p.refused.Store(true)
			}
		}
	}
}

// explain says what the client's words for a timeout hide: it waits as long for a
// topic that does not exist as for a broker (seen with 2.15).
func (p *Producer) explain(at kafka.TopicPartition) error {
	if codeOf(at.Error) == kafka.ErrMsgTimedOut {
		return p.connection.explain(fmt.Errorf("%w: no broker has taken it, or topic %s does not exist", at.Error, *at.Topic))
	}
	return at.Error
}
