package simulate

import (
	"maps"
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// notice is a change of ownership on its way to the member.
type notice struct {
	kind   stream.Kind
	parts  []record.Partition
	claims []*claim // of Assigned: the ownerships whose start was looked up
	stay   int      // the member's stay in the group that it is about
}

// claim is one ownership of one partition, as the member sees it.
type claim struct {
	part     record.Partition
	topicID  string
	begun    int64
	position int64 // next offset to fetch
	settled  int64 // last given to store
	problem  error // why it may not be read
	reading  bool  // its start was told to the worker
	paused   bool
}

// member is one consumer as internal/stream makes it: of a partition, Assigned
// comes before its first record, and no record comes after Revoked or Lost.
type member struct {
	world   *world
	process *process
	name    string
	epoch   int // of its share, as the coordinator counts
	stay    int // counts how often it joined
	owned   map[record.Partition]*claim
	stored  map[record.Partition]commitment // for the next commit
	notices []notice
	busy    bool // polling stands still until the worker calls done
	chunk   []record.Record
	topics  map[string]string // ids of what was read, by name
}

func newMember(p *process) *member {
	return &member{
		world: p.world, process: p, name: p.name,
		owned: map[record.Partition]*claim{}, stored: map[record.Partition]commitment{}, topics: map[string]string{},
	}
}

// run joins and polls for as long as the process lives.
func (m *member) run() {
	m.world.group.join(m)
	m.world.every(40*time.Millisecond, func() bool {
		if m.process.alive && !m.process.frozen {
			m.poll()
		}
		return m.process.alive
	})
	m.world.every(3*time.Second, func() bool {
		m.process.awake(m.look)
		return m.process.alive
	})
}

func (m *member) tellRevoked(parts []record.Partition) {
	m.later(notice{kind: stream.Revoked, parts: parts})
}

// tellAssigned begins ownerships. Where they start is looked up first; the worker
// hears of them after that.
func (m *member) tellAssigned(parts []record.Partition) {
	m.world.after(m.world.upTo(50*time.Millisecond), func() {
		m.process.awake(func() {
			var claims []*claim
			for _, p := range parts {
				if m.world.group.owner[p] == m && m.owned[p] == nil {
					c := &claim{part: p}
					m.owned[p] = c
					claims = append(claims, c)
				}
			}
			m.world.after(m.world.upTo(50*time.Millisecond), func() { m.lookUp(claims) })
		})
	})
}

// lookUp reads the committed offsets of partitions that are still ours.
func (m *member) lookUp(claims []*claim) {
	for _, c := range claims {
		from := m.world.group.start(c.part)
		c.topicID, c.problem = m.world.log.id(c.part.Topic), from.Problem
		c.begun, c.position, c.settled = from.Offset, from.Offset, from.Offset
		if at := m.world.group.place(c.part); at.Committed < 0 || at.CommittedID != at.TopicID {
			m.world.checks.excuse(c.part) // from the earliest, which is not the first any more
		}
	}
	m.later(notice{kind: stream.Assigned, claims: claims})
}

// thrownOut is how a living member hears that it was removed.
func (m *member) thrownOut() {
	m.later(notice{kind: stream.Lost})
}

func (m *member) later(n notice) {
	n.stay = m.stay
	m.world.after(m.world.upTo(100*time.Millisecond), func() {
		m.process.awake(func() { m.notices = append(m.notices, n) })
	})
}

// poll is one turn of the polling goroutine.
func (m *member) poll() {
	switch {
	case m.busy:
	case len(m.notices) > 0:
		n := m.notices[0]
		m.notices = m.notices[1:]
		if n.stay == m.stay {
			m.handle(n)
		}
	case len(m.chunk) == 0:
		m.fetch()
		m.handOver()
	default:
		m.handOver()
	}
}

func (m *member) handle(n notice) {
	switch n.kind {
	case stream.Assigned:
		m.begin(n.claims)
	case stream.Revoked:
		m.giveUp(n.parts, stream.Revoked, func() { m.world.group.released(m, n.parts) })
	case stream.Lost:
		m.giveUp(slices.Collect(maps.Keys(m.owned)), stream.Lost, m.joinAgain)
	case stream.Failed: // is told by look
	}
}

// begin tells the worker of ownerships that still stand.
func (m *member) begin(claims []*claim) {
	var starts []stream.Start
	if slices.ContainsFunc(claims, func(c *claim) bool { return m.remade(c.part.Topic, c.topicID) }) {
		m.retire()
		return
	}
	for _, c := range claims {
		if m.owned[c.part] == c {
			c.reading = true
			m.topics[c.part.Topic] = c.topicID
			starts = append(starts, stream.Start{Partition: c.part, Offset: c.position, Problem: c.problem})
		}
	}
	if len(starts) > 0 {
		m.tell(stream.Assigned, starts, func() {})
	}
}

// giveUp lets partitions go once the worker is done with them, and goes on then.
func (m *member) giveUp(parts []record.Partition, why stream.Kind, then func()) {
	var starts []stream.Start
	gone := map[record.Partition]bool{}
	for _, p := range sortedPartitions(set(parts)) {
		c := m.owned[p]
		if c == nil {
			continue
		}
		gone[p] = true
		if c.reading {
			starts = append(starts, stream.Start{Partition: p})
		}
		if why == stream.Lost { // before the worker is told: nothing it stores may count
			delete(m.owned, p)
			delete(m.stored, p)
		}
	}
	m.chunk = slices.DeleteFunc(m.chunk, func(r record.Record) bool { return gone[r.Partition] })
	done := func() {
		for _, p := range parts {
			delete(m.owned, p)
			delete(m.stored, p)
		}
		then()
	}
	if len(starts) == 0 {
		done()
		return
	}
	m.tell(why, starts, done)
}

// joinAgain is a new membership, which owns nothing yet.
func (m *member) joinAgain() {
	m.stay++
	clear(m.owned)
	clear(m.stored)
	clear(m.topics)
	m.world.group.join(m)
}

// tell hands a change of ownership to the worker; polling stands still until it is
// taken and, where that counts, done.
func (m *member) tell(why stream.Kind, starts []stream.Start, done func()) {
	m.busy = true
	m.process.rebalance(stream.Rebalance{Kind: why, Partitions: starts, Done: func() { m.busy = false; done() }})
}

// fetch collects a chunk of what is next in a few partitions.
func (m *member) fetch() {
	parts := sortedPartitions(m.owned)
	for _, i := range m.world.rand.Perm(len(parts)) {
		c := m.owned[parts[i]]
		m.world.checks.reading(m, c)
		if !c.reading || c.paused || c.problem != nil || m.world.chance(3) {
			continue
		}
		if c.topicID != m.world.log.id(c.part.Topic) || c.position < m.world.log.low[c.part] {
			continue // refused; look finds out why
		}
		for _, e := range m.world.log.from(c.part, c.position, 1+m.world.rand.IntN(8)) {
			c.position = e.record.Offset + 1
			m.chunk = append(m.chunk, e.record)
		}
	}
}

func (m *member) handOver() {
	if len(m.chunk) > 0 && m.process.receive(m.chunk) {
		m.chunk = nil
	}
}

// store keeps offsets of partitions that are ours, for the next commit.
func (m *member) store(next map[record.Partition]int64) error {
	if m.world.faults.hits(m.world.faults.StoreFails) {
		return errBroker
	}
	for p, offset := range next {
		if c := m.owned[p]; c != nil && c.reading && c.settled <= offset && offset <= c.position {
			c.settled = offset
			m.stored[p] = commitment{offset, c.topicID}
		}
	}
	return nil
}

// commit sends what is stored. It may take long, fail, or succeed and seem to fail.
func (m *member) commit(answer func(error)) {
	w := m.world
	next, epoch := maps.Clone(m.stored), m.epoch
	if len(next) == 0 { // nothing stored is no error
		answer(nil)
		return
	}
	there, back := w.faults.delay(commitCall), w.faults.delay(commitCall)
	fails, liar := w.faults.hits(w.faults.CommitFails), w.faults.hits(w.faults.CommitLies)
	w.after(there, func() {
		err := errBroker
		if !fails {
			err = w.group.commit(m, epoch, next)
		}
		if err == nil && liar {
			err = errBroker
		}
		if err != nil {
			w.checks.count("commit failures")
		}
		w.after(back, func() { m.process.awake(func() { answer(err) }) })
	})
}

func set(parts []record.Partition) map[record.Partition]bool {
	s := map[record.Partition]bool{}
	for _, p := range parts {
		s[p] = true
	}
	return s
}
