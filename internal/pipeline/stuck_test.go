package pipeline

import (
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Where the index is slow for all alike, nobody holds the others up and nobody is
// paused, however old the records are.
func TestASlowIndexPausesNobody(t *testing.T) {
	b := newBench(t)
	b.m.cfg.MaxBytes, b.m.cfg.MaxEvents = 1024, 1 // the partition's share is 2 KiB
	flying := all[Write](b.receive("a", "b", "c", "d", "e", "f", "g", "h"))
	if b.m.Room() {
		t.Fatal("room beyond the budget")
	}
	for len(flying) > 0 {
		effects := b.wait(2 * time.Second)
		effects = append(effects, b.answer(flying[0], result(index.Written))...)
		if paused := all[Pause](effects); paused != nil {
			t.Fatalf("paused %v", paused)
		}
		flying = append(flying[1:], all[Write](effects)...)
	}
	if len(b.ended) != 8 {
		t.Errorf("ended: %v", b.ended)
	}
}

// A document that is refused for ever does not keep its partition's other records
// in memory: those that have ended leave their places only, and once these are too
// many, the partition waits for it.
func TestWhatEndsBehindAStuckDocumentIsForgotten(t *testing.T) {
	b := newBench(t)
	b.receive("stuck")
	b.answer(only[Write](b, b.wait(b.m.cfg.MaxWait)), retryOf(index.ReasonOther))
	one := b.m.Snapshot().Bytes
	share := b.m.cfg.budget() / 2
	var paused []Pause
	for n := 0; len(paused) == 0; n++ {
		if n*slotSize > 2*share {
			t.Fatalf("not paused with %d records behind one that is stuck", n)
		}
		var more []record.Record
		var known []Preparation
		const many = 10_000
		for range many {
			more = append(more, record.Record{Partition: tp, Offset: b.next, Value: make([]byte, 100)})
			known = append(known, Preparation{Duplicate: true})
			b.next++
		}
		n += many
		effects := b.step(Receive{Records: more})
		effects = append(effects, b.step(Prepared{Batch: only[Prepare](b, effects).Batch, Results: known})...)
		if left := b.m.Snapshot().Bytes; left > one {
			t.Fatalf("%d bytes are in flight, %d before", left, one)
		}
		paused = all[Pause](append(effects, b.wait(time.Second)...))
	}
	if got, _ := b.m.parts[tp].tracker.taken(); got != 0 {
		t.Errorf("the position is %d, beyond what is stuck", got)
	}
}

func retryOf(reason string) index.Outcome { return index.Outcome{Result: index.Retry, Reason: reason} }
