package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

func testReader(t *testing.T, cfg Config) *Reader {
	t.Helper()
	r, err := NewReader(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func rangesOf(t *testing.T, r *Reader, topics ...string) []Range {
	t.Helper()
	ranges, err := r.Ranges(t.Context(), topics)
	if err != nil {
		t.Fatal(err)
	}
	return ranges
}

// withoutIDs checks that each range has the id of its topic, and takes it out.
func withoutIDs(t *testing.T, ranges []Range) []Range {
	t.Helper()
	bare := slices.Clone(ranges)
	for i := range bare {
		if bare[i].TopicID == "" {
			t.Errorf("%s has no topic id", bare[i].Partition)
		}
		bare[i].TopicID = ""
	}
	return bare
}

// read returns "partition:value" of all records in the ranges, sorted; that each
// partition's offsets ascend is checked.
func read(t *testing.T, r *Reader, ranges []Range) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	var got []string
	last := map[record.Partition]int64{}
	err := r.Read(ctx, ranges, func(rec record.Record) error {
		if at, ok := last[rec.Partition]; ok && rec.Offset <= at {
			t.Errorf("%s: offset %d after %d", rec.Partition, rec.Offset, at)
		}
		last[rec.Partition] = rec.Offset
		got = append(got, fmt.Sprintf("%d:%s", rec.ID, rec.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	return got
}

func TestReaderReadsToTheEndsOfTheStartAndCommitsNothing(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		topic := makeTopics(t, cfg, 3)[0]
		publish(t, cfg, record.Partition{Topic: topic, ID: 0}, "a", "b", "c")
		publish(t, cfg, record.Partition{Topic: topic, ID: 2}, "x", "y")
		cutLog(t, cfg, record.Partition{Topic: topic, ID: 0}, 1)
		r := testReader(t, cfg)
		ranges := rangesOf(t, r, topic, "no-such-topic-"+cfg.GroupID)
		want := []Range{
			{Partition: record.Partition{Topic: topic, ID: 0}, From: 1, To: 3},
			{Partition: record.Partition{Topic: topic, ID: 1}},
			{Partition: record.Partition{Topic: topic, ID: 2}, To: 2},
		}
		if diff := cmp.Diff(want, withoutIDs(t, ranges)); diff != "" {
			t.Fatal(diff)
		}
		publish(t, cfg, record.Partition{Topic: topic, ID: 1}, "late")
		publish(t, cfg, record.Partition{Topic: topic, ID: 2}, "late")
		if diff := cmp.Diff([]string{"0:b", "0:c", "2:x", "2:y"}, read(t, r, ranges)); diff != "" {
			t.Error(diff)
		}
		one := []Range{{Partition: record.Partition{Topic: topic, ID: 2}, From: 1, To: 2}}
		if diff := cmp.Diff([]string{"2:y"}, read(t, r, one)); diff != "" {
			t.Error(diff)
		}
		first, err := r.First(t.Context(), ranges)
		if err != nil {
			t.Fatal(err)
		}
		begins := map[int32]string{}
		for partition, rec := range first {
			begins[partition.ID] = string(rec.Value)
		}
		if diff := cmp.Diff(map[int32]string{0: "b", 2: "x"}, begins); diff != "" {
			t.Error(diff)
		}
		if got := committedIn(t, cfg); len(got) > 0 {
			t.Errorf("committed %v", got)
		}
	})
}

// The log ends in a marker, so no record reaches its end; an open transaction
// behind it is not there yet.
func TestReaderPassesMarkersAndAbortedRecords(t *testing.T) {
	cfg := testConfig(t)
	at := record.Partition{Topic: makeTopics(t, cfg, 1)[0]}
	publishTransactions(t, cfg, at)
	r := testReader(t, cfg)
	ranges := rangesOf(t, r, at.Topic)
	if diff := cmp.Diff([]Range{{Partition: at, To: 4 + 2 + 3}}, withoutIDs(t, ranges)); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]string{"0:a", "0:b", "0:c", "0:d"}, read(t, r, ranges)); diff != "" {
		t.Error(diff)
	}
	marker := []Range{{Partition: at, From: 8, To: 9}}
	if got := read(t, r, marker); len(got) > 0 {
		t.Errorf("a marker alone: %v", got)
	}
}

func TestReaderEndsWithAReason(t *testing.T) {
	cfg := testConfig(t)
	at := record.Partition{Topic: makeTopics(t, cfg, 1)[0]}
	publish(t, cfg, at, "a", "b", "c")
	r := testReader(t, cfg)
	ranges := rangesOf(t, r, at.Topic)

	refusal := errors.New("enough")
	calls := 0
	if err := r.Read(t.Context(), ranges, func(record.Record) error { calls++; return refusal }); !errors.Is(err, refusal) || calls != 1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := r.Read(ctx, ranges, func(record.Record) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	cutLog(t, cfg, at, 2)
	ctx, cancel = context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	if err := r.Read(ctx, ranges, func(record.Record) error { return nil }); err == nil || !strings.Contains(err.Error(), "cut") {
		t.Errorf("a log that was cut meanwhile: %v", err)
	}
}

func TestDeleteRecordsAndCompactedTopics(t *testing.T) {
	cfg := testConfig(t)
	topic := makeTopics(t, cfg, 2)[0]
	first, second := record.Partition{Topic: topic, ID: 0}, record.Partition{Topic: topic, ID: 1}
	publish(t, cfg, first, "a", "b")
	publish(t, cfg, second, "x", "y")
	admin, r := testAdmin(t, cfg), testReader(t, cfg)
	if err := admin.DeleteRecords(t.Context(), map[record.Partition]int64{first: 2, second: 1}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Range{{Partition: first, From: 2, To: 2}, {Partition: second, From: 1, To: 2}}, withoutIDs(t, rangesOf(t, r, topic))); diff != "" {
		t.Error(diff)
	}
	if err := admin.DeleteRecords(t.Context(), map[record.Partition]int64{first: 9}); err == nil || !strings.Contains(err.Error(), first.String()) {
		t.Errorf("behind the end: %v", err)
	}
	for range 2 { // the second finds it
		if err := admin.CreateCompacted(t.Context(), topic+".done", topic); err != nil {
			t.Fatal(err)
		}
	}
	checkTopic(t, admin, topic+".done", 1, map[string]string{"cleanup.policy": "compact"})
}

func TestReaderWaitsForKafka(t *testing.T) {
	cfg := testConfig(t)
	cfg.Brokers = []string{"127.0.0.1:1"}
	log := &logBuffer{}
	r, err := NewReader(cfg, zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	context.AfterFunc(ctx, cancel)
	go func() {
		for log.count("cannot reach Kafka") == 0 && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
	}()
	err = r.Read(ctx, []Range{{Partition: record.Partition{Topic: "any"}, To: 1}}, func(record.Record) error { return nil })
	if !errors.Is(err, context.Canceled) || log.count("cannot reach Kafka") != 1 {
		t.Errorf("%v; logged %s", err, log)
	}
}
