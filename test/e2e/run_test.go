package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// One worker, the whole stream: every document, every dead letter, and since
// nothing is repeated or abandoned, every count.
func TestOneWorker(t *testing.T) {
	t.Parallel()
	for seed, settings := range map[uint64][]string{1: nil, 2: {"LOG_LEVEL=debug"}, 3: {"KAFKA_OPTIONS=group.protocol=consumer"}} {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			x := newIndexer(t).with(settings...)
			s := streams[seed]()
			x.setup()
			places := x.publish(s.records)
			w := x.start()
			x.awaitReady(w)
			x.awaitCommitted(places)
			x.must(s, places, false)
			checkCounts(t, w.books.now(), s)
			if status, body := w.get("/livez"); status != 200 {
				t.Errorf("/livez: %d %s", status, body)
			}
			w.stop()
			if slices.Contains(settings, "LOG_LEVEL=debug") {
				checkEventLog(t, w.text(), places)
			}
		})
	}
}

// checkCounts holds the counters of a lone worker against the stream.
func checkCounts(t *testing.T, m Metrics, s *stream) {
	t.Helper()
	dead := 0
	for reason, want := range s.bad() {
		dead += want
		if got := m.Sum("indexer_dead_letters_total", `reason="`+reason+`"`); got != float64(want) {
			t.Errorf("dead letters of reason %s: want %d, got %.0f", reason, want, got)
		}
	}
	for _, c := range []struct {
		what string
		want int
		got  float64
	}{
		{"consumed", len(s.records), m.Sum("indexer_events_consumed_total")},
		{"dead", dead, m.Sum("indexer_events_total", `outcome="dead"`)},
		{"abandoned", 0, m.Sum("indexer_events_total", `outcome="abandoned"`)},
		{"in flight", 0, m.Sum("indexer_in_flight_events")},
	} {
		if c.got != float64(c.want) {
			t.Errorf("%s: want %d, got %.0f", c.what, c.want, c.got)
		}
	}
	for _, outcome := range []string{"indexed", "deleted", "stale"} {
		if m.Sum("indexer_events_total", `outcome="`+outcome+`"`) == 0 {
			t.Errorf("no event ended as %s", outcome)
		}
	}
}

