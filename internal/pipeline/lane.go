package pipeline

import (
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// lane is the documents of one entity on their way to its index, and how that index
// stands. Each bulk request is of one lane, so trouble of one index holds up no
// other.
type lane struct {
	documents
	entity document.Entity
	writes int // bulk requests under way

	guard     guard
	failures  int   // bulk requests in a row that came back without one document taken
	stalled   fault // of the last of these; of none where OpenSearch takes documents
	stalledAt time.Time
	told      fault // what the outside was told of, once it had lasted
	holdUntil time.Time
}

// fault is why OpenSearch took nothing of a request.
type fault struct{ reason, words string }

// write is one bulk request under way.
type write struct {
	lane  *lane
	batch []*waiting
}

// lane returns the lane of an entity.
func (m *Machine) lane(entity document.Entity) *lane {
	for _, l := range m.lanes {
		if l.entity == entity {
			return l
		}
	}
	l := &lane{entity: entity, documents: newDocuments()}
	m.lanes = append(m.lanes, l)
	return l
}

// open returns when the lane may send its next request: not while it holds back,
// and one request at a time where OpenSearch took nothing of the last one.
func (l *lane) open() (at time.Time, ok bool) {
	since, waits := l.oldest()
	if !waits || l.failures > 0 && l.writes > 0 {
		return time.Time{}, false
	}
	if since.Before(l.holdUntil) {
		return l.holdUntil, true
	}
	return since, true
}

// takesNothing reports whether the lane's index has taken nothing of what waits for a
// while. Where nothing waits any more nobody tries, so nobody knows.
func (l *lane) takesNothing(now time.Time) bool {
	return l.failures > 0 && len(l.table) > 0 && now.Sub(l.stalledAt) > checkEvery
}

// dueAt returns when the lane's next request is to be sent: at once where it is
// full by count or bytes or somebody waits for the drain, else when its oldest
// document has waited long enough.
func (m *Machine) dueAt(l *lane) (at time.Time, ok bool) {
	at, ok = l.open()
	if !ok {
		return at, false
	}
	full := len(l.queue) >= m.cfg.MaxEvents || l.bytes >= m.cfg.MaxBytes || len(m.handover.partitions) > 0
	if since, _ := l.oldest(); !full && at.Before(since.Add(m.cfg.MaxWait)) {
		at = since.Add(m.cfg.MaxWait)
	}
	return at, true
}

// nextLane returns the lane that has been due for longest, and since when.
func (m *Machine) nextLane() (next *lane, due time.Time) {
	for _, l := range m.lanes {
		if at, ok := m.dueAt(l); ok && (next == nil || at.Before(due)) {
			next, due = l, at
		}
	}
	return next, due
}

// pump sends bulk requests while one is due and a slot is free.
func (m *Machine) pump(now time.Time) {
	for len(m.writes) < m.cfg.Concurrency {
		l, due := m.nextLane()
		if l == nil || due.After(now) {
			return
		}
		batch := l.take(m.cfg.MaxEvents, m.cfg.MaxBytes)
		if len(batch) == 0 { // all of it was abandoned
			continue
		}
		id := m.id()
		l.writes++
		m.writes[id] = write{l, batch}
		m.do(Write{ID: id, OpaqueID: opaqueID(id, batch), Actions: actions(l.entity, batch)})
	}
}

// judge tells trouble of an index as a whole (nothing of a request was taken) from
// trouble of single documents, and holds the lane's further requests back. A
// conflict is no trouble: another worker was at the same document.
func (m *Machine) judge(now time.Time, l *lane, outcomes []Outcome) {
	why, taken := fault{}, false
	for _, out := range outcomes {
		if l.guard.tripped && out.Reason == ReasonFlood {
			why, taken = fault{out.Reason, out.Words}, false
			break
		}
		if out.Result != index.Retry || out.Reason == index.ReasonConflict {
			taken = true
			break
		}
		why = fault{out.Reason, out.Words}
	}
	if taken {
		if l.told.reason != "" {
			m.do(Recovered{Entity: l.entity, After: now.Sub(l.stalledAt)})
		}
		l.failures, l.told, l.holdUntil = 0, fault{}, time.Time{}
		return
	}
	if l.failures == 0 {
		l.stalledAt = now
	}
	l.holdUntil = now.Add(m.backoff(l.failures))
	l.failures++
	l.stalled = why
}

// tellStalls says of each lane whose index takes nothing why that is, once for each
// reason. A request that fails among others that are taken is no stall: OpenSearch that
// is overloaded would be called stalled and recovered several times a second.
func (m *Machine) tellStalls(now time.Time) {
	for _, l := range m.lanes {
		if l.takesNothing(now) && l.told.reason != l.stalled.reason {
			l.told = l.stalled
			m.do(Stalled{Entity: l.entity, Reason: l.told.reason, Words: l.told.words})
		}
	}
}
