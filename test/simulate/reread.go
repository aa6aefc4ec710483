package simulate

import (
	"context"
	"errors"

	"github.com/search-indexer/search-indexer/internal/record"
)

// reread is the log as a worker reads records of it again.
type reread struct{ world *world }

var errUnread = errors.New("the log can't be read")

// Fetch returns what is at the places now: nothing where the log was cut, other
// records where the topic was made again.
func (r reread) Fetch(ctx context.Context, offsets map[record.Partition][]int64) (records []record.Record, err error) {
	w := r.world
	if !await(ctx, func(resume func()) {
		w.after(w.faults.delay(letterCall), func() {
			w.checks.count("records read again")
			if w.faults.hits(w.faults.LetterFails) {
				err = errUnread
			} else {
				records = r.at(offsets)
			}
			w.after(w.faults.delay(letterCall), resume)
		})
	}) {
		return nil, ctx.Err()
	}
	return records, err
}

func (r reread) at(offsets map[record.Partition][]int64) (records []record.Record) {
	for _, p := range sortedPartitions(offsets) {
		for _, offset := range offsets[p] {
			for _, e := range r.world.log.from(p, offset, 1) {
				if e.record.Offset == offset {
					records = append(records, e.record)
				}
			}
		}
	}
	return records
}
