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
//
// A document may have more events than there is memory for. So they are read again in
// parts: what was read is tried, the rest waits behind it in the state that was
// refused, and is tried, refused and read in its turn.

// Log reads records again. It is safe for concurrent use.
type Log interface {
	// Fetch returns the records at the given offsets; those that the log no longer
	// has are left out. Of unread partitions not all could be read at the moment.
	Fetch(ctx context.Context, offsets map[record.Partition][]int64) (found []record.Record, unread []record.Partition)
}

type place struct {
	record.Partition
	offset int64
}

// recall is refused bundles whose records are being read again. Each stays the first
// of its document, which waits for it.
type recall struct {
	lane    *lane
	refused []refusal
	asked   []*item // of these bundles, those whose records are being read
	bytes   int     // of these records
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

// lacks reports whether the record has to be read again before the event can be tried
// or buried.
func (it *item) lacks() bool { return it.contents == nil && !it.ended }

func (b *bundle) lacks() bool { return slices.ContainsFunc(b.items, (*item).lacks) }

// setAside has a refused document wait for its records.
func (r *recall) setAside(w *waiting, b bundle, out Outcome) {
	b.alone = true
	w.putBack(b)
	w.delayed = true
	r.refused = append(r.refused, refusal{w, out})
}

// ask has records read: up to BATCH_MAX_BYTES of a document, while those of all
// documents are less than bulk requests may hold.
func (m *Machine) ask(r *recall) {
	room := m.cfg.Concurrency * m.cfg.MaxBytes
	for _, part := range m.owned {
		room -= part.reread
	}
	for _, other := range m.recalls {
		room -= other.bytes
	}
	r.asked, r.bytes = nil, 0
	offsets := map[record.Partition][]int64{}
	n := 0
	for ; n < len(r.refused) && r.bytes < room; n++ {
		end := r.bytes + m.cfg.MaxBytes
		for _, it := range r.refused[n].w.bundles[0].items {
			if r.bytes >= end {
				break
			}
			if it.lacks() {
				r.asked = append(r.asked, it)
				r.bytes += int(it.dropped)
				offsets[it.part.name] = append(offsets[it.part.name], it.offset)
			}
		}
	}
	r.refused = slices.Concat(r.refused[n:], r.refused[:n]) // what can't be read comes last at the next try
	id := m.id()
	m.recalls[id] = r
	m.do(Recall{ID: id, Offsets: offsets})
}

// recalled goes on with the documents of which something was read, or nothing is left
// to be read. The others are asked for again in a while.
func (m *Machine) recalled(now time.Time, in Recalled) {
	r := m.recalls[in.Recall]
	delete(m.recalls, in.Recall)
	m.restore(r.asked, in)
	waiting := r.refused
	r.refused, r.asked = nil, nil
	for _, refused := range waiting {
		w := refused.w
		items := w.bundles[0].items
		if w.bundles[0].lacks() && !slices.ContainsFunc(items, func(it *item) bool { return it.contents != nil }) {
			r.refused = append(r.refused, refused)
			continue
		}
		w.delayed = false
		m.refuse(w, w.next(), refused.out)
		r.lane.enqueue(w)
		r.lane.forget(w)
	}
	if len(r.refused) == 0 {
		return
	}
	if len(r.refused) < len(waiting) {
		r.try = 0
	}
	m.timers.add(now.Add(m.backoff(r.try)), func() { m.ask(r) })
	r.try++
}

// restore gives items their contents back. One whose record is no more, or another
// one, can be neither tried nor buried: it is abandoned at once, its offset stays
// uncommitted, and its partition stops there, loudly, as one does whose next record is
// lost.
func (m *Machine) restore(items []*item, in Recalled) {
	found := make(map[place]*contents, len(in.Records))
	for i := range in.Records {
		c := newContents(&in.Records[i])
		c.decoded(&in.Results[i])
		c.reread = true
		found[place{c.record.Partition, c.record.Offset}] = c
	}
	for _, it := range items {
		c := found[place{it.part.name, it.offset}]
		switch {
		case it.ended:
		case c != nil && c.change.Digest == it.digest:
			it.contents = c
			it.part.reread += c.size
			it.weigh(0)
		case c != nil || !slices.Contains(in.Unread, it.part.name):
			m.close(it, Abandoned, "")
			if it.part.stuck == "" {
				it.part.stuck = fmt.Sprintf("offset %d is no longer in the log, and OpenSearch refuses what it said", it.offset)
				m.pauseOrResume(it.part)
			}
		}
	}
}

// Recall reads records again and decodes them.
func (j Jobs) Recall(ctx context.Context, e Recall) Recalled {
	records, unread := j.Reread.Fetch(ctx, e.Offsets)
	results := make([]Preparation, len(records))
	for i := range records {
		results[i].Event, results[i].Change, results[i].Rejection = j.Decoder.Decode(&records[i])
	}
	return Recalled{Recall: e.ID, Records: records, Results: results, Unread: unread}
}
