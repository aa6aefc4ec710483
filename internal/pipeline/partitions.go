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
	bytes   int  // of these
	leaving bool // being drained

	stuck   string // why an operator must act before it is read
	refused int    // letters that the broker does not take
	refusal string // what it says of the last one
	slow    bool   // holds too much for too long
	paused  string // why it is paused now; empty while it is read
}

func (p *partition) begin(it *item) {
	it.number = p.tracker.begin(it)
	p.flying++
	p.bytes += it.record.Size()
}

func (m *Machine) assign(in Assign) {
	for _, s := range in.Partitions {
		part := &partition{name: s.Partition, tracker: newTracker(s.Offset), stuck: s.Stuck}
		m.parts[s.Partition] = part
		m.owned = append(m.owned, part)
		m.pauseOrResume(part)
	}
	m.books.rebalances++
}

func (m *Machine) release(in Release) {
	for _, name := range in.Partitions {
		if part := m.parts[name]; part != nil && !part.leaving {
			part.leaving = true
			m.releasing = append(m.releasing, part)
		}
	}
	if len(m.releasing) == 0 { // nothing of ours: the answer is due all the same
		m.do(Released{})
	}
}

// finishRelease answers Release once all of its partitions are drained.
func (m *Machine) finishRelease() {
	if len(m.releasing) == 0 || slices.ContainsFunc(m.releasing, func(p *partition) bool { return p.flying > 0 }) {
		return
	}
	next := map[record.Partition]int64{}
	for _, part := range m.releasing {
		next[part.name] = part.tracker.next
		m.disown(part)
	}
	m.releasing = nil
	m.books.rebalances++
	m.do(Released{Next: next, Abandoned: m.abandoned})
	m.abandoned = 0
}

func (m *Machine) abandonReleasing() {
	before := m.books.inFlight
	for _, part := range m.releasing {
		m.abandon(part)
	}
	m.abandoned = before - m.books.inFlight
}

func (m *Machine) lose(in Lose) {
	draining := len(m.releasing) > 0
	for _, name := range in.Partitions {
		if part := m.parts[name]; part != nil {
			m.abandon(part)
			m.disown(part)
			m.releasing = without(m.releasing, part)
		}
	}
	if draining && len(m.releasing) == 0 {
		m.do(Released{})
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
		if !s.ended && !s.item.ended {
			m.close(s.item, Abandoned, "")
		}
	}
}

// end settles an item: its offset counts from now on.
func (m *Machine) end(it *item, result Result, reason string) {
	it.part.tracker.end(it.number)
	m.close(it, result, reason)
}

// close takes an item off the books.
func (m *Machine) close(it *item, result Result, reason string) {
	it.ended = true
	size := it.record.Size()
	it.part.flying--
	it.part.bytes -= size
	m.bytes -= size
	m.books.inFlight--
	m.books.outcomes[outcomeKey{it.event.Entity, result}]++
	if result == Dead {
		m.books.dead[reason]++
	}
	order := it.change.State.Seen
	if order.IsZero() {
		order = it.change.State.Floor
	}
	m.observe(Ending{
		Record: it.record, Event: it.event, Time: order.Time, Result: result, Reason: reason,
	})
}

// checkStuck pauses partitions that hold more than their share of the memory for
// long, so that they don't hold up the others, and resumes them later.
func (m *Machine) checkStuck(now time.Time) {
	if now.Sub(m.lastCheck) < checkEvery || len(m.parts) == 0 {
		return
	}
	m.lastCheck = now
	share := m.cfg.budget() / (2 * len(m.parts))
	for _, part := range m.owned {
		old := part.tracker.oldest()
		switch {
		case !part.slow && part.bytes > share && old != nil && now.Sub(old.received) > stuckAfter:
			part.slow = true
		case part.slow && part.bytes <= share/2:
			part.slow = false
		}
		m.pauseOrResume(part)
	}
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
		why = "its records wait for too long"
	}
	was := part.paused
	part.paused = why
	switch {
	case was == "" && why != "":
		m.do(Pause{Partition: part.name, Why: why})
	case was != "" && why == "":
		m.do(Resume{Partition: part.name})
	}
}
