package stream

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/test/stack"
)

func TestReadsFromTheEarliestThenGoesOnWhereItLeftOff(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		at := record.Partition{Topic: makeTopics(t, cfg, 2)[0], ID: 1}
		publish(t, cfg, at, "a", "b", "c")

		first := join(t, cfg)
		serve(t, "three records", func() bool { return first.hasRead(3)() && first.owns(2)() }, first)
		if w, ok := first.c.Watermarks(at); !ok || w.Low != 0 || w.High != 3 {
			t.Errorf("watermarks %d, %d, %t; want 0, 3, true", w.Low, w.High, ok)
		}
		first.next[at] = 2
		first.leave()

		publish(t, cfg, at, "d")
		second := join(t, cfg)
		serve(t, "what is left", second.hasRead(2), second)
		if diff := cmp.Diff([]string{"c", "d"}, second.values()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRecordsComeByteForByte(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		at := record.Partition{Topic: makeTopics(t, cfg, 1)[0]}
		sent := []*record.Record{
			{Partition: at, Timestamp: 1_700_000_000_123, Key: []byte("k"), Value: []byte{0, 0xff, '\n'}},
			{Partition: at, Offset: 1, Timestamp: 1, Key: nil, Value: nil},
			{Partition: at, Offset: 2, Timestamp: 2, Key: []byte{}, Value: []byte{}, Headers: []record.Header{
				{Key: "h", Value: []byte("1")},
				{Key: "h", Value: nil},
				{Key: "H", Value: []byte{}},
				{Key: "", Value: []byte{0, 1}},
			}},
		}
		publishRecords(t, cfg, sent...)
		m := join(t, cfg)
		serve(t, "the records", m.hasRead(len(sent)), m)
		for i, r := range m.got {
			if diff := cmp.Diff(*sent[i], r); diff != "" {
				t.Errorf("record %d: %s", i, diff)
			}
		}
	})
}

func TestAbortedTransactionsAndMarkersLeaveHoles(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		at := record.Partition{Topic: makeTopics(t, cfg, 1)[0]}
		m := join(t, cfg)
		serve(t, "the assignment", m.owns(1), m)
		publishTransactions(t, cfg, at)
		serve(t, "the committed records and the end", func() bool {
			w, ok := m.c.Watermarks(at)
			return len(m.got) >= 4 && ok && w.High == m.next[at]
		}, m)
		if diff := cmp.Diff([]string{"a", "b", "c", "d"}, m.values()); diff != "" {
			t.Error(diff)
		}
		m.commit()
		if got, want := committedIn(t, cfg)[at], int64(4+2+3); got != want {
			t.Errorf("committed %d, want %d: the markers of three transactions are no lag", got, want)
		}
	})
}

