package pipeline

import (
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// bundle is events of one document that go into one write and end as it does. The
// last of its items weighs what it takes in memory.
type bundle struct {
	state document.Packed
	items []*item
	// joined says that the state is of several events. Those of them that have ended
	// since (abandoned) are in it still, though not among the items: to write what
	// they say is harmless.
	joined bool
	// alone forbids joining: the write of the state was refused, and the event at
	// fault is looked for.
	alone bool
}

// weigh puts the weight of the document on the last item.
func (b *bundle) weigh() {
	extra, last := documentSize, b.items[len(b.items)-1]
	if b.joined || last.contents == nil { // else the state is that of the contents
		extra += len(b.state)
	}
	last.weigh(extra)
}

// join adds what came later.
func (b *bundle) join(next bundle) {
	b.items[len(b.items)-1].weigh(0)
	b.state = b.state.Join(next.state)
	b.items = append(b.items, next.items...)
	b.joined = true
	b.weigh()
}

// waiting is one document with events that are not written yet. At most one
// bundle of a document is under way, so that a worker never conflicts with itself;
// meanwhile later events of the document join the last waiting bundle.
type waiting struct {
	id      string
	bundles []bundle
	sending *bundle
	since   time.Time // when its first waiting event came
	retries int
	delayed bool // waits for its timer after a retry, or for records that are read again
	queued  bool
}

// documents is the table of those documents of an entity that wait to be written, and
// the queue of those that may go now, oldest first.
type documents struct {
	table map[string]*waiting // by id
	queue []*waiting
	bytes int // that the queue takes in requests
}

func newDocuments() documents { return documents{table: map[string]*waiting{}} }

// add joins one event into what waits for its document.
func (d *documents) add(now time.Time, id string, b bundle) {
	w := d.table[id]
	if w == nil {
		w = &waiting{id: id}
		d.table[id] = w
	}
	d.unqueuedBytes(w)
	if last := len(w.bundles) - 1; last >= 0 && !w.bundles[last].alone {
		w.bundles[last].join(b)
	} else {
		if last < 0 {
			w.since = now
		}
		b.weigh()
		w.bundles = append(w.bundles, b)
	}
	d.enqueue(w)
}

// size is about the bytes that the first bundle of w takes in a request.
func (w *waiting) size() int { return w.action("", &w.bundles[0]).Size() }

// action is what writes a bundle of w.
func (w *waiting) action(entity document.Entity, b *bundle) index.Action {
	return index.Action{Key: document.Key{Entity: entity, ID: w.id}, State: b.state}
}

// enqueue puts w at the end of the queue if it may be written now.
func (d *documents) enqueue(w *waiting) {
	if w.sending != nil || w.delayed || len(w.bundles) == 0 {
		return
	}
	if !w.queued {
		w.queued = true
		d.queue = append(d.queue, w)
	}
	d.bytes += w.size()
}

// unqueuedBytes takes w's bytes off the sum before its first bundle changes.
func (d *documents) unqueuedBytes(w *waiting) {
	if w.queued {
		d.bytes -= w.size()
	}
}

// take removes up to maxCount documents of up to maxBytes from the head of the
// queue and marks their first bundle as under way. Events that have ended
// meanwhile (abandoned) are left out.
func (d *documents) take(maxCount, maxBytes int) []*waiting {
	var batch []*waiting
	bytes := 0
	for len(d.queue) > 0 && len(batch) < maxCount {
		w := d.queue[0]
		size := w.size()
		if len(batch) > 0 && bytes+size > maxBytes {
			break
		}
		d.queue[0] = nil
		d.queue = d.queue[1:]
		d.bytes -= size
		w.queued = false
		b := w.next()
		if len(b.items) == 0 {
			d.enqueue(w)
			d.forget(w)
			continue
		}
		w.sending = &b
		bytes += size
		batch = append(batch, w)
	}
	return batch
}

// next takes off the first bundle, without the events that have ended.
func (w *waiting) next() bundle {
	b := w.bundles[0]
	w.bundles[0] = bundle{}
	w.bundles = w.bundles[1:]
	b.items = slices.DeleteFunc(b.items, func(it *item) bool { return it.ended })
	return b
}

// sent takes the bundle under way off w, whose next one may go from now on.
func (w *waiting) sent() bundle {
	b := *w.sending
	w.sending = nil
	return b
}

// putBack lets b wait again, ahead of what came since.
func (w *waiting) putBack(b bundle) {
	if len(w.bundles) > 0 && !b.alone && !w.bundles[0].alone {
		b.join(w.bundles[0])
		w.bundles[0] = b
		return
	}
	w.bundles = slices.Insert(w.bundles, 0, b)
}

// split lets each event of b wait on its own, where its record is in memory. The
// others wait behind these as they are: in the state of all, which is tried again then.
func (w *waiting) split(b bundle) {
	singles := make([]bundle, 0, len(b.items)+len(w.bundles))
	var rest []*item
	for _, it := range b.items {
		switch {
		case it.ended:
		case it.contents == nil:
			rest = append(rest, it)
		default:
			single := bundle{state: it.contents.change.State, items: []*item{it}, alone: true}
			single.weigh()
			singles = append(singles, single)
		}
	}
	if b.items = rest; len(rest) > 0 {
		b.weigh()
		singles = append(singles, b)
	}
	w.bundles = append(singles, w.bundles...)
}

// forget drops w from the table once nothing of it is left.
func (d *documents) forget(w *waiting) {
	if w.sending == nil && len(w.bundles) == 0 {
		delete(d.table, w.id)
	}
}

// oldest returns when the first document in the queue began to wait.
func (d *documents) oldest() (time.Time, bool) {
	if len(d.queue) == 0 {
		return time.Time{}, false
	}
	return d.queue[0].since, true
}

// actions turns a batch of documents of an entity into the actions of a bulk request.
func actions(entity document.Entity, batch []*waiting) []index.Action {
	list := make([]index.Action, len(batch))
	for i, w := range batch {
		list[i] = w.action(entity, w.sending)
	}
	return list
}
