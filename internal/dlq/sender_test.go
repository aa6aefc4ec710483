package dlq_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
	"github.com/search-indexer/search-indexer/test/stack"
)

// noProducer refuses or takes what it is given.
type noProducer struct {
	err  error
	sent []*record.Record
}

func (p *noProducer) Send(_ context.Context, r *record.Record, delivered stream.Delivered) error {
	if p.err == nil {
		p.sent = append(p.sent, r)
		delivered(0, 0, nil)
	}
	return p.err
}

func letter() dlq.Letter {
	return dlq.Letter{
		Record: &record.Record{
			Partition: record.Partition{Topic: "post.created", ID: 3}, Offset: 42, Timestamp: 1_700_000_000_123,
			Key: []byte("7"), Value: []byte("{\xff"),
			Headers: []record.Header{{Key: "trace", Value: nil}, {Key: "dlq.reason", Value: []byte("earlier")}},
		},
		Reason: "invalid_json", Error: "unexpected end", EventID: "e-1", CorrelationID: "request-123",
		FailedAt: time.Date(2026, 1, 2, 3, 4, 5, 600, time.FixedZone("", 3600)),
	}
}

func TestLetterKeepsTheRecordAndSaysWhy(t *testing.T) {
	producer := &noProducer{}
	var ended []error
	l := letter()
	dlq.NewSender(producer, "dead").Send(t.Context(), l, func(err error) { ended = append(ended, err) })
	want := &record.Record{
		Partition: record.Partition{Topic: "dead", ID: -1}, Key: l.Record.Key, Value: l.Record.Value,
		Headers: []record.Header{
			{Key: "trace", Value: nil},
			{Key: "dlq.reason", Value: []byte("earlier")},
			{Key: "dlq.reason", Value: []byte("invalid_json")},
			{Key: "dlq.error", Value: []byte("unexpected end")},
			{Key: "dlq.topic", Value: []byte("post.created")},
			{Key: "dlq.partition", Value: []byte("3")},
			{Key: "dlq.offset", Value: []byte("42")},
			{Key: "dlq.timestamp", Value: []byte("1700000000123")},
			{Key: "dlq.event_id", Value: []byte("e-1")},
			{Key: "dlq.correlation_id", Value: []byte("request-123")},
			{Key: "dlq.failed_at", Value: []byte("2026-01-02T02:04:05.0000006Z")},
		},
	}
	if diff := cmp.Diff([]*record.Record{want}, producer.sent); diff != "" {
		t.Error(diff)
	}
	if len(ended) != 1 || ended[0] != nil {
		t.Errorf("ended %v, want once without error", ended)
	}
	if len(l.Record.Headers) != 2 {
		t.Error("the record was changed")
	}
}

func TestErrorIsCutBetweenRunes(t *testing.T) {
	for name, text := range map[string]string{
		"short":       strings.Repeat("x", dlq.MaxError),
		"long":        strings.Repeat("x", dlq.MaxError+1),
		"two bytes":   "x" + strings.Repeat("ё", dlq.MaxError),
		"four bytes":  "xx" + strings.Repeat("😀", dlq.MaxError),
		"broken text": strings.Repeat("\x80", dlq.MaxError+9),
	} {
		t.Run(name, func(t *testing.T) {
			producer := &noProducer{}
			l := letter()
			l.Error = text
			dlq.NewSender(producer, "dead").Send(t.Context(), l, func(error) {})
			got, _ := producer.sent[0].Header(dlq.HeaderError)
			if len(got) > dlq.MaxError || !strings.HasPrefix(text, string(got)) {
				t.Errorf("%d bytes", len(got))
			}
			if utf8.ValidString(text) && (!utf8.Valid(got) || len(got) <= dlq.MaxError-utf8.UTFMax) {
				t.Errorf("%d bytes, valid %t", len(got), utf8.Valid(got))
			}
		})
	}
}

func TestALetterThatIsNotQueuedEndsOnce(t *testing.T) {
	refusal := errors.New("queue closed")
	var ended []error
	dlq.NewSender(&noProducer{err: refusal}, "dead").Send(t.Context(), letter(), func(err error) { ended = append(ended, err) })
	if len(ended) != 1 || !errors.Is(ended[0], refusal) || !strings.Contains(ended[0].Error(), "post.created/3 at offset 42") {
		t.Errorf("ended %v", ended)
	}
}

// TestLettersThroughKafka sends a good and a too large letter to a real broker.
func TestLettersThroughKafka(t *testing.T) {
	name := stack.Name(t)
	cfg := stream.Config{
		Brokers: strings.Split(stack.Kafka(t), ","), GroupID: name + "group", Topics: []string{name + "dlq"},
		SecurityProtocol: "PLAINTEXT",
	}
	admin, err := stream.NewAdmin(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	spec := stream.TopicSpec{Name: cfg.Topics[0], Partitions: 1, ReplicationFactor: 1, MaxMessageBytes: 20 << 10, Retention: time.Hour}
	if _, _, err := admin.CreateTopics(t.Context(), []stream.TopicSpec{spec}); err != nil {
		t.Fatal(err)
	}
	producer, err := stream.NewProducer(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close() }()
	sender := dlq.NewSender(producer, cfg.Topics[0])

	ended := make(chan error, 2)
	huge := letter()
	huge.Record.Value = noise(50 << 10)
	sender.Send(t.Context(), huge, func(err error) { ended <- err })
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "too large") {
			t.Errorf("too large a letter: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the broker's refusal did not come before message.timeout.ms")
	}
	sender.Send(t.Context(), letter(), func(err error) { ended <- err })
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	c, err := stream.NewConsumer(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.Run(t.Context()) }()
	defer func() { _ = c.Close() }()
	(<-c.Rebalances()).Done()
	got := (<-c.Records())[0]
	if got.Timestamp < time.Now().Add(-time.Hour).UnixMilli() {
		t.Errorf("the letter's own time is %d", got.Timestamp)
	}
	if diff := cmp.Diff([]byte("{\xff"), got.Value); diff != "" {
		t.Error(diff)
	}
	if reason, _ := got.Header(dlq.HeaderReason); string(reason) != "invalid_json" || len(got.Headers) != 11 {
		t.Errorf("reason %q among %d headers", reason, len(got.Headers))
	}
}

// noise does not compress.
func noise(size int) []byte {
	bytes := make([]byte, size)
	state := uint32(1)
	for i := range bytes {
		state = state*1664525 + 1013904223
		bytes[i] = byte(state >> 24)
	}
	return bytes
}
