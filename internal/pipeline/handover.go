package pipeline

import (
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

// handover is partitions on their way out: drained, committed, let go. It takes no
// longer than Config.Shutdown, of which a fifth is kept for the commit: with the
// broker away the client would wait for 45 s, and what is not committed is only
// read again.
type handover struct {
	partitions []*partition // none where nothing is handed over
	abandonAt  time.Time    // when what has not ended is left to the next owner
	endAt      time.Time    // when the commit is no longer waited for
	abandoned  int          // records
	committed  bool         // what has ended was given to a commit
}

// next returns when the handover wants to be looked at, if nothing happens before.
func (h *handover) next(now time.Time) (time.Time, bool) {
	if now.Before(h.abandonAt) {
		return h.abandonAt, len(h.partitions) > 0
	}
	return h.endAt, len(h.partitions) > 0
}

// release begins a handover, or adds to the one under way.
func (m *Machine) release(now time.Time, in Release) {
	h := &m.handover
	if len(h.partitions) == 0 {
		*h = handover{abandonAt: now.Add(m.cfg.Shutdown * 4 / 5), endAt: now.Add(m.cfg.Shutdown)}
	}
	for _, name := range in.Partitions {
		if part := m.parts[name]; part != nil && !part.leaving {
			part.leaving = true
			h.partitions = append(h.partitions, part)
			h.committed = false
		}
	}
	if len(h.partitions) == 0 { // nothing of ours: the answer is due all the same
		m.do(Released{})
	}
}

// handOver takes the handover one step on, where it can be.
func (m *Machine) handOver(now time.Time) {
	h := &m.handover
	if len(h.partitions) == 0 {
		return
	}
	if !now.Before(h.abandonAt) {
		for _, part := range h.partitions {
			h.abandoned += part.flying
			m.abandon(part)
		}
	}
	if slices.ContainsFunc(h.partitions, func(p *partition) bool { return p.flying > 0 }) {
		return
	}
	if !h.committed && !m.committing {
		next := map[record.Partition]int64{}
		for _, part := range h.partitions {
			next[part.name] = part.tracker.next
		}
		h.committed, m.committing = true, true
		m.do(Commit{Next: next})
	}
	if m.committing && now.Before(h.endAt) {
		return
	}
	for _, part := range h.partitions {
		m.disown(part)
	}
	m.books.rebalances++
	m.do(Released{Abandoned: h.abandoned, Uncommitted: m.committing})
	*h = handover{}
}

// leave takes a partition that is lost out of the handover.
func (m *Machine) leave(part *partition) {
	h := &m.handover
	was := len(h.partitions)
	h.partitions = without(h.partitions, part)
	if was > 0 && len(h.partitions) == 0 {
		m.do(Released{Abandoned: h.abandoned})
	}
}
