package pipeline

import (
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

// partition is one partition while it is ours. When it is lost or released and
// assigned again, it is a new one: what is under way for the old one no longer
// counts.
type partition struct {
	name    record.Partition
	tracker tracker
	flying  int  // items that have not ended
	bytes   int  // that these keep in memory
	reread  int  // of these, in records that were let go and read again
	leaving bool // being handed over

	stuck   string // why an operator must act before it is read
	refused int    // letters that the broker does not take
	refusal string // what it says of the last one
	slow    bool   // holds too much for too long
	paused  string // why it is paused now; empty while it is read
}

func (p *partition) begin(it *item) {
	it.number = p.tracker.begin(it)
	p.flying++
}

// memory is what the partition keeps in memory, the places of records that have
// ended behind one that has not included.
func (p *partition) memory() int { return p.bytes + len(p.tracker.slots)*slotSize }

func (m *Machine) assign(in Assign) {
	for _, s := range in.Partitions {
		part := &partition{name: s.Partition, tracker: newTracker(s.Offset), stuck: s.Stuck}
		m.parts[s.Partition] = part
		m.owned = append(m.owned, part)
		m.pauseOrResume(part)
	}
	m.books.rebalances++
}

func (m *Machine) lose(in Lose) {
	for _, name := range in.Partitions {
		if part := m.parts[name]; part != nil {
			m.abandon(part)
			m.disown(part)
			m.leave(part)
		}
	}
	m.books.rebalances++
}

func (m *Machine) fail(in Fail) {
	for _, s := range in.Partitions {
		if part := m.parts[s.Partition]; part != nil {
			part.stuck = s.Stuck
			m.pauseOrResume(part)
		}
	}
}

func (m *Machine) hold(in Hold) {
	if in.On {
		m.held[in.Partition] = true
	} else {
		delete(m.held, in.Partition)
	}
	if part := m.parts[in.Partition]; part != nil {
		m.pauseOrResume(part)
	}
}

func (m *Machine) disown(part *partition) {
	delete(m.parts, part.name)
	m.owned = without(m.owned, part)
}

func without(list []*partition, part *partition) []*partition {
	return slices.DeleteFunc(list, func(p *partition) bool { return p == part })
}

// abandon ends all items of a partition without settling them: their offsets
// stay where they are, for the next owner.
func (m *Machine) abandon(part *partition) {
	for _, s := range part.tracker.slots {
		if s.item != nil && !s.item.ended {
			m.close(s.item, Abandoned, "")
		}
	}
}

// end settles an item: its offset counts from now on.
func (m *Machine) end(it *item, result Result, reason string) {
	it.part.tracker.end(it.number)
	m.lastEnd = m.now
	m.close(it, result, reason)
}

// close takes an item off the books.
func (m *Machine) close(it *item, result Result, reason string) {
	it.part.flying--
	it.part.bytes -= int(it.size)
	it.ended, it.size = true, 0
	e := Ending{Time: it.time, Result: result, Reason: reason, Received: it.arrived()}
	if it.lane != nil {
		e.Event.Entity = it.lane.entity
	}
	m.books.inFlight--
	m.books.outcomes[outcomeKey{e.Event.Entity, result}]++
	if result == Dead {
		m.books.dead[reason]++
	}
	if c := it.contents; c != nil {
		if c.reread {
			it.part.reread -= c.size
		}
		e.Record, e.Event, e.Write = &c.record, c.event, c.write
	} else {
		m.place = it.place()
		e.Record = &m.place
	}
	it.contents = nil
	m.observe(e)
}

// checkStuck pauses partitions that hold more than their share of the memory and
// do not move while others could, and resumes them later.
func (m *Machine) checkStuck(now time.Time) {
	// While an index takes nothing, its partitions must not fill one budget after the
	// other between two looks.
	stalled := slices.ContainsFunc(m.lanes, func(l *lane) bool { return l.takesNothing(now) })
	if !stalled && now.Sub(m.lastCheck) < checkEvery || len(m.parts) == 0 {
		return
	}
	m.lastCheck = now
	share := m.cfg.budget() / (2 * len(m.parts))
	for _, part := range m.owned {
		switch held := part.memory(); {
		case !part.slow && held > share && m.isStuck(part):
			part.slow = true
		case part.slow && held <= share/2:
			part.slow = false
		}
		m.pauseOrResume(part)
	}
}

// isStuck tells a partition that holds the others up from one that shares a slow
// index with them: its index takes nothing, or its oldest record was overtaken by
// records that came long after, or nothing at all has been settled for long.
func (m *Machine) isStuck(part *partition) bool {
	old := part.tracker.oldest()
	if old == nil {
		return false
	}
	// By its topic, since the record itself may not have been decoded yet.
	for _, l := range m.lanes {
		if l.entity == m.entities[part.name.Topic] && l.takesNothing(m.now) {
			return true
		}
	}
	still := old.arrived()
	if m.lastEnd.After(still) {
		still = m.lastEnd
	}
	return m.newestEnd.Sub(old.arrived()) > stuckAfter || m.now.Sub(still) > stuckAfter
}

func (m *Machine) pauseOrResume(part *partition) {
	why := part.stuck
	switch {
	case why != "":
	case m.held[part.name]:
		why = "an operator paused it"
	case part.refused > 0:
		why = "the broker refuses a dead letter: " + part.refusal
	case part.slow:
		why = "its records wait for too long; it is read again by itself once they end"
	}
	was := part.paused
	part.paused = why
	switch {
	case why == was:
	case why == "":
		m.do(Resume{Partition: part.name})
	case was == "" || part.stuck != "": // what does not end by itself is told in any case
		m.do(Pause{Partition: part.name, Why: why})
	}
}
