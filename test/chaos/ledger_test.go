package chaos

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// rate is how many records are published in a second. It keeps the workers busy
// without making the run a measurement of the machine.
const rate = 150

// entry is one record that was published.
type entry struct {
	record e2e.Record
	place  e2e.Place
	gone   bool // its topic was deleted since
	erased bool // so was, after that, the index that knew of it
}

// ledger is what was published, and what can still be seen of it.
type ledger struct {
	mu      sync.Mutex
	entries []entry
}

func newLedger() *ledger { return &ledger{} }

func (l *ledger) add(records []e2e.Record, places []e2e.Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range records {
		l.entries = append(l.entries, entry{record: r, place: places[i]})
	}
}

// topicGone notes that a topic (with its prefix) was deleted with all in it.
func (l *ledger) topicGone(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.entries {
		l.entries[i].gone = l.entries[i].gone || l.entries[i].place.Topic == topic
	}
}

// indicesGone notes that the indices were deleted: they will be made anew from what
// the topics still hold.
func (l *ledger) indicesGone() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.entries {
		l.entries[i].erased = l.entries[i].gone
	}
}

// ends are the offsets that the group has to commit at last.
func (l *ledger) ends() map[e2e.Place]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := make(map[e2e.Place]int64)
	for _, e := range l.entries {
		if !e.gone {
			at := e2e.Place{Topic: e.place.Topic, Partition: e.place.Partition}
			ends[at] = max(ends[at], e.place.Offset+1)
		}
	}
	return ends
}

// endsOf is ends of one topic.
func (l *ledger) endsOf(topic string) map[e2e.Place]int64 {
	ends := l.ends()
	for at := range ends {
		if at.Topic != topic {
			delete(ends, at)
		}
	}
	return ends
}

// events are those of which the documents must be made.
func (l *ledger) events() []e2e.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []e2e.Event
	for _, e := range l.entries {
		if e.erased {
			continue
		}
		if ev, err := e2e.Read(e.record); err == nil {
			events = append(events, ev)
		}
	}
	return events
}

// all returns every record with its place: a dead letter outlives its topic.
func (l *ledger) all() ([]e2e.Record, []e2e.Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records, places := make([]e2e.Record, len(l.entries)), make([]e2e.Place, len(l.entries))
	for i, e := range l.entries {
		records[i], places[i] = e.record, e.place
	}
	return records, places
}

// publish writes the seed's stream until ctx ends. What is under way then is
// finished: a record that is not in the ledger would be a difference.
func (r *run) publish(ctx context.Context) {
	total := int(r.duration.Seconds()) * rate
	records := e2e.Generate(e2e.Plan{
		Seed: r.seed, Entities: total / 6, Records: total, Partitions: partitions,
		Start: time.Now().Truncate(time.Hour).Add(-10 * 24 * time.Hour),
	})
	tick := time.NewTicker(time.Second) // each chunk begins a producer, which takes half of that
	defer tick.Stop()
	for chunk := range slices.Chunk(records, rate) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !r.publishChunk(chunk) {
			return
		}
	}
}

func (r *run) publishChunk(chunk []e2e.Record) bool {
	r.publishing.Lock()
	defer r.publishing.Unlock()
	places, err := r.broker.Publish(r.t.Context(), prefix, chunk)
	if err != nil {
		r.t.Errorf("publish: %v", err)
		return false
	}
	r.ledger.add(chunk, places)
	return true
}
