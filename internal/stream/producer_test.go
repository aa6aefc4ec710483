package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/record"
)

func TestKeysGoWhereTheJVMsClientsSendThem(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	const partitions = 7
	topic := makeTopics(t, cfg, partitions)[0]
	producer, err := NewProducer(cfg, nopLog())
	if err != nil {
		t.Fatal(err)
	}
	// Hashes from the tests of Kafka's own org.apache.kafka.common.utils.Utils.
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "abc": 479470107,
	} {
		want := (hash & 0x7fffffff) % partitions
		r := record.Record{Partition: record.Partition{Topic: topic, ID: -1}, Key: []byte(key)}
		if err := producer.Send(t.Context(), &r, func(got int32, _ int64, err error) {
			if err != nil || got != want {
				t.Errorf("%q went to partition %d, want %d: %v", key, got, want, err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseTellsOfEveryUnsentRecord(t *testing.T) {
	t.Parallel()
	cfg := Config{Brokers: []string{"127.0.0.1:1"}, SecurityProtocol: "PLAINTEXT"}
	producer, err := NewProducer(cfg, nopLog())
	if err != nil {
		t.Fatal(err)
	}
	const sent = 100
	var refused atomic.Int32
	for range sent {
		r := record.Record{Partition: record.Partition{Topic: "a", ID: -1}, Value: []byte("v")}
		if err := producer.Send(t.Context(), &r, func(_ int32, _ int64, err error) {
			if err == nil {
				t.Error("delivered to nobody")
			}
			refused.Add(1)
		}); err != nil {
			t.Fatal(err)
		}
	}
	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := producer.Flush(brief); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flush: %v", err)
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
	if got := refused.Load(); got != sent {
		t.Errorf("told of %d records of %d", got, sent)
	}
}

func TestSendWaitsForRoomUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	cfg := Config{
		Brokers: []string{"127.0.0.1:1"}, SecurityProtocol: "PLAINTEXT",
		Options: map[string]string{"queue.buffering.max.messages": "3"},
	}
	producer, err := NewProducer(cfg, nopLog())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	queued, told := 0, atomic.Int32{}
	for {
		r := record.Record{Partition: record.Partition{Topic: "a"}}
		if err = producer.Send(ctx, &r, func(int32, int64, error) { told.Add(1) }); err != nil {
			break
		}
		queued++
	}
	if !errors.Is(err, context.DeadlineExceeded) || queued != 3 {
		t.Errorf("%d queued, then %v", queued, err)
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
	if got := int(told.Load()); got != queued {
		t.Errorf("told of %d records, queued %d", got, queued)
	}
}

func TestSetupMakesTopicsOnce(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Topics = []string{"post.created", "post.updated"}
	admin := testAdmin(t, cfg)

	// An operator's topic with larger records, made before.
	big := TopicSpec{Name: cfg.FullTopics()[1], Partitions: 1, ReplicationFactor: 1, Retention: time.Hour, MaxMessageBytes: 5 << 20}
	if _, _, err := admin.CreateTopics(t.Context(), []TopicSpec{big}); err != nil {
		t.Fatal(err)
	}
	options := TopicOptions{Partitions: 3, ReplicationFactor: 1, Retention: -1}
	report, err := admin.Setup(t.Context(), cfg, options)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(report.Existing, big.Name) || len(report.Warnings) > 0 {
		t.Errorf("report %+v", report)
	}
	checkTopic(t, admin, cfg.FullTopics()[0], 3, map[string]string{"retention.ms": "-1", "cleanup.policy": "delete"})
	checkTopic(t, admin, big.Name, 1, map[string]string{"retention.ms": "3600000"})
	checkTopic(t, admin, cfg.DLQTopic, 3, map[string]string{
		"retention.ms": fmt.Sprint(30 * 24 * time.Hour.Milliseconds()), "max.message.bytes": fmt.Sprint(5<<20 + headerRoom),
	})

	again, err := admin.Setup(t.Context(), cfg, options)
	if err != nil || len(again.Created) > 0 || len(again.Existing) != 3 || len(again.Warnings) > 0 {
		t.Errorf("second time: %+v, %v", again, err)
	}
}

func TestSetupWarnsOfASmallDeadLetterTopic(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	makeTopics(t, cfg, 1)
	admin := testAdmin(t, cfg)
	if _, _, err := admin.CreateTopics(t.Context(), []TopicSpec{{Name: cfg.DLQTopic, Partitions: 1, ReplicationFactor: 1}}); err != nil {
		t.Fatal(err)
	}
	report, err := admin.Setup(t.Context(), cfg, TopicOptions{Partitions: 1, ReplicationFactor: 1, Retention: -1})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], cfg.DLQTopic) {
		t.Errorf("warnings %q", report.Warnings)
	}
}

func checkTopic(t *testing.T, admin *Admin, name string, partitions int, want map[string]string) {
	t.Helper()
	eventually(t, "topic "+name, func() bool {
		known, err := admin.Partitions(t.Context(), []string{name})
		return err == nil && len(known[name]) == partitions
	})
	results, err := admin.client.DescribeConfigs(t.Context(), []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: name}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for setting := range want {
		got[setting] = results[0].Config[setting].Value
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

func TestGroupLag(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	topic := makeTopics(t, cfg, 3)[0]
	none, some, cut := record.Partition{Topic: topic, ID: 0}, record.Partition{Topic: topic, ID: 1}, record.Partition{Topic: topic, ID: 2}
	for _, at := range []record.Partition{none, some, cut} {
		publish(t, cfg, at, "0", "1", "2", "3")
	}
	resetOffset(t, cfg, some, 3, nil)
	resetOffset(t, cfg, cut, 1, nil)
	cutLog(t, cfg, cut, 2)
	got, err := testAdmin(t, cfg).GroupLag(t.Context(), cfg.GroupID, append(cfg.FullTopics(), cfg.TopicPrefix+"missing"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[2].Problem == nil {
		t.Fatalf("got %+v", got)
	}
	got[2].Problem = nil
	id := got[0].TopicID
	if id == "" {
		t.Error("the topic's id is not told")
	}
	want := []PartitionStatus{
		{Partition: none, TopicID: id, Committed: -1, High: 4, Lag: 4},
		{Partition: some, TopicID: id, Committed: 3, Start: 3, High: 4, Lag: 1},
		{Partition: cut, TopicID: id, Committed: 1, Start: 1, Low: 2, High: 4, Lag: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
