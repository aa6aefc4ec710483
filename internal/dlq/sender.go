// Package dlq keeps the events that no retry can save: it sends dead letters. It
// decides neither which events these are nor what becomes of them.
package dlq

import (
	"context"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// The headers of a letter, behind the original ones. A record that carries one of
// them already keeps it; the last one counts.
const (
	HeaderReason        = "dlq.reason"
	HeaderError         = "dlq.error"     // at most MaxError bytes
	HeaderTopic         = "dlq.topic"     // of the original record, as are the next three
	HeaderPartition     = "dlq.partition" // decimal
	HeaderOffset        = "dlq.offset"    // decimal
	HeaderTimestamp     = "dlq.timestamp" // milliseconds since 1970, or -1
	HeaderEventID       = "dlq.event_id"
	HeaderCorrelationID = "dlq.correlation_id" // empty where the event had none
	HeaderFailedAt      = "dlq.failed_at"      // RFC 3339, UTC
)

// MaxError bounds dlq.error, in bytes.
const MaxError = 4 << 10

// Letter is a record that could not be indexed, and why. (topic, partition,
// offset) names it: after a crash the same letter may be sent twice.
type Letter struct {
	Record        *record.Record
	Reason        string // one word, such as invalid_json
	Error         string // for people; cut to MaxError bytes
	EventID       string
	CorrelationID string
	FailedAt      time.Time
}

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

// record returns the letter as a record of the dead-letter topic: key, value and
// headers are the original's, byte for byte.
func (l Letter) record(topic string) *record.Record {
	original := l.Record
	headers := make([]record.Header, 0, len(original.Headers)+9)
	headers = append(headers, original.Headers...)
	for _, h := range [...]struct{ key, value string }{
		{HeaderReason, l.Reason},
		{HeaderError, cut(l.Error, MaxError)},
		{HeaderTopic, original.Topic},
		{HeaderPartition, strconv.Itoa(int(original.ID))},
		{HeaderOffset, strconv.FormatInt(original.Offset, 10)},
		{HeaderTimestamp, strconv.FormatInt(original.Timestamp, 10)},
		{HeaderEventID, l.EventID},
		{HeaderCorrelationID, l.CorrelationID},
		{HeaderFailedAt, l.FailedAt.UTC().Format(time.RFC3339Nano)},
	} {
		headers = append(headers, record.Header{Key: h.key, Value: []byte(h.value)})
	}
	return &record.Record{
		Partition: record.Partition{Topic: topic, ID: -1},
		Key:       original.Key, Value: original.Value, Headers: headers,
	}
}

// cut shortens s to at most limit bytes without breaking a rune.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
