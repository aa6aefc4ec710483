package pipeline

import (
	"time"

	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/index"
)

// written ends or sends back what was in one bulk request.
func (m *Machine) written(now time.Time, in Written) {
	l, batch := m.writes[in.Write].lane, m.writes[in.Write].batch
	delete(m.writes, in.Write)
	l.writes--
	l.guard.watch(m.cfg.Guard, in.Outcomes)
	m.judge(now, l, in.Outcomes)
	marks := make([]dedup.Entry, 0, len(batch))
	again := &recall{lane: l}
	for i, w := range batch {
		b := w.sent()
		for _, it := range b.items {
			if it.contents != nil {
				it.contents.write = in.Write
			}
		}
		out := in.Outcomes[i]
		switch out.Result {
		case index.Written:
			marks = m.settle(w, b, out, Indexed, marks)
		case index.Deleted:
			marks = m.settle(w, b, out, Deleted, marks)
		case index.Stale:
			marks = m.settle(w, b, out, Stale, marks)
		case index.Rejected:
			w.retries = 0
			if b.lacks() {
				again.setAside(w, b, out)
			} else {
				m.refuse(w, b, out)
			}
		case index.Retry:
			m.retry(now, l, w, b, out)
		}
		l.enqueue(w)
		l.forget(w)
	}
	if len(again.refused) > 0 {
		m.ask(again)
	}
	if len(marks) > 0 {
		m.do(Mark{Marks: marks})
	}
}

// settle ends every event of a bundle as its write did.
func (m *Machine) settle(w *waiting, b bundle, out Outcome, result Result, marks []dedup.Entry) []dedup.Entry {
	w.retries = 0
	// By its first event, as the queue is in that order: the last may have joined a
	// moment ago, and has overtaken nobody.
	if began := b.items[0].arrived(); began.After(m.newestEnd) {
		m.newestEnd = began
	}
	for _, it := range b.items {
		if out.Space != "" {
			marks = append(marks, dedup.Entry{Space: out.Space, Digest: it.digest, Time: it.time})
		}
		if !it.ended {
			m.end(it, result, "")
		}
	}
	return marks
}

// retry lets a bundle wait again. Where OpenSearch took something else of the same
// request, the trouble is the document's own and it alone is delayed; where it
// took nothing, the hold on all requests is delay enough.
func (m *Machine) retry(now time.Time, l *lane, w *waiting, b bundle, out Outcome) {
	m.books.retries[out.Reason]++
	w.putBack(b)
	if l.failures > 0 {
		return
	}
	w.delayed = true
	m.timers.add(now.Add(m.backoff(w.retries)), func() {
		w.delayed = false
		l.enqueue(w)
		l.forget(w)
	})
	w.retries++
}

// bury sends a record to the dead letters; it ends when the broker has it.
func (m *Machine) bury(it *item, reason, words string) {
	letter := Letter{Record: &it.contents.record, Event: it.contents.event, Reason: reason, Error: words}
	m.sendLetter(&flight{item: it, letter: letter})
}

func (m *Machine) sendLetter(f *flight) {
	if f.item.ended {
		return
	}
	id := m.id()
	m.letters[id] = f
	m.do(SendLetter{ID: id, Letter: f.letter})
}

// flight is one dead letter on its way.
type flight struct {
	item    *item
	letter  Letter
	retries int
}

// delivered ends a record whose letter the broker has. One that the broker
// refuses is tried again, and its partition alone waits.
func (m *Machine) delivered(now time.Time, in Delivered) {
	f := m.letters[in.Letter]
	delete(m.letters, in.Letter)
	it := f.item
	if it.ended {
		return
	}
	if in.Err == nil {
		if f.retries > 0 {
			it.part.refused--
		}
		m.end(it, Dead, f.letter.Reason)
		m.pauseOrResume(it.part)
		return
	}
	if f.retries == 0 {
		it.part.refused++
	}
	it.part.refusal = in.Err.Error()
	m.pauseOrResume(it.part)
	m.timers.add(now.Add(m.backoff(f.retries)), func() { m.sendLetter(f) })
	f.retries++
}