// checkEventLog wants one line for each event, at debug, with all that it takes
// to find it again.
func checkEventLog(t *testing.T, text string, places []Place) {
	t.Helper()
	lines := make(map[Place]int)
	for line := range strings.Lines(text) {
		var entry struct {
			Topic         string  `json:"topic"`
			Partition     *int32  `json:"partition"`
			Offset        *int64  `json:"offset"`
			Status        string  `json:"status"`
			EventID       *string `json:"event_id"`
			CorrelationID *string `json:"correlation_id"`
			EventType     *string `json:"event_type"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Status == "" || entry.Partition == nil || entry.Offset == nil || entry.EventID == nil {
			continue
		}
		lines[Place{entry.Topic, *entry.Partition, *entry.Offset}]++
	}
	var wrong []string
	for _, p := range places {
		if lines[p] != 1 {
			wrong = append(wrong, fmt.Sprintf("%v: %d lines", p, lines[p]))
		}
	}
	if report := Report("events without exactly one line in the log", wrong); report != "" {
		t.Error(report)
	}
}

// Workers join and leave while records keep coming: three partitions' owners
// change at least four times, under both group protocols.
func TestThreeWorkersJoinAndLeave(t *testing.T) {
	t.Parallel()
	for seed, options := range map[uint64]string{1: "group.protocol=classic", 2: "", 3: "group.protocol=consumer"} {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			x := newIndexer(t).with("KAFKA_OPTIONS=" + options)
			s := streams[seed]()
			x.setup()
			half := len(s.records) / 2
			places := x.publish(s.records[:half])
			first := x.start()
			x.awaitWork(first)
			rest := x.publishSlowly(s.records[half:])
			second, third := x.start(), x.start()
			x.awaitWork(second)
			x.awaitWork(third)
			first.stop()
			fourth := x.start()
			x.awaitWork(fourth)
			second.stop()
			places = append(places, rest()...)
			x.awaitCommitted(places)
			// A worker that leaves abandons what its drain leaves undone, and the next
			// one writes such a letter again.
			x.must(s, places, true)
			third.stop()
			fourth.stop()
		})
	}
}

// awaitWork waits until a worker has been given records.
func (x *indexer) awaitWork(w *worker) {
	x.t.Helper()
	x.await(func() bool { w.alive(); return w.consumed() > 0 }, func() string { return "a worker to be given records\n" + w.tail() })
}

// publishSlowly writes records over some ten seconds, so that what happens
// meanwhile happens midway. The func that it returns waits for the end.
func (x *indexer) publishSlowly(records []Record) (places func() []Place) {
	x.t.Helper()
	const chunks = 20 // each begins a producer, which takes half a second
	var all []Place
	var failure error
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for chunk := range slices.Chunk(records, len(records)/chunks+1) {
			select {
			case <-x.t.Context().Done():
				return
			case <-tick.C:
			}
			var published []Place
			if published, failure = x.broker.Publish(x.t.Context(), x.prefix, chunk); failure != nil {
				return
			}
			all = append(all, published...)
		}
	}()
	return func() []Place {
		x.t.Helper()
		<-done
		if failure != nil {
			x.t.Fatal(failure)
		}
		return all
	}
}

// Two workers in turn are killed in the middle of the stream. What they had not
// committed comes again, which changes nothing; no letter is missing.
func TestKillNine(t *testing.T) {
	t.Parallel()
	// A killed member stays in the group until its session ends; 6 s is the least
	// that a broker allows by default.
	x := newIndexer(t).with("KAFKA_OPTIONS=group.protocol=classic,session.timeout.ms=6000", "BATCH_MAX_EVENTS=100", "BULK_CONCURRENCY=1")
	s := streams[1]()
	x.setup()
	// Half of it is there, so that there is always work under way; the other half
	// comes over ten seconds, so that no worker can be done before it is killed.
	half := len(s.records) / 2
	places := x.publish(s.records[:half])
	rest := x.publishSlowly(s.records[half:])
	for range 2 {
		w := x.start()
		x.await(func() bool { w.alive(); return w.consumed() > float64(len(s.records))/10 }, func() string { return "some progress\n" + w.tail() })
		w.kill()
	}
	last := x.start()
	places = append(places, rest()...)
	x.awaitCommitted(places)
	x.must(s, places, true)
	last.stop()
}

// The same topics again from offset zero, with what Redis remembers and without
// it, change nothing.
func TestTwiceFromZero(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	s := streams[2]()
	x.setup()
	places := x.publish(s.records)
	for _, pass := range []struct {
		name, settings string
		duplicates     bool
	}{
		{"first", "DEDUP_ENABLED=true", false},
		{"again, remembered", "DEDUP_ENABLED=true", true},
		{"again, not remembered", "DEDUP_ENABLED=false", false},
	} {
		w := x.with(pass.settings).start()
		x.awaitConsumed(w, len(s.records))
		x.awaitCommitted(places)
		x.must(s, places, pass.name != "first")
		m := w.books.now()
		w.stop()
		known := m.Sum("indexer_events_total", `outcome="duplicate"`)
		switch {
		case pass.name == "first": // the stream has duplicates of its own
		case pass.duplicates && known < float64(len(s.records))/2 && !strings.Contains(w.text(), "Redis is down"): // it may be slow here
			t.Errorf("%s: only %.0f of %d events were known", pass.name, known, len(s.records))
		case !pass.duplicates && known > 0:
			t.Errorf("%s: %.0f events were taken for known", pass.name, known)
		}
		if t.Failed() {
			t.Fatalf("in the pass %q", pass.name)
		}
		if err := x.broker.Rewind(t.Context(), x.env["KAFKA_GROUP_ID"]); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitConsumed waits until a worker has consumed at least n records. After a
// rewind, committed offsets alone would say so too early.
func (x *indexer) awaitConsumed(w *worker, n int) {
	x.t.Helper()
	var consumed float64
	x.await(func() bool {
		w.alive()
		consumed = w.consumed()
		return consumed >= float64(n)
	}, func() string { return fmt.Sprintf("%d records to be consumed, not %.0f\n%s", n, consumed, w.tail()) })
}
