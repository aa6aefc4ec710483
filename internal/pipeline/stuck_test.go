package pipeline

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Where the index is slow for all alike, nobody holds the others up and nobody is
// paused, however old the records are.
func TestASlowIndexPausesNobody(t *testing.T) {
	b := newBench(t)
	b.m.cfg.MaxBytes, b.m.cfg.MaxEvents = 1024, 1 // the partition's share is 3 KiB
	flying := all[Write](b.receive("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"))
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
	if len(b.ended) != 10 {
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

// While the index of one entity takes nothing, each of its partitions is paused as
// soon as it holds more than its share, and not a look later: together they would
// leave no room for the other entity's.
func TestAStalledIndexLeavesRoomForTheOthers(t *testing.T) {
	b := newBench(t)
	const each = 6 // partitions of each entity
	var posts, artists []record.Partition
	for id := range int32(each) {
		posts = append(posts, record.Partition{Topic: "post.created", ID: id})
		artists = append(artists, record.Partition{Topic: "artist.created", ID: id})
	}
	for _, part := range slices.Concat(posts, artists) {
		b.step(Assign{Partitions: []Start{{Partition: part}}})
	}
	share := b.m.cfg.budget() / (2 * (2*each + 1))
	blocked := func(writes []Write) (paused []Pause) {
		for len(writes) > 0 {
			w := writes[0]
			retries := make([]index.Outcome, len(w.Actions))
			for i := range retries {
				retries[i] = retryOf(index.ReasonBlocked)
			}
			effects := b.answer(w, retries...)
			paused, writes = append(paused, all[Pause](effects)...), append(writes[1:], all[Write](effects)...)
		}
		return paused
	}
	b.bring(document.Artist, artists[0], 100)
	blocked(all[Write](b.wait(b.m.cfg.MaxWait)))
	if paused := blocked(all[Write](b.wait(2 * time.Second))); paused != nil {
		t.Fatalf("a partition with next to nothing is paused: %v", paused)
	}
	for _, part := range artists {
		// No time passes: the next regular look would be too late.
		effects := b.bring(document.Artist, part, share+1)
		if p := only[Pause](b, effects); p.Partition != part {
			t.Fatalf("%v is paused for what %v holds", p.Partition, part)
		}
		blocked(all[Write](effects))
		if !b.m.Room() {
			t.Fatalf("no room with %d of %d partitions blocked", part.ID+1, each)
		}
	}
	for _, part := range posts {
		effects := append(b.bring(document.Post, part, 100), b.wait(b.m.cfg.MaxWait)...)
		for _, w := range all[Write](effects) {
			if w.Actions[0].Entity == document.Post {
				b.answer(w, result(index.Written))
			} else {
				blocked([]Write{w})
			}
		}
	}
	if len(b.ended) != each {
		t.Errorf("posts that ended while artists are blocked: %v", b.ended)
	}
}

// bring brings one record of size bytes, prepared as a good change of a document of
// its own.
func (b *bench) bring(entity document.Entity, part record.Partition, size int) []Effect {
	b.Helper()
	b.next++
	effects := b.step(Receive{Records: []record.Record{{Partition: part, Offset: b.next, Value: make([]byte, size)}}})
	return append(effects, b.step(Prepared{Batch: only[Prepare](b, effects).Batch, Results: []Preparation{{Change: handlers.Change{
		Key:   document.Key{Entity: entity, ID: part.String() + strconv.FormatInt(b.next, 10)},
		State: document.Upsert(document.UpsertOrder(b.next, 1, 1), nil).Pack(),
	}}}})...)
}

// Who has nothing left to be written to an index can't say how it stands: what waited
// has been left to the next owner.
func TestAStallEndsWithWhatWaited(t *testing.T) {
	b := newBench(t)
	b.receive("a")
	b.answer(only[Write](b, b.wait(b.m.cfg.MaxWait)), retryOf(index.ReasonNetwork))
	effects := b.wait(2 * time.Second)
	only[Stalled](b, effects)
	b.answer(only[Write](b, effects), retryOf(index.ReasonNetwork))
	if s := b.m.Snapshot(); len(s.Stalled) != 1 {
		t.Fatalf("stalled: %v", s.Stalled)
	}
	b.step(Lose{Partitions: []record.Partition{tp}})
	b.wait(time.Minute)
	if s := b.m.Snapshot(); len(s.Stalled) > 0 {
		t.Errorf("stalled with nothing to write: %v", s.Stalled)
	}
}
