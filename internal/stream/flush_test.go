package stream

import (
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/test/stack"
)

// The client counts a record as done when it hands its report over; what was sent
// is only known once delivered has run.
func TestFlushWaitsUntilAllIsTold(t *testing.T) {
	var cfg Config
	topic := stack.Name(t)
	if err := config.Load(t.Context(), config.Environment{"KAFKA_BROKERS": stack.Kafka(t)}, &cfg); err != nil {
		t.Fatal(err)
	}
	admin, err := NewAdmin(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, _, err := admin.CreateTopics(t.Context(), []TopicSpec{{Name: topic, Partitions: 1, ReplicationFactor: 1, Retention: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	producer, err := NewProducer(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close() }()

	const slow = time.Second // longer than a step of Flush
	told := make(chan error, 1)
	r := &record.Record{Partition: record.Partition{Topic: topic, ID: -1}, Value: []byte("{}")}
	if err := producer.Send(t.Context(), r, func(_ int32, _ int64, err error) {
		time.Sleep(slow)
		told <- err
	}); err != nil {
		t.Fatal(err)
	}
	before := processorTime(t)
	if err := producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if spent := processorTime(t) - before; spent > slow/2 { // nothing else runs meanwhile
		t.Errorf("Flush kept a processor busy for %v while it waited", spent)
	}
	select {
	case err := <-told:
		if err != nil {
			t.Error(err)
		}
	default:
		t.Error("Flush returned before the delivery was told")
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
