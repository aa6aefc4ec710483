package dlq

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

// DoneTopic returns the name of the compacted topic that holds the acknowledgements
// of the dead-letter topic: the letter's name as key, when it was indexed as value.
func DoneTopic(topic string) string { return topic + ".done" }

// acknowledgement says that a letter needs no more work. It covers the copies that
// had failed by FailedAt.
type acknowledgement struct {
	FailedAt time.Time       `json:"failed_at"`
	At       time.Time       `json:"acknowledged_at"`
	Result   pipeline.Result `json:"result"`
}

// acknowledgements reads the latest of each letter. A record that can't be read is
// none: its letter stays open, and to replay it again does no harm.
func (r *Reader) acknowledgements(ctx context.Context) (map[string]acknowledgement, error) {
	topic := DoneTopic(r.topic)
	ranges, err := r.log.Ranges(ctx, []string{topic}) // none before the first replay
	if err != nil {
		return nil, fmt.Errorf("look for acknowledgements in %s: %w", topic, err)
	}
	acks := map[string]acknowledgement{}
	err = r.log.Read(ctx, ranges, func(rec record.Record) error {
		name := string(rec.Key)
		var ack acknowledgement
		if rec.Value == nil || json.Unmarshal(rec.Value, &ack) != nil {
			delete(acks, name)
			return nil
		}
		acks[name] = ack
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read acknowledgements in %s: %w", topic, err)
	}
	return acks, nil
}

// ledger writes acknowledgements and notes those that fail. It is safe for concurrent use.
type ledger struct {
	producer Producer
	topic    string

	mu     sync.Mutex
	failed int
	err    error // of the first that failed
}

// acknowledge sends the acknowledgement of a letter. It blocks only while the
// producer's queue is full.
func (l *ledger) acknowledge(ctx context.Context, e *Entry, result pipeline.Result) {
	value, err := json.Marshal(acknowledgement{FailedAt: e.FailedAt, At: time.Now().UTC(), Result: result})
	if err != nil {
		l.note(err)
		return
	}
	l.send(ctx, e.Name.String(), value)
}

// forget removes the acknowledgement of a letter that is gone.
func (l *ledger) forget(ctx context.Context, name string) { l.send(ctx, name, nil) }

func (l *ledger) send(ctx context.Context, name string, value []byte) {
	r := &record.Record{Partition: record.Partition{Topic: l.topic, ID: -1}, Key: []byte(name), Value: value}
	if err := l.producer.Send(ctx, r, func(_ int32, _ int64, err error) { l.note(err) }); err != nil {
		l.note(err)
	}
}

func (l *ledger) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		return
	}
	l.failed++
	if l.err == nil {
		l.err = err
	}
}

// failures returns how many were not written, and why the first was not.
func (l *ledger) failures() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed, l.err
}
