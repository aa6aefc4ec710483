package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

const (
	trafficPartitions = 12
	trafficPosts      = 250 * trafficPartitions
)

// sent is one record of the traffic.
type sent struct {
	record Record
	place  Place
	at     time.Time // when it was acknowledged
}

// traffic publishes updates of posts at a steady rate, to every partition of a topic in
// turn. All of one post go to one partition with rising versions, so that an event
// that changes nothing was written before.
type traffic struct {
	t        *testing.T
	topic    string
	producer *kafka.Producer
	halt     func()
	done     chan struct{}

	mu   sync.Mutex
	sent []sent
}

// startTraffic publishes until stop.
func startTraffic(t *testing.T, broker Broker, topic string, rate int) *traffic {
	t.Helper()
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": broker.Addresses, "enable.idempotence": true, "linger.ms": 5})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	f := &traffic{t: t, topic: topic, producer: producer, halt: sync.OnceFunc(func() { close(done) }), done: make(chan struct{})}
	var work sync.WaitGroup
	work.Go(f.acknowledge)
	go func() {
		f.publish(done, rate)
		f.producer.Flush(int(deadline.Milliseconds()))
		f.producer.Close()
		work.Wait()
		close(f.done)
	}()
	t.Cleanup(func() { f.stop() })
	return f
}

// publish sends the records that are due, every few milliseconds.
func (f *traffic) publish(done <-chan struct{}, rate int) {
	began, n := time.Now(), 0
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		for due := int(time.Since(began).Seconds() * float64(rate)); n < due; n++ {
			r := f.record(n)
			err := f.producer.Produce(&kafka.Message{
				TopicPartition: kafka.TopicPartition{Topic: &f.topic, Partition: r.Partition},
				Key:            r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp), Opaque: r,
			}, nil)
			if err != nil {
				f.t.Errorf("publish: %v", err)
				return
			}
		}
	}
}

func (f *traffic) record(n int) Record {
	post := n % trafficPosts
	id := fmt.Sprintf("post-%d", post)
	return Record{
		Topic: rollingTopic, Partition: int32(post % trafficPartitions), Timestamp: time.Now().UnixMilli(), Key: []byte(id),
		Value: fmt.Appendf(nil, `{"event_type":"post.updated","version":%d,"data":{"post_id":%q,"title":"Title %d","content":%q}}`,
			n, id, n, strings.Repeat("words and more words ", 20)),
	}
}

func (f *traffic) acknowledge() {
	for event := range f.producer.Events() {
		m, ok := event.(*kafka.Message)
		if !ok {
			continue // errors that matter come with the delivery reports
		}
		if m.TopicPartition.Error != nil {
			f.t.Errorf("publish: %v", m.TopicPartition.Error)
			continue
		}
		place := Place{*m.TopicPartition.Topic, m.TopicPartition.Partition, int64(m.TopicPartition.Offset)}
		f.mu.Lock()
		f.sent = append(f.sent, sent{m.Opaque.(Record), place, time.Now()})
		f.mu.Unlock()
	}
}

// stop ends the load and returns all that was published.
func (f *traffic) stop() []sent {
	f.halt()
	<-f.done
	return f.sent
}

// endings is how the events of a run have ended, by the workers' own lines.
type endings struct {
	at        map[Place][]time.Time // less those that were abandoned
	consumed  int
	rewritten int // changed nothing
	abandoned int
	refused   int // commits
	late      int // steps of a shutdown whose time was up
	retried   int // writes, of which OpenSearch may have taken the first try
}

func newEndings(workers []*worker) *endings {
	h := &endings{at: map[Place][]time.Time{}}
	for _, w := range workers {
		h.retried += int(w.books.now().Sum("indexer_bulk_retries_total"))
		for line := range strings.Lines(w.text()) {
			var entry struct {
				Place
				Status  string    `json:"status"`
				Time    time.Time `json:"time"`
				Message string    `json:"message"`
			}
			if json.Unmarshal([]byte(line), &entry) != nil {
				continue
			}
			if strings.HasPrefix(entry.Message, "commit offsets;") {
				h.refused++
			}
			if strings.Contains(entry.Message, "no answer in time") {
				h.late++
			}
			if entry.Message != "event" {
				continue
			}
			h.consumed++
			switch entry.Status {
			case "abandoned":
				h.abandoned++
				continue
			case "stale", "duplicate":
				h.rewritten++
			}
			h.at[entry.Place] = append(h.at[entry.Place], entry.Time)
		}
	}
	return h
}

// check wants nothing repeated. Where a machine was too busy to drain in time, what
// was left comes again by rights; strict says that it should have been in time.
func (h *endings) check(t *testing.T, strict bool) {
	t.Helper()
	slow := h.abandoned > 0 || h.late > 0
	if slow && strict {
		t.Errorf("a shutdown took too long: %d events abandoned, %d steps out of time", h.abandoned, h.late)
	}
	if again := h.again(); again > 0 && !slow {
		t.Errorf("%d events were consumed again after clean stops", again)
	}
	if h.rewritten > 0 && !slow && h.retried == 0 {
		t.Errorf("%d events were written again after clean stops", h.rewritten)
	}
}

// again counts the endings beyond the first of each event.
func (h *endings) again() int {
	n := 0
	for times := range maps.Values(h.at) {
		n += len(times) - 1
	}
	return n
}

// longestStall returns the longest time in which no event of a partition ended
// although one was there to be read, and which partition that was.
func (h *endings) longestStall(all []sent) (longest time.Duration, where string) {
	logs := map[int32][]sent{}
	for _, s := range all {
		logs[s.place.Partition] = append(logs[s.place.Partition], s)
	}
	for partition, log := range logs {
		slices.SortFunc(log, func(a, b sent) int { return cmp.Compare(a.place.Offset, b.place.Offset) })
		if stall := h.stall(log); stall > longest {
			longest, where = stall, fmt.Sprintf("partition %d", partition)
		}
	}
	return longest, where
}

func (h *endings) stall(log []sent) (longest time.Duration) {
	order := make([]int, len(log)) // the log's indices as their events ended
	for i := range log {
		order[i] = i
	}
	ended := func(i int) time.Time { return slices.MinFunc(h.at[log[i].place], time.Time.Compare) }
	slices.SortFunc(order, func(a, b int) int { return ended(a).Compare(ended(b)) })
	var last time.Time
	done, oldest := make([]bool, len(log)), 0 // the oldest that has not ended
	for _, i := range order {
		since := last
		if log[oldest].at.After(since) {
			since = log[oldest].at
		}
		longest = max(longest, ended(i).Sub(since))
		last, done[i] = ended(i), true
		for oldest < len(log)-1 && done[oldest] {
			oldest++
		}
	}
	return longest
}
