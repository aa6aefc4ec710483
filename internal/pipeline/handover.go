package pipeline

import (
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

// handover is partitions on their way out: drained, committed, let go. The drain may
// take four fifths of Config.Shutdown, and the commit half of what is left then: with
// the broker away the client would wait for 45 s, and what is not committed is only
// read again.
//
// Brokers refuse a commit while the group is between two generations (classic
// protocol: illegal generation, rebalance in progress; seen with Kafka 4.1). So it is
// tried again.
type handover struct {
	partitions []*partition // none where nothing is handed over
	abandonAt  time.Time    // when what has not ended is left to the next owner
	limit      time.Time    // when Config.Shutdown has passed
	endAt      time.Time    // when the commit is no longer waited for; zero before its first attempt
	retryAt    time.Time    // when the commit may be tried again
	abandoned  int          // records
	committed  bool         // what has ended was given to a commit
}

// commitRetry is the pause before the commit of a handover is tried again.
const commitRetry = 100 * time.Millisecond

// next returns when the handover wants to be looked at, if nothing happens before.
func (h *handover) next(now time.Time) (time.Time, bool) {
	at := h.endAt
	switch {
	case now.Before(h.abandonAt) && h.endAt.IsZero():
		at = h.abandonAt
	case !h.committed && h.retryAt.After(now) && h.retryAt.Before(at):
		at = h.retryAt
	}
	return at, len(h.partitions) > 0 && !at.IsZero()
}

// release begins a handover, or adds to the one under way.
func (m *Machine) release(now time.Time, in Release) {
	h := &m.handover
	if len(h.partitions) == 0 {
		asked := now.Add(-in.Passed)
		*h = handover{abandonAt: asked.Add(m.cfg.Shutdown * 4 / 5), limit: asked.Add(m.cfg.Shutdown)}
	}
	for _, name := range in.Partitions {
		if part := m.parts[name]; part != nil && !part.leaving {
			part.leaving = true
			h.partitions = append(h.partitions, part)
			h.committed, h.endAt = false, time.Time{}
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
	if h.endAt.IsZero() {
		h.endAt = now.Add(h.limit.Sub(now) / 2)
	}
	if !h.committed && !m.committing && !now.Before(h.retryAt) {
		next := map[record.Partition]int64{}
		for _, part := range h.partitions {
			next[part.name] = part.tracker.next
		}
		h.committed, m.committing = true, true
		m.do(Commit{Next: next})
	}
	if now.Before(h.endAt) && (m.committing || !h.committed) {
		return
	}
	for _, part := range h.partitions {
		m.disown(part)
	}
	m.books.rebalances++
	m.do(Released{Abandoned: h.abandoned, Uncommitted: m.committing || !h.committed})
	*h = handover{}
}

// refused lets the commit of a handover be tried again in a moment.
func (h *handover) refused(now time.Time) {
	if h.committed {
		h.committed, h.retryAt = false, now.Add(commitRetry)
	}
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
