package simulate

import (
	"slices"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// look asks the brokers whether what is read is still there, as the consumer does
// now and then.
func (m *member) look() {
	if m.busy || m.process.stopping || !slices.Contains(m.world.group.members, m) {
		return
	}
	if !m.retire() {
		m.examine()
	}
}

// remade reports whether a topic's id is another than what was read under its name.
func (m *member) remade(topic, id string) bool {
	return m.topics[topic] != "" && m.topics[topic] != id
}

// retire gives everything up where a topic was made again, and joins anew.
func (m *member) retire() bool {
	remade := func(p record.Partition) bool { return m.remade(p.Topic, m.world.log.id(p.Topic)) }
	if !slices.ContainsFunc(m.world.log.names, remade) {
		return false
	}
	var lost, rest []record.Partition
	for _, p := range sortedPartitions(m.owned) {
		if remade(p) {
			lost = append(lost, p)
		} else {
			rest = append(rest, p)
		}
	}
	m.world.say(m.name, "a topic was made again")
	m.giveUp(lost, stream.Lost, func() {
		m.giveUp(rest, stream.Revoked, func() {
			m.world.group.remove(m, "joins anew")
			m.joinAgain()
		})
	})
	return true
}

// examine finds partitions whose next offset the log has lost. One of which nothing
// was read begins again; the others have failed.
func (m *member) examine() {
	var failed []stream.Start
	var unread []record.Partition
	for _, p := range sortedPartitions(m.owned) {
		c := m.owned[p]
		switch {
		case !c.reading || c.problem != nil || c.position >= m.world.log.low[p]:
		case c.position == c.begun:
			unread = append(unread, p)
		default:
			at := m.world.group.place(p)
			at.Committed, at.CommittedID = c.position, c.topicID
			from, _ := stream.StartAt(p, at, "workers")
			c.problem = from.Problem
			failed = append(failed, stream.Start{Partition: p, Offset: c.position, Problem: from.Problem})
		}
	}
	if len(failed) > 0 {
		m.tell(stream.Failed, failed, func() {})
		return
	}
	if len(unread) == 0 {
		return
	}
	m.giveUp(unread, stream.Lost, func() {
		var claims []*claim
		for _, p := range unread {
			if m.world.group.owner[p] == m {
				c := &claim{part: p}
				m.owned[p] = c
				claims = append(claims, c)
			}
		}
		m.lookUp(claims)
	})
}
