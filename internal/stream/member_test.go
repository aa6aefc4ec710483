package stream

import (
	"bytes"
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/test/stack"
)

// patience bounds every wait for the brokers; a condition that is met ends it.
const testPatience = 60 * time.Second

// underBothProtocols runs a test with the classic group protocol and with KIP-848.
func underBothProtocols(t *testing.T, test func(t *testing.T, cfg Config)) {
	t.Parallel()
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Options = map[string]string{"group.protocol": protocol}
			test(t, cfg)
		})
	}
}

func testConfig(t *testing.T) Config {
	t.Helper()
	name := stack.Name(t)
	return Config{
		Brokers: strings.Split(stack.Kafka(t), ","), GroupID: name + "group", TopicPrefix: name,
		Topics: []string{"events"}, DLQTopic: name + "dlq", SecurityProtocol: "PLAINTEXT",
	}
}

func testAdmin(t *testing.T, cfg Config) *Admin {
	t.Helper()
	admin, err := NewAdmin(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	return admin
}

// makeTopics makes the configured topics and returns their names.
func makeTopics(t *testing.T, cfg Config, partitions int, change ...func(*TopicSpec)) []string {
	t.Helper()
	admin := testAdmin(t, cfg)
	var specs []TopicSpec
	for _, name := range cfg.FullTopics() {
		spec := TopicSpec{Name: name, Partitions: partitions, ReplicationFactor: 1, Retention: -1}
		for _, c := range change {
			c(&spec)
		}
		specs = append(specs, spec)
	}
	if _, existing, err := admin.CreateTopics(t.Context(), specs); err != nil || len(existing) > 0 {
		t.Fatalf("create topics: %v, existing %v", err, existing)
	}
	eventually(t, "the topics to be known", func() bool {
		known, err := admin.Partitions(t.Context(), cfg.FullTopics())
		return err == nil && len(known) == len(specs)
	})
	return cfg.FullTopics()
}

func deleteTopics(t *testing.T, admin *Admin, topics []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testPatience)
	defer cancel()
	if _, err := admin.client.DeleteTopics(ctx, topics); err != nil {
		t.Errorf("delete topics: %v", err)
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testPatience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// publish writes values to one partition and waits for their acknowledgement.
func publish(t *testing.T, cfg Config, at record.Partition, values ...string) {
	t.Helper()
	records := make([]*record.Record, len(values))
	for i, v := range values {
		records[i] = &record.Record{Partition: at, Value: []byte(v)}
	}
	publishRecords(t, cfg, records...)
}

func publishRecords(t *testing.T, cfg Config, records ...*record.Record) {
	t.Helper()
	producer, err := NewProducer(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := producer.Send(t.Context(), r, func(_ int32, _ int64, err error) {
			if err != nil {
				t.Errorf("publish: %v", err)
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

// member is a consumer with a reader that a test steps by hand.
type member struct {
	t        *testing.T
	c        *Consumer
	log      *logBuffer
	got      []record.Record
	told     []Rebalance
	next     map[record.Partition]int64 // after the last record of each that it owns
	starts   map[record.Partition]Start
	stopped  chan error
	deafened bool // takes rebalances but no records
	putOut   bool // the group has gone on without it, so it can't commit
}

func join(t *testing.T, cfg Config) *member {
	t.Helper()
	log := &logBuffer{}
	c, err := NewConsumer(cfg, zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	m := &member{
		t: t, c: c, log: log, stopped: make(chan error, 1),
		next: map[record.Partition]int64{}, starts: map[record.Partition]Start{},
	}
	go func() { m.stopped <- c.Run(context.Background()) }()
	t.Cleanup(m.leave)
	return m
}

// leave commits what was read and leaves the group; a second call does nothing.
func (m *member) leave() {
	m.t.Helper()
	if m.c == nil {
		return
	}
	m.commit()
	if err := m.c.Close(); err != nil {
		m.t.Errorf("close: %v", err)
	}
	if err := <-m.stopped; err != nil {
		m.t.Errorf("run: %v", err)
	}
	m.c = nil
}

func (m *member) commit() {
	m.t.Helper()
	if err := m.c.Store(m.next); err != nil {
		m.t.Errorf("store: %v", err)
	}
	if err := m.c.Commit(); (err != nil) != m.putOut {
		m.t.Errorf("commit: %v", err)
	}
}

// step serves what comes within a moment.
func (m *member) step() {
	records := m.c.Records()
	if m.deafened {
		records = nil
	}
	select {
	case chunk := <-records:
		for _, r := range chunk {
			if _, owned := m.next[r.Partition]; !owned {
				m.t.Errorf("record of %s, which is not owned", r.Partition)
			}
			m.next[r.Partition] = r.Offset + 1
		}
		m.got = append(m.got, chunk...)
	case r := <-m.c.Rebalances():
		m.follow(r)
	case <-time.After(5 * time.Millisecond):
	}
}

func (m *member) follow(r Rebalance) {
	m.told = append(m.told, r)
	if r.Kind == Revoked {
		m.commit()
	}
	for _, p := range r.Partitions {
		switch r.Kind {
		case Assigned:
			m.next[p.Partition] = p.Offset
			m.starts[p.Partition] = p
		case Failed:
			m.starts[p.Partition] = p
		default:
			delete(m.next, p.Partition)
			delete(m.starts, p.Partition)
		}
	}
	r.Done()
}

// serve steps members until the condition is met.
func serve(t *testing.T, what string, condition func() bool, members ...*member) {
	t.Helper()
	for deadline := time.Now().Add(testPatience); !condition(); {
		for _, m := range members {
			m.step()
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s; log:\n%s", what, members[0].log)
		}
	}
}

func (m *member) values() []string {
	values := make([]string, len(m.got))
	for i, r := range m.got {
		values[i] = string(r.Value)
	}
	return values
}

func (m *member) owns(partitions int) func() bool {
	return func() bool { return len(m.starts) == partitions }
}

func (m *member) hasRead(records int) func() bool {
	return func() bool { return len(m.got) >= records }
}

func (m *member) wasTold(kind Kind) func() bool {
	return func() bool {
		for _, r := range m.told {
			if r.Kind == kind {
				return true
			}
		}
		return false
	}
}

// committedIn returns the group's offsets as an operator's tool sees them.
func committedIn(t *testing.T, cfg Config) map[record.Partition]int64 {
	t.Helper()
	statuses, err := testAdmin(t, cfg).GroupLag(t.Context(), cfg.GroupID, cfg.FullTopics())
	if err != nil {
		t.Fatal(err)
	}
	committed := map[record.Partition]int64{}
	for _, s := range statuses {
		if s.Committed >= 0 {
			committed[s.Partition] = s.Committed
		}
	}
	return committed
}

// resetOffset does what kafka-consumer-groups --reset-offsets does.
func resetOffset(t *testing.T, cfg Config, at record.Partition, offset int64, metadata *string) {
	t.Helper()
	p := topicPartition(at, offset)
	p.Metadata = metadata
	asked := []kafka.ConsumerGroupTopicPartitions{{Group: cfg.GroupID, Partitions: []kafka.TopicPartition{p}}}
	result, err := testAdmin(t, cfg).client.AlterConsumerGroupOffsets(t.Context(), asked)
	if err != nil || result.ConsumerGroupsTopicPartitions[0].Partitions[0].Error != nil {
		t.Fatalf("reset offset: %v %v", result, err)
	}
}

func cutLog(t *testing.T, cfg Config, at record.Partition, before int64) {
	t.Helper()
	result, err := testAdmin(t, cfg).client.DeleteRecords(t.Context(), []kafka.TopicPartition{topicPartition(at, before)})
	if err != nil || result.DeleteRecordsResults[0].TopicPartition.Error != nil {
		t.Fatalf("delete records: %v %v", result, err)
	}
}

// remake deletes the topics and makes them again.
func remake(t *testing.T, cfg Config, partitions int) {
	t.Helper()
	admin := testAdmin(t, cfg)
	deleteTopics(t, admin, cfg.FullTopics())
	eventually(t, "the topic to be gone", func() bool {
		known, err := admin.Partitions(t.Context(), cfg.FullTopics())
		return err == nil && len(known) == 0
	})
	specs := []TopicSpec{}
	for _, name := range cfg.FullTopics() {
		specs = append(specs, TopicSpec{Name: name, Partitions: partitions, ReplicationFactor: 1, Retention: -1})
	}
	eventually(t, "the topic to be made again", func() bool {
		_, existing, err := admin.CreateTopics(t.Context(), specs)
		return err == nil && len(existing) == 0
	})
}

func sum(counts map[record.Partition]int64) (total int64) {
	for n := range maps.Values(counts) {
		total += n
	}
	return total
}

// logBuffer collects log lines from several goroutines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) count(text string) int { return strings.Count(b.String(), text) }