// publishTransactions writes a, b (committed), x, y (aborted), c, d (committed).
func publishTransactions(t *testing.T, cfg Config, at record.Partition) {
	t.Helper()
	properties := cfg.producerProperties()
	properties["transactional.id"] = cfg.GroupID
	properties["log_level"] = 0
	properties["go.delivery.reports"] = false // nobody fetches them, and Flush would wait
	producer, err := kafka.NewProducer(&properties)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.InitTransactions(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, values := range []string{"ab", "xy", "cd"} {
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if err := producer.Produce(&kafka.Message{TopicPartition: topicPartition(at, 0), Value: []byte(string(v))}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if left := producer.Flush(int(testPatience.Milliseconds())); left > 0 { // an abort would take back what is not sent
			t.Fatalf("%d records not sent", left)
		}
		end := producer.CommitTransaction
		if i == 1 {
			end = producer.AbortTransaction
		}
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPausesAPartitionWhoseNextOffsetIsGone(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		topic := makeTopics(t, cfg, 3)[0]
		cut, beyond, sound := record.Partition{Topic: topic, ID: 0}, record.Partition{Topic: topic, ID: 1}, record.Partition{Topic: topic, ID: 2}
		publish(t, cfg, cut, "0", "1", "2", "3", "4")
		publish(t, cfg, beyond, "0", "1")
		publish(t, cfg, sound, "0", "1")
		resetOffset(t, cfg, cut, 1, nil)
		resetOffset(t, cfg, beyond, 50, nil)
		resetOffset(t, cfg, sound, 1, nil)
		cutLog(t, cfg, cut, 3)

		m := join(t, cfg)
		serve(t, "the sound partition", func() bool { return m.owns(3)() && m.hasRead(1)() }, m)
		for id, paused := range map[record.Partition]bool{cut: true, beyond: true, sound: false} {
			if got := m.starts[id].Problem; (got != nil) != paused {
				t.Errorf("%s: problem %v", id, got)
			}
		}
		if got := m.log.count("until an operator decides"); got != 0 {
			t.Errorf("%d lines that the reader of Start.Problem writes too", got)
		}
		m.leave()
		if got := committedIn(t, cfg); got[cut] != 1 || got[beyond] != 50 || got[sound] != 2 {
			t.Errorf("committed %v", got)
		}

		resetOffset(t, cfg, cut, 3, nil)
		resetOffset(t, cfg, beyond, 0, nil)
		again := join(t, cfg)
		serve(t, "what the operator decided", again.hasRead(4), again)
		if diff := cmp.Diff([]string{"0", "1", "3", "4"}, slices.Sorted(slices.Values(again.values()))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestALogCutWhileReadingFailsThePartition(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		topic := makeTopics(t, cfg, 2)[0]
		cut, sound := record.Partition{Topic: topic, ID: 0}, record.Partition{Topic: topic, ID: 1}
		publish(t, cfg, cut, "0", "1", "2")
		m := join(t, cfg)
		serve(t, "the records", func() bool { return m.owns(2)() && m.hasRead(3)() }, m)
		if err := m.c.Pause(cut); err != nil {
			t.Fatal(err)
		}
		publish(t, cfg, cut, "3", "4", "5", "6")
		cutLog(t, cfg, cut, 5)
		if err := m.c.Resume(cut); err != nil {
			t.Fatal(err)
		}
		serve(t, "the failure", m.wasTold(Failed), m)
		if problem := m.starts[cut].Problem; problem == nil || !strings.Contains(problem.Error(), "offsets 3 to 4") {
			t.Errorf("problem %v", problem)
		}
		publish(t, cfg, sound, "x")
		serve(t, "the other partition", m.hasRead(4), m)
		m.commit()
		if got := committedIn(t, cfg); got[cut] != 3 || got[sound] != 1 {
			t.Errorf("committed %v", got)
		}
		if diff := cmp.Diff([]string{"0", "1", "2", "x"}, m.values()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestALogCutBeforeTheFirstRecordStartsBehindTheCut(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		at := record.Partition{Topic: makeTopics(t, cfg, 1)[0]}
		m := join(t, cfg)
		serve(t, "the assignment", m.owns(1), m)
		if err := m.c.Pause(at); err != nil {
			t.Fatal(err)
		}
		publish(t, cfg, at, "0", "1", "2", "3")
		cutLog(t, cfg, at, 2)
		if err := m.c.Resume(at); err != nil {
			t.Fatal(err)
		}
		serve(t, "the rest", m.hasRead(2), m)
		if diff := cmp.Diff([]string{"2", "3"}, m.values()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestATopicMadeAgainStartsAtItsBeginning(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		at := record.Partition{Topic: makeTopics(t, cfg, 1)[0]}
		publish(t, cfg, at, "old 0", "old 1", "old 2")
		m := join(t, cfg)
		serve(t, "the old records", m.hasRead(3), m)
		m.commit()
		old := committedMetadata(t, cfg, at)
		m.leave()

		remake(t, cfg, 1)
		publish(t, cfg, at, "new 0", "new 1", "new 2", "new 3")
		// Brokers forget the offsets of a deleted topic, but not all at once.
		resetOffset(t, cfg, at, 3, old)
		if readMetadata(committedMetadata(t, cfg, at)) == "" {
			t.Fatal("the test did not bring the old topic's id back")
		}
		m = join(t, cfg)
		serve(t, "the new records", m.hasRead(4), m)
		if diff := cmp.Diff([]string{"new 0", "new 1", "new 2", "new 3"}, m.values()); diff != "" {
			t.Error(diff)
		}
	})
}

func committedMetadata(t *testing.T, cfg Config, at record.Partition) *string {
	t.Helper()
	answer, err := testAdmin(t, cfg).client.ListConsumerGroupOffsets(t.Context(), []kafka.ConsumerGroupTopicPartitions{
		{Group: cfg.GroupID, Partitions: []kafka.TopicPartition{topicPartition(at, 0)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer.ConsumerGroupsTopicPartitions[0].Partitions[0].Metadata
}

func TestATopicMadeAgainWhileReadingStartsAtItsBeginning(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		at := record.Partition{Topic: makeTopics(t, cfg, 1)[0]}
		publish(t, cfg, at, "old 0", "old 1", "old 2")
		m := join(t, cfg)
		serve(t, "the old records", m.hasRead(3), m)
		m.commit()

		remake(t, cfg, 1)
		publish(t, cfg, at, "new 0", "new 1", "new 2", "new 3", "new 4")
		fresh := func() []string {
			var values []string
			for _, v := range m.values() {
				if strings.HasPrefix(v, "new") && !slices.Contains(values, v) {
					values = append(values, v)
				}
			}
			return values
		}
		serve(t, "every new record", func() bool { return len(fresh()) == 5 }, m)
		serve(t, "the commit of the new", func() bool { m.commit(); return committedIn(t, cfg)[at] == 5 }, m)
	})
}

// The client leaves out of a commit what is not above its last one.
func TestAShorterTopicMadeAgainWhileReadingIsCommitted(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		topic := makeTopics(t, cfg, 3)[0]
		at := record.Partition{Topic: topic}
		other := record.Partition{Topic: topic, ID: 1}
		publish(t, cfg, at, "old 0", "old 1", "old 2", "old 3")
		publish(t, cfg, other, "old 0", "old 1")
		m := join(t, cfg)
		serve(t, "the old records", m.hasRead(6), m)
		m.commit()
		old := committedMetadata(t, cfg, at)

		remake(t, cfg, 3)
		publish(t, cfg, at, "new 0", "new 1")
		publish(t, cfg, other, "new 0")
		serve(t, "every new record", func() bool { return m.next[at] == 2 && m.next[other] == 1 && m.hasRead(9)() }, m)
		m.commit()
		if got := committedIn(t, cfg); got[at] != 2 || got[other] != 1 {
			t.Errorf("committed %v", got)
		}
		if now := committedMetadata(t, cfg, at); readMetadata(now) == "" || readMetadata(now) == readMetadata(old) {
			t.Errorf("committed with the metadata %v", now)
		}
		m.leave()
		again := join(t, cfg)
		publish(t, cfg, at, "new 2")
		serve(t, "what is left", again.hasRead(1), again)
		if diff := cmp.Diff([]string{"new 2"}, again.values()); diff != "" {
			t.Error(diff)
		}
	})
}

// The other topics have nothing to do with it.
func TestATopicMadeAgainIsNoAlarmOfOthers(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		whole := cfg
		whole.Topics = []string{"events", "quiet"}
		topics := makeTopics(t, whole, 2)
		at, quiet := record.Partition{Topic: topics[0]}, record.Partition{Topic: topics[1]}
		publish(t, cfg, at, "old 0", "old 1", "old 2", "old 3")
		publish(t, cfg, quiet, "a", "b")
		m := join(t, whole)
		serve(t, "the records", func() bool { return m.owns(4)() && m.hasRead(6)() }, m)
		m.commit()

		publish(t, cfg, quiet, "c")
		serve(t, "one more", m.hasRead(7), m)
		if err := m.c.Store(m.next); err != nil { // stored, but committed only in the end
			t.Fatal(err)
		}
		remake(t, cfg, 2)
		publish(t, cfg, at, "new 0")
		serve(t, "the new record", func() bool { return m.next[at] == 1 }, m)
		m.c.mu.Lock()
		m.c.suspect = true // as an error of the old topic that comes late
		m.c.mu.Unlock()
		m.c.lookSoon()
		serve(t, "the look", func() bool { return m.log.count("fetching anew") > 0 }, m)
		if err := m.c.Commit(); err != nil {
			t.Error(err)
		}
		if got := committedIn(t, whole); got[quiet] != 3 {
			t.Errorf("committed %v", got)
		}
		for line := range strings.Lines(m.log.String()) {
			if strings.Contains(line, "fetching anew") && !strings.Contains(line, `"level":"debug"`) {
				t.Errorf("an alarm: %s", line)
			}
		}
	})
}

func TestMissingTopicsArePickedUpWhenTheyAppear(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		makeTopics(t, cfg, 1)
		later := cfg
		later.Topics = []string{"later"}
		cfg.Topics = append(cfg.Topics, later.Topics...)
		cfg.Options["topic.metadata.refresh.interval.ms"] = "1000"
		m := join(t, cfg)
		serve(t, "the topic that exists", m.owns(1), m)
		at := record.Partition{Topic: makeTopics(t, later, 1)[0]}
		publish(t, cfg, at, "a")
		serve(t, "the later topic", m.hasRead(1), m)
		if got := m.log.count("the topic does not exist"); got != 1 {
			t.Errorf("the missing topic was named %d times:\n%s", got, m.log)
		}
	})
}

func TestABigRecordArrives(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		const size = 10 << 20
		at := record.Partition{Topic: makeTopics(t, cfg, 1, func(s *TopicSpec) { s.MaxMessageBytes = size + 1000 })[0]}
		cfg.Options["compression.type"] = "none"
		publish(t, cfg, at, "small", strings.Repeat("x", size), "small too")
		m := join(t, cfg)
		serve(t, "the records", m.hasRead(3), m)
		if got := len(m.got[1].Value); got != size {
			t.Errorf("%d bytes, want %d", got, size)
		}
	})
}

func TestWaitsForKafka(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		at := record.Partition{Topic: makeTopics(t, cfg, 1)[0]}
		publish(t, cfg, at, "a")
		reserved, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		absent := cfg
		absent.Brokers = []string{reserved.Addr().String()}
		if err := reserved.Close(); err != nil {
			t.Fatal(err)
		}
		m := join(t, absent)
		const complaint = "cannot reach Kafka at 127.0.0.1:"
		serve(t, "the complaint", func() bool { return m.log.count(complaint) > 0 }, m)
		forward(t, absent.Brokers[0], stack.Kafka(t))
		serve(t, "the record", m.hasRead(1), m)
		serve(t, "the all-clear", func() bool { return m.log.count("Kafka answers again") > 0 }, m)
		if got := m.log.count(complaint); got != 1 {
			t.Errorf("complained %d times:\n%s", got, m.log)
		}
	})
}

