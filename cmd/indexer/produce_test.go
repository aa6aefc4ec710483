package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/internal/produce"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
	"github.com/search-indexer/search-indexer/test/stack"
)

// topics makes the source topics under a prefix of the test's own.
func topics(t *testing.T) config.Environment {
	t.Helper()
	name := stack.Name(t)
	env := config.Environment{
		"KAFKA_BROKERS": stack.Kafka(t), "KAFKA_TOPIC_PREFIX": name + ".", "KAFKA_GROUP_ID": name, "KAFKA_DLQ_TOPIC": name + ".dlq",
	}
	cfg := kafkaConfig(t, env)
	admin, err := stream.NewAdmin(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.Setup(t.Context(), cfg, stream.TopicOptions{Partitions: 2, ReplicationFactor: 1, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	return env
}

func kafkaConfig(t *testing.T, env config.Environment) stream.Config {
	t.Helper()
	var cfg stream.Config
	if err := config.Load(t.Context(), env, &cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// readAll returns n records of the topics in the order of their keys.
func readAll(t *testing.T, env config.Environment, n int) []record.Record {
	t.Helper()
	consumer, err := stream.NewConsumer(kafkaConfig(t, env), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- consumer.Run(ctx) }()
	var all []record.Record
	for len(all) < n {
		select {
		case some := <-consumer.Records():
			all = append(all, some...)
		case r := <-consumer.Rebalances():
			r.Done()
		case err := <-ended:
			t.Fatalf("read %d of %d records, error %v", len(all), n, err)
		}
	}
	slices.SortFunc(all, func(a, b record.Record) int { return bytes.Compare(a.Key, b.Key) })
	return all
}

func TestProduceFile(t *testing.T) {
	env := topics(t)
	first, second := filepath.Join(t.TempDir(), "a.ndjson"), filepath.Join(t.TempDir(), "b.ndjson")
	write := func(path string, lines ...string) {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first,
		`{"event_type":"post.created","data":{"post_id":"1","title":"Ёлка 🎄"}}`,
		`{"topic":"post.updated","key":"2","headers":{"correlation-id":"request-1"},"value_text":"{broken"}`, "")
	write(second,
		`{"topic":"post.deleted","key":"3","value":null}`,
		`{"topic":"artist.created","key":"4","value_base64":"AAAAAAF7fQ=="}`)

	got := indexer(t, env, "", "produce", "--json", first, second)
	got.want(t, exitDone)
	var report produce.Report
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("%v: %s", err, got.stdout)
	}
	prefix := env["KAFKA_TOPIC_PREFIX"]
	topics := map[string]int64{prefix + "post.created": 1, prefix + "post.updated": 1, prefix + "post.deleted": 1, prefix + "artist.created": 1}
	if report.Published != 4 || !maps.Equal(report.Topics, topics) || report.Latency.P50 <= 0 || report.Latency.P99 < report.Latency.P50 {
		t.Errorf("report %+v", report)
	}

	type sent struct {
		Topic, Key string
		Value      []byte
		Headers    []record.Header
	}
	want := []sent{
		{"post.created", "1", []byte(`{"event_type":"post.created","data":{"post_id":"1","title":"Ёлка 🎄"}}`), nil},
		{"post.updated", "2", []byte(`{broken`), []record.Header{{Key: "correlation-id", Value: []byte("request-1")}}},
		{"post.deleted", "3", nil, nil},
		{"artist.created", "4", []byte{0, 0, 0, 0, 1, '{', '}'}, nil},
	}
	var read []sent
	for _, r := range readAll(t, env, len(want)) {
		read = append(read, sent{strings.TrimPrefix(r.Topic, prefix), string(r.Key), r.Value, r.Headers})
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Error(diff)
	}
}

func TestProduceInvents(t *testing.T) {
	env := topics(t)
	got := indexer(t, env, "", "produce", "--count", "2000", "--seed", "3")
	got.want(t, exitDone)
	for _, says := range []string{"published  2,000 events", "rate ", "p95 ", env["KAFKA_TOPIC_PREFIX"] + "post.created "} {
		if !strings.Contains(got.stdout, says) {
			t.Errorf("stdout does not say %q:\n%s", says, got.stdout)
		}
	}
	partitionOf := map[string]int32{}
	for _, r := range readAll(t, env, 2000) {
		place := r.Topic + string(r.Key)
		if before, ok := partitionOf[place]; ok && before != r.ID {
			t.Fatalf("events of %s are in partitions %d and %d", place, before, r.ID)
		}
		partitionOf[place] = r.ID
	}
}

func TestProduceStandardInput(t *testing.T) {
	env := topics(t)
	in := `{"post_id":"1","version":2}` + "\n" + `oops` + "\n" + `{"post_id":"2"}` + "\n"
	got := indexer(t, env, in, "produce", "--topic", "post.updated")
	got.want(t, exitFailed, "error: stdin:2: not JSON", "published before that: 1 events", "--keep-going")

	got = indexer(t, env, in, "produce", "--topic", "post.updated", "--keep-going")
	got.want(t, exitDone, "warning: skipped stdin:2: not JSON")
	if !strings.Contains(got.stdout, "published  2 events") || !strings.Contains(got.stdout, "1 lines skipped") {
		t.Errorf("stdout:\n%s", got.stdout)
	}
	if n := len(readAll(t, env, 3)); n != 3 {
		t.Errorf("%d records in the topic, want 3", n)
	}
}

func TestProduceTrouble(t *testing.T) {
	env := topics(t)
	indexer(t, env, `{"event_type":"post.imagined"}`, "produce").
		want(t, exitFailed, `the topic "`+env["KAFKA_TOPIC_PREFIX"]+`post.imagined" does not exist`, "indexer setup")
	indexer(t, env, "", "produce", "/no/such/file", "/no/other").
		want(t, exitFailed, "/no/such/file", "/no/other", "nothing was published")
	long := indexer(t, env, strings.Repeat("x", 64<<20+1), "produce", "--topic", "post.created")
	long.want(t, exitFailed, "stdin:1: the line is longer than 64 MiB", "mend the input")
	if strings.Contains(long.stderr, "KAFKA_BROKERS") {
		t.Errorf("a long line is blamed on the brokers:\n%s", long.stderr)
	}
	huge := `{"event_type":"post.created","data":{"content":"` + strings.Repeat("x", 3<<20) + `"}}`
	env["KAFKA_OPTIONS"] = "compression.type=none"
	indexer(t, env, huge, "produce").want(t, exitFailed, "post.created", "arge")
	env["KAFKA_BROKERS"] = "127.0.0.1:1"
	indexer(t, env, `{"event_type":"post.created"}`, "produce").want(t, exitFailed, "KAFKA_BROKERS")
}

func TestProduceIsInterrupted(t *testing.T) {
	env := topics(t)
	for name, silent := range map[string]bool{"input goes on": false, "input is silent": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			in := &interruptingReader{line: []byte(`{"event_type":"post.created","data":{"post_id":"1"}}` + "\n"), after: 50, interrupt: cancel}
			if silent {
				in.silence = make(chan struct{})
				defer close(in.silence)
			}
			var stdout, stderr bytes.Buffer
			code := run(ctx, []string{"produce"}, env, in, &stdout, &stderr)
			if code != exitFailed || !strings.Contains(stderr.String(), "error: interrupted: ") || strings.Contains(stdout.String(), " 0 events") {
				t.Errorf("exit code %d\nstdout:\n%s\nstderr:\n%s", code, stdout.String(), stderr.String())
			}
		})
	}
}

// interruptingReader gives the same line again and again and calls interrupt on its
// way; from then on it says nothing until silence is closed, if there is one.
type interruptingReader struct {
	line      []byte
	after     int
	interrupt func()
	silence   chan struct{}
}

func (r *interruptingReader) Read(p []byte) (int, error) {
	r.after--
	if r.after == 0 {
		time.AfterFunc(200*time.Millisecond, r.interrupt) // what was read is on its way
		if r.silence != nil {
			<-r.silence
		}
	}
	return copy(p, r.line), nil
}
