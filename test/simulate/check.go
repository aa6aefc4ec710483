package simulate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// violation is a promise that was broken. It is thrown, since it may be found
// anywhere, and caught by Run.
type violation struct{ what string }

// checks holds what must be true at every step.
type checks struct {
	world   *world
	decoder *handlers.Mux
	seen    map[string]int
	passed  map[record.Partition]int // entries below the committed offset, found settled
	// gone holds records that were in an index that is no more, since the last
	// reset of the group: they may be committed, as nobody can do better.
	gone map[*entry]bool
}

func newChecks(w *world) *checks {
	return &checks{
		world: w, decoder: handlers.NewMux(""), seen: map[string]int{},
		passed: map[record.Partition]int{}, gone: map[*entry]bool{},
	}
}

func (c *checks) count(what string) { c.seen[what]++ }

func (c *checks) fail(format string, args ...any) { panic(violation{fmt.Sprintf(format, args...)}) }

// committing checks that everything below a committed offset is settled, and that
// the offset never goes back. An offset of a topic that is no more is of no meaning.
func (c *checks) committing(m *member, part record.Partition, before, next commitment) {
	w := c.world
	w.say(m.name, "commits %s at %d of %s", part, next.offset, next.topicID)
	if next.topicID != w.log.id(part.Topic) {
		return
	}
	if next.topicID == before.topicID && next.offset < before.offset {
		c.fail("%s commits %s backwards, from %d to %d", m.name, part, before.offset, next.offset)
	}
	entries := w.log.parts[part]
	for c.passed[part] < len(entries) {
		e := entries[c.passed[part]]
		if e.record.Offset >= next.offset {
			break
		}
		if !c.settled(e) {
			c.fail("%s committed %s at %d, but offset %d is not settled: %s", m.name, part, next.offset, e.record.Offset, e)
		}
		c.passed[part]++
	}
	if next.offset > w.log.end(part) {
		c.fail("%s committed %s at %d, behind its end", m.name, part, next.offset)
	}
}

// excuse forgives the loss of what retention has cut off, where an operator has
// decided so, or the group never came to read it.
func (c *checks) excuse(part record.Partition) {
	for _, e := range c.world.log.parts[part] {
		if e.cut {
			c.gone[e] = true
		}
	}
}

// reading checks that a partition which the worker says is paused is not read.
func (c *checks) reading(m *member, claim *claim) {
	for _, s := range m.process.seen.Partitions {
		if s.Partition == claim.part && claim.reading && s.Paused != "" && !claim.paused && !m.process.loop.HandingOver() {
			c.fail("%s reads %s, which is paused: %s", m.name, claim.part, s.Paused)
		}
	}
}

// settled reports whether the effect of a record is in the index, or its letter in
// the topic.
func (c *checks) settled(e *entry) bool {
	if c.world.letters.count[e] > 0 || c.gone[e] {
		return true
	}
	at := c.world.cluster.indices[e.entity]
	return e.nature != broken && (c.inIndex(e, at) || at != nil && c.inIndex(e, at.before))
}

// inIndex reports whether joining the event into what is stored changes nothing.
func (c *checks) inIndex(e *entry, at *physical) bool {
	if at == nil {
		return false
	}
	_, change, rejection := c.decoder.Decode(&e.record)
	if rejection != nil {
		c.fail("a good event is rejected: %s: %s", e, rejection.Error())
	}
	stored := at.docs[e.id]
	return document.Equal(document.Join(stored, change.State.Unpack()), stored)
}

// indicesGo notes what is in indices that are about to be deleted.
func (c *checks) indicesGo(entities []string) {
	for _, part := range c.world.log.names {
		for _, e := range c.world.log.parts[part] {
			if e.nature != broken && slices.Contains(entities, e.entity) && c.inIndex(e, c.world.cluster.indices[e.entity]) {
				c.gone[e] = true
			}
		}
	}
}

// reset forgets what was settled before the group was sent back to the beginning.
func (c *checks) reset() {
	clear(c.passed)
	clear(c.gone)
}

// machine checks a worker's books, and that its memory is bounded.
func (c *checks) machine(p *process) {
	s := p.seen
	consumed, ended, held := 0, 0, 0
	for _, n := range s.Consumed {
		consumed += int(n)
	}
	for _, o := range s.Outcomes {
		ended += int(o.Count)
	}
	for _, part := range s.Partitions {
		held += part.InFlight
	}
	if consumed != ended+s.InFlight || s.InFlight < 0 {
		c.fail("%s: books out of balance: consumed %d, ended %d, in flight %d", p.name, consumed, ended, s.InFlight)
	}
	if held != s.InFlight {
		c.fail("%s: %d records in flight, but its partitions hold %d: a partition left with records", p.name, s.InFlight, held)
	}
	const chunk = 256 << 10 // the largest that a member hands over, generously
	if s.Bytes < 0 || s.Bytes > p.cfg.Memory()+chunk {
		c.fail("%s: %d bytes in flight, bound %d", p.name, s.Bytes, p.cfg.Memory())
	}
}

