package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

// In a backlog an event lives on in the state that waits for its document, and in
// its place in the log. Where OpenSearch refuses that state, each of its events is
// tried on its own, and who is refused then becomes a letter: for that the records
// are read again.

// Log reads records again. It is safe for concurrent use.
type Log interface {
	// Fetch returns the records at the given offsets; those that the log no longer
	// has are left out.
	Fetch(ctx context.Context, offsets map[record.Partition][]int64) ([]record.Record, error)
}

type place struct {
	record.Partition
	offset int64
}

// recall is the refused bundles of one request whose records are being read again.
// Each stays the first of its document, which waits for it.
type recall struct {
	lane    *lane
	refused []refusal
	try     int
}

type refusal struct {
	w   *waiting
	out Outcome
}

// refuse finds the event at fault: a joined write is tried again event by event, a
// single event becomes a letter.
func (m *Machine) refuse(w *waiting, b bundle, out Outcome) {
	if b.joined {
		w.split(b)
		return
	}
	if len(b.items) > 0 && !b.items[0].ended { // the only one, unless it was abandoned meanwhile
		m.bury(b.items[0], out.Reason, out.Words)
	}
}

// lacks reports whether records of b have to be read again before it can be refused.
func (b *bundle) lacks() bool {
	return slices.ContainsFunc(b.items, func(it *item) bool { return it.contents == nil && !it.ended })
}

// setAside has a refused document wait for its records.
func (r *recall) setAside(w *waiting, b bundle, out Outcome) {
	b.alone = true
	w.putBack(b)
	w.delayed = true
	r.refused = append(r.refused, refusal{w, out})
}

// offsets returns where the records lie that are still needed.
func (r *recall) offsets() map[record.Partition][]int64 {
	offsets := map[record.Partition][]int64{}
	for _, refused := range r.refused {
		for _, it := range refused.w.bundles[0].items {
			if it.contents == nil && !it.ended {
				offsets[it.part.name] = append(offsets[it.part.name], it.offset)
			}
		}
	}
	return offsets
}

// ask has the records read, where there are any to read.
func (m *Machine) ask(r recall) {
	if len(r.refused) > 0 {
		id := m.id()
		m.recalls[id] = &r
		m.do(Recall{ID: id, Offsets: r.offsets()})
	}
}

// recalled goes on with what was refused.
func (m *Machine) recalled(now time.Time, in Recalled) {
	r := m.recalls[in.Recall]
	delete(m.recalls, in.Recall)
	if in.Err != nil {
		m.timers.add(now.Add(m.backoff(r.try)), func() { m.ask(*r) })
		r.try++
		return
	}
	found := make(map[place]*contents, len(in.Records))
	for i := range in.Records {
		c := newContents(&in.Records[i])
		c.decoded(&in.Results[i])
		found[place{c.record.Partition, c.record.Offset}] = c
	}
	for _, refused := range r.refused {
		w := refused.w
		b := w.next()
		b.items = slices.DeleteFunc(b.items, func(it *item) bool { return !m.restore(it, found) })
		w.delayed = false
		m.refuse(w, b, refused.out)
		r.lane.enqueue(w)
		r.lane.forget(w)
	}
}

// restore gives an item its contents back. Where the log has no record at its place,
// or another one, it reports false: that can be neither tried nor buried, so its
// partition stops there, loudly, as one does whose next record is lost.
func (m *Machine) restore(it *item, found map[place]*contents) bool {
	if it.contents != nil {
		return true
	}
	c := found[place{it.part.name, it.offset}]
	if c != nil && c.change.Digest == it.digest {
		it.contents = c
		it.weigh(0)
		return true
	}
	it.weigh(0)
	it.part.stuck = fmt.Sprintf("offset %d is no longer in the log, and OpenSearch refuses what it said", it.offset)
	m.pauseOrResume(it.part)
	return false
}

// Recall reads records again and decodes them.
func (j Jobs) Recall(ctx context.Context, e Recall) Recalled {
	records, err := j.Reread.Fetch(ctx, e.Offsets)
	results := make([]Preparation, len(records))
	for i := range records {
		results[i].Event, results[i].Change, results[i].Rejection = j.Decoder.Decode(&records[i])
	}
	return Recalled{Recall: e.ID, Records: records, Results: results, Err: err}
}
