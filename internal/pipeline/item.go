package pipeline

import (
	"time"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
)

// What records in flight take in memory, measured with Go 1.26 on the events that
// `produce` invents: TestMemoryIsCountedInFull holds it.
const (
	itemSize     = 128 // an item, its slot in the tracker, its place in a bundle
	contentsSize = 448 // beside its record
	documentSize = 448 // a document that waits, beside its state
)

// item is one record from Receive until it has ended.
type item struct {
	part      *partition
	number    int64 // in the partition's tracker
	offset    int64
	timestamp int64    // of the record, in ms
	received  int64    // in ns
	time      int64    // the event's own, in µs; 0 while it is not known
	lane      *lane    // nil while its entity is not known
	digest    [16]byte // of its change
	size      int32    // bytes that it keeps in memory, on the books of its partition
	dropped   int32    // bytes of its contents, once they were let go
	ended     bool
	// contents are there until the item waits in a backlog, and again where the
	// record is needed once more and was read again.
	contents *contents
}

// contents are a record and what was read out of it.
type contents struct {
	// record is a copy, since a pointer into its chunk would keep the chunk: one
	// record that can't end would hold the memory of some hundred that have.
	record record.Record
	event  handlers.Event
	change handlers.Change
	write  uint64 // the last one that it was in
	reread bool   // they were let go and read again
	size   int
}

// newContents takes a record that was not decoded yet.
func newContents(r *record.Record) *contents {
	return &contents{record: *r, size: r.Size() + contentsSize}
}

func (c *contents) decoded(p *Preparation) {
	c.event, c.change = p.Event, p.Change
	c.size += len(p.Change.State)
}

func (it *item) arrived() time.Time { return time.Unix(0, it.received) }

// weigh notes what an item keeps in memory from now on, with so many bytes of a
// document that waits.
func (it *item) weigh(document int) {
	if it.ended {
		return
	}
	size := itemSize + document
	if it.contents != nil {
		size += it.contents.size
	}
	it.part.bytes += size - int(it.size)
	it.size = int32(size) //nolint:gosec // a record has at most 100 MB
}

// letGo keeps no more of the record than its place.
func (it *item) letGo() {
	if it.contents != nil {
		it.dropped = int32(it.contents.size) //nolint:gosec // a record has at most 100 MB
		it.contents = nil
	}
	it.weigh(0)
}

// place is the record without what was in it.
func (it *item) place() record.Record {
	return record.Record{Partition: it.part.name, Offset: it.offset, Timestamp: it.timestamp}
}
