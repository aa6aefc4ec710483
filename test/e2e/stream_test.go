package e2e

import (
	"sync"
	"testing"
	"time"
)

// stream is what one seed generates, with what must come of it.
type stream struct {
	seed    uint64
	records []Record
	want    map[Key]Document

	mu    sync.Mutex
	first Snapshot // of the first test that compared a whole run
	by    string
}

// newStream generates a stream and reads it as the reference does. Parsed, events
// take many times the memory of their records, so one document after the other is
// read.
func newStream(p Plan) *stream {
	s := &stream{seed: p.Seed, records: Generate(p), want: map[Key]Document{}}
	histories := map[Key][]int{}
	for i, r := range s.records {
		if ev, err := Read(r); err == nil {
			k := Key{ev.Entity, ev.ID}
			histories[k] = append(histories[k], i)
		}
	}
	for k, history := range histories {
		events := make([]Event, len(history))
		for n, i := range history {
			events[n], _ = Read(s.records[i]) // as before
		}
		s.want[k] = Fold(events)[k]
	}
	return s
}

// plan is the size that the end-to-end tests run at.
func plan(seed uint64) Plan {
	return Plan{Seed: seed, Entities: 5500, Records: 31_000, Partitions: partitions, Start: start()}
}

// smallPlan is a size for unit tests and for what needs several runs.
func smallPlan(seed uint64) Plan {
	return Plan{Seed: seed, Entities: 400, Records: 2400, Partitions: partitions, Start: start()}
}

const partitions = 12

// start leaves the histories in the past, but within every retention.
var start = sync.OnceValue(func() time.Time { return time.Now().Truncate(time.Hour).Add(-10 * 24 * time.Hour) })

// streams are the seeds of the large runs, generated once however many tests
// run on them.
var streams = map[uint64]func() *stream{
	1: sync.OnceValue(func() *stream { return newStream(plan(1)) }),
	2: sync.OnceValue(func() *stream { return newStream(plan(2)) }),
	3: sync.OnceValue(func() *stream { return newStream(plan(3)) }),
}

// sameInEveryRun compares a run with the first of the same seed, whichever test
// made that. It sees what the reference leaves open: how true ties end.
func (s *stream) sameInEveryRun(t *testing.T, got Snapshot) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first, s.by = got, t.Name()
		return
	}
	if report := Report("documents that differ from those of "+s.by, CompareRuns(s.first, got)); report != "" {
		t.Error(report)
	}
}

// bad counts the records that must end as dead letters, by reason.
func (s *stream) bad() map[string]int {
	reasons := make(map[string]int)
	for _, r := range s.records {
		if r.Reason != "" {
			reasons[r.Reason]++
		}
	}
	return reasons
}
