package simulate

import (
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

// hold pauses a partition at an operator's wish, whoever owns it, for a while.
func (p *process) hold() {
	w := p.world
	part := w.log.names[w.rand.IntN(len(w.log.names))]
	w.checks.count("holds")
	w.say("operator", "pauses %s on %s", part, p.name)
	p.take(pipeline.Hold{Partition: part, On: true})
	w.after(w.upTo(8*time.Second), func() {
		p.awake(func() {
			w.say("operator", "resumes %s on %s", part, p.name)
			p.take(pipeline.Hold{Partition: part})
		})
	})
}

// wrongTemplate has the index of an entity refuse every document for a while.
func (f *faults) wrongTemplate() {
	w := f.world
	entity := entities()[w.rand.IntN(2)]
	w.checks.count("wrong templates")
	w.say("operator", "a wrong mapping for %s", entity)
	w.cluster.wrong[entity], w.cluster.wasWrong[entity] = true, true
	w.after(w.upTo(8*time.Second), func() {
		w.say("operator", "the mapping for %s is mended", entity)
		delete(w.cluster.wrong, entity)
	})
}

// override turns the guard off, and starts again the workers that it holds up with
// nothing left to be mended: what is refused is at fault itself.
func (w *world) override() {
	for _, s := range w.slots {
		p := s.running
		switch {
		case p == nil || p.stopping:
			continue
		case slices.ContainsFunc(p.seen.Stalled, func(s pipeline.Stall) bool { return s.Reason == pipeline.ReasonFlood }):
			w.checks.count("guards overridden")
			w.cfg.Guard = 0
		case slices.ContainsFunc(p.seen.Partitions, func(s pipeline.PartitionSnapshot) bool { return refusedAndGone(s.Paused) }):
		default:
			continue
		}
		p.terminate()
		s.restartSoon()
	}
}

// replay indexes the letters of good events, which a wrong mapping made, as
// `indexer dlq replay` does.
func (w *world) replay() {
	for _, key := range sorted(w.log.all) {
		e := w.log.all[key]
		if e.nature != good || w.letters.count[e] == 0 {
			continue
		}
		w.checks.count("letters replayed")
		_, change, _ := w.checks.decoder.Decode(&e.record)
		docs := w.cluster.indices[e.entity].docs
		docs[e.id] = document.Join(docs[e.id], change.State.Unpack())
	}
}

// busy reports whether an operator is at work already.
func (f *faults) busy() bool { return f.closedDoor || f.atWork }

// sendAstray points a write alias at an index that would lose data, and back.
func (f *faults) sendAstray() {
	w := f.world
	if f.busy() {
		return
	}
	f.atWork = true
	entity := entities()[w.rand.IntN(2)]
	w.checks.count("aliases led astray")
	w.cluster.detour[entity] = w.cluster.physical(w.cluster.indices[entity].name + "-lossy")
	w.cluster.detour[entity].loss = "its _source is filtered"
	w.after(w.upTo(6*time.Second), func() {
		w.say("operator", "the alias of %s leads back", entity)
		delete(w.cluster.detour, entity)
		f.atWork = false
	})
}

// rebuild points a write alias at an index that has part of the documents, and
// joins the old one into it a little later.
func (f *faults) rebuild() {
	w := f.world
	if f.busy() {
		return
	}
	f.atWork = true
	entity := entities()[w.rand.IntN(2)]
	w.checks.count("indices rebuilt")
	old := w.cluster.indices[entity]
	next := w.cluster.physical(old.name + "r")
	for _, id := range sorted(old.docs) {
		if !w.chance(3) {
			next.docs[id] = old.docs[id]
		}
	}
	next.before = old
	w.cluster.indices[entity] = next
	w.after(w.upTo(5*time.Second), func() {
		w.say("operator", "%s has caught up", next.name)
		for _, id := range sorted(old.docs) {
			next.docs[id] = document.Join(next.docs[id], old.docs[id])
		}
		next.before = nil
		f.atWork = false
	})
}

// watchLogs decides about partitions that stand still since retention has cut off
// what comes next: all workers are stopped, and the group goes on at the new
// beginning.
func (f *faults) watchLogs() {
	w := f.world
	w.every(4*time.Second, func() bool {
		stands := func(part record.Partition) bool { return w.group.start(part).Problem != nil }
		if f.busy() || !slices.ContainsFunc(w.log.names, stands) {
			return true
		}
		w.checks.count("cuts decided")
		f.closedDoor = true
		stopAll(w, func() {
			if !w.group.skip() {
				w.checks.fail("simulation: the group has members when its offsets are moved")
			}
			f.closedDoor = false
		})
		return true
	})
}
