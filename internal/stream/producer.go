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
	client     *kafka.Producer
	connection *connection
	logs       sync.WaitGroup
	done       chan struct{} // closed when every delivery has been reported
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
	properties := cfg.producerProperties()
	properties["go.logs.channel.enable"] = true
	client, err := kafka.NewProducer(&properties)
	if err != nil {
		return nil, fmt.Errorf("make Kafka producer: %w", err)
	}
	p := &Producer{client: client, connection: &connection{}, done: make(chan struct{})}
	p.logs.Go(func() { forwardLogs(client.Logs(), log, p.connection) })
	go p.report(newLogin(cfg, client.SetSaslCredentials), log)
	return p, nil
}

// Send queues a record: for the partition of its key (murmur2, as the JVM's
// clients do) where its partition is -1. A timestamp of 0 or below becomes the
// time of sending; the offset is ignored. It blocks while the queue is full, until
// ctx ends. Where it returns nil, delivered is called exactly once, with an error
// after 30 s without an answer; else it is never called.
func (p *Producer) Send(ctx context.Context, r *record.Record, delivered Delivered) error {
	message := toMessage(r)
	message.Opaque = delivered
	p.pending.Add(1)
	for {
		err := p.client.Produce(message, nil)
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
		p.client.Flush(int(flushStep.Milliseconds()))
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
	err := p.client.Purge(kafka.PurgeQueue | kafka.PurgeInFlight)
	p.client.Flush(int(purgeWait.Milliseconds())) // fetches the reports of the purge
	p.client.Close()
	p.logs.Wait()
	<-p.done
	if err != nil {
		return fmt.Errorf("give up unsent records: %w", err)
	}
	return nil
}

// report tells each record's fate, until Close.
func (p *Producer) report(login *login, log zerolog.Logger) {
	defer close(p.done)
	for event := range p.client.Events() {
		switch e := event.(type) {
		case *kafka.Message:
			if delivered, ok := e.Opaque.(Delivered); ok && delivered != nil {
				delivered(e.TopicPartition.Partition, int64(e.TopicPartition.Offset), p.explain(e.TopicPartition))
			}
			p.pending.Add(-1)
		case kafka.Error:
			log.Debug().Err(e).Msg("Kafka producer") // each record's own error says it too
			if refusesLogin(e.Code()) {
				if err := login.renew(); err != nil {
					log.Warn().Err(err).Msg("use the new password of KAFKA_SASL_PASSWORD_FILE")
				}
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
