package simulate

import (
	"context"

	"github.com/search-indexer/search-indexer/internal/record"
)

// reread is the log as a worker reads records of it again.
type reread struct{ world *world }

// Fetch returns what is at the places now: nothing where the log was cut, other
// records where the topic was made again. Of a partition that can't be read it returns
// some records all the same.
func (r reread) Fetch(ctx context.Context, offsets map[record.Partition][]int64) (records []record.Record, unread []record.Partition) {
	w := r.world
	if !await(ctx, func(resume func()) {
		w.after(w.faults.delay(letterCall), func() {
			for _, p := range sortedPartitions(offsets) {
				w.checks.count("records read again")
				if w.faults.Cut > 0 && w.faults.hits(10) { // retention was there first
					w.log.cut(p)
				}
				found := r.at(p, offsets[p])
				if w.faults.hits(w.faults.LetterFails) {
					unread = append(unread, p)
					found = found[:w.rand.IntN(len(found)+1)]
				}
				records = append(records, found...)
			}
			w.after(w.faults.delay(letterCall), resume)
		})
	}) {
		return nil, sortedPartitions(offsets)
	}
	return records, unread
}

func (r reread) at(p record.Partition, offsets []int64) (records []record.Record) {
	for _, offset := range offsets {
		for _, e := range r.world.log.from(p, offset, 1) {
			if e.record.Offset == offset {
				records = append(records, e.record)
			}
		}
	}
	return records
}