// forward passes connections on, so that a broker seems to come up.
func forward(t *testing.T, from, to string) {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
}

func TestCloseWithoutKafkaEnds(t *testing.T) {
	t.Parallel()
	cfg := Config{Brokers: []string{"127.0.0.1:1"}, GroupID: "none", Topics: []string{"none"}, SecurityProtocol: "PLAINTEXT"}
	m := join(t, cfg)
	before := m.c.LastPoll()
	serve(t, "polls", func() bool { return m.c.LastPoll().After(before.Add(time.Second)) }, m)
	m.leave()
}

// A worker that is stopped at its start may close before it has begun to run.
func TestRunAfterCloseEnds(t *testing.T) {
	t.Parallel()
	for range 20 {
		c, err := NewConsumer(Config{Brokers: []string{"127.0.0.1:1"}, GroupID: "none", Topics: []string{"none"}, SecurityProtocol: "PLAINTEXT"}, nopLog())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWrongOptionIsAnError(t *testing.T) {
	t.Parallel()
	cfg := Config{Brokers: []string{"127.0.0.1:1"}, GroupID: "g", SecurityProtocol: "PLAINTEXT", Options: map[string]string{"no.such": "1"}}
	if c, err := NewConsumer(cfg, nopLog()); err == nil {
		_ = c.Close()
		t.Error("no error")
	} else if !strings.Contains(fmt.Sprint(err), "no.such") {
		t.Errorf("error %v names no property", err)
	}
}
