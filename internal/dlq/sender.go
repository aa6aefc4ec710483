package dlq

import (
	"context"
	"fmt"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// Producer sends a record, as [stream.Producer] does.
type Producer interface {
	Send(ctx context.Context, r *record.Record, delivered stream.Delivered) error
}

// Sender writes letters to the dead-letter topic. It is safe for concurrent use.
type Sender struct {
	producer Producer
	topic    string
}

// NewSender returns a Sender for the topic.
func NewSender(producer Producer, topic string) *Sender {
	return &Sender{producer: producer, topic: topic}
}

// Send queues a letter; while the queue is full it blocks, until ctx ends. Done is
// called exactly once: with nil when all in-sync replicas have the letter, else
// with the reason (too large, not authorized, no answer within 30 s). It runs on
// the producer's goroutine, or on the caller's where the letter was not queued, so
// it must not block. An error may be of passing nature: send the letter again.
func (s *Sender) Send(ctx context.Context, letter Letter, done func(error)) {
	err := s.producer.Send(ctx, letter.record(s.topic), func(_ int32, _ int64, err error) { done(wrap(letter, err)) })
	if err != nil {
		done(wrap(letter, err))
	}
}

func wrap(letter Letter, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write the dead letter of %s at offset %d: %w", letter.Record.Partition, letter.Record.Offset, err)
}