// rebalanced checks that a worker forgets at once what it has lost.
func (c *checks) rebalanced(p *process, r stream.Rebalance) {
	if r.Kind != stream.Lost {
		return
	}
	for _, lost := range r.Partitions {
		for _, s := range p.seen.Partitions {
			if s.Partition == lost.Partition {
				c.fail("%s holds on to %s, which it has lost", p.name, s.Partition)
			}
		}
	}
}

// write checks that no document is in two requests of one worker at a time.
func (c *checks) write(p *process, actions []index.Action) {
	p.world.say(p.name, "writes %d documents", len(actions))
	if len(p.writes) >= p.cfg.Concurrency {
		c.fail("%s: %d requests under way", p.name, len(p.writes)+1)
	}
	busy := map[document.Key]bool{}
	for _, other := range p.writes {
		for i := range other {
			busy[other[i].Key] = true
		}
	}
	for i := range actions {
		if busy[actions[i].Key] {
			c.fail("%s: two writes of %s under way", p.name, actions[i].Key)
		}
		busy[actions[i].Key] = true
	}
	p.writes = append(p.writes, actions)
}

// handedOver checks that a handover takes no longer than it may.
func (c *checks) handedOver(p *process, e pipeline.Released) {
	c.count("handovers")
	if e.Uncommitted {
		c.count("handovers without a commit")
	}
	if took := p.world.now - p.handover.began; !p.handover.frozen && took > p.cfg.Shutdown {
		c.fail("%s: the handover took %s", p.name, took)
	}
}

// letter checks that only bad records become letters.
func (c *checks) letter(e *entry, l pipeline.Letter) {
	c.world.say("letters", "%s@%d: %s", l.Record.Partition, l.Record.Offset, l.Reason)
	c.count("letter " + l.Reason)
	if e.nature == good && !c.world.cluster.wasWrong[e.entity] {
		c.fail("a good event became a letter (%s: %s): %s", l.Reason, l.Error, e)
	}
}

// drained reports whether all is published and committed, and nothing is under way.
func (c *checks) drained() bool {
	w := c.world
	if w.log.left > 0 || w.faults.closedDoor || w.faults.atWork {
		return false
	}
	for _, part := range w.log.names {
		if w.group.start(part).Offset != w.log.end(part) {
			return false
		}
	}
	return !slices.ContainsFunc(w.slots, func(s *slot) bool {
		return s.running == nil || s.running.stopping || s.running.seen.InFlight > 0
	})
}

func (c *checks) notDrained() {
	w := c.world
	what := ""
	for _, part := range w.log.names {
		if from := w.group.start(part); from.Offset != w.log.end(part) {
			what += fmt.Sprintf(" %s starts at %d of %d (%v);", part, from.Offset, w.log.end(part), from.Problem)
		}
	}
	for _, s := range w.slots {
		if s.running != nil {
			what += fmt.Sprintf(" %s: %+v;", s.running.name, s.running.seen)
		}
	}
	c.fail("not drained %s after the last fault:%s", drainLimit, what)
}

// end compares letters and documents with what must have come of the events.
func (c *checks) end() {
	w := c.world
	documents := map[string][]*entry{}
	for _, part := range w.log.names {
		for _, e := range w.log.parts[part] {
			if e.nature == broken && w.letters.count[e] == 0 && !e.cut {
				c.fail("no letter of %s@%d: %s", part, e.record.Offset, e)
			}
			if e.nature != broken {
				documents[e.entity+"/"+e.id] = append(documents[e.entity+"/"+e.id], e)
			}
		}
	}
	known := 0
	for _, key := range sorted(documents) {
		history := documents[key]
		stored, there := w.cluster.indices[history[0].entity].docs[history[0].id]
		if there {
			known++
		}
		if diff := compare(history, stored); diff != "" {
			c.fail("%s: %s", key, diff)
		}
	}
	for _, at := range maps.All(w.cluster.indices) {
		known -= len(at.docs)
	}
	if known != 0 {
		c.fail("%d documents in the indices that nobody published", -known)
	}
}
