package simulate

import (
	"slices"
	"time"
)

// operator deletes an index, makes it again and has the group read everything anew,
// as the handbook says: with all workers stopped when the group is reset. A worker
// may have been started meanwhile that could not reach the brokers yet.
type operator struct {
	world    *world
	entities []string
	early    bool // the index is made again while workers still run
	sameName bool
	gap      time.Duration // without any index
}

func newOperator(w *world) *operator {
	o := &operator{world: w, entities: entities(), early: w.chance(2), sameName: !w.chance(4)}
	if w.chance(2) {
		o.entities = []string{entities()[w.rand.IntN(2)]}
	}
	if w.chance(2) {
		o.gap = w.upTo(3 * time.Second)
	}
	return o
}

func (o *operator) recreate() {
	w := o.world
	if w.faults.busy() {
		return
	}
	w.faults.closedDoor = true
	w.checks.count("indices made again")
	w.say("operator", "makes %v again, early %v, same name %v", o.entities, o.early, o.sameName)
	if o.early {
		o.deleteAndMake(func() { w.after(w.upTo(8*time.Second>>w.rand.IntN(5)), func() { stopAll(w, o.reset) }) })
		return
	}
	stopAll(w, func() { w.after(w.upTo(3*time.Second), func() { o.deleteAndMake(o.reset) }) })
}

func (o *operator) deleteAndMake(then func()) {
	w := o.world
	w.checks.indicesGo(o.entities)
	names := map[string]string{}
	for _, entity := range o.entities {
		names[entity] = w.cluster.indices[entity].name
		if !o.sameName {
			names[entity] += "x"
		}
		w.cluster.indices[entity] = nil
	}
	w.say("operator", "deleted %v", o.entities)
	w.after(o.gap, func() {
		for _, entity := range o.entities {
			w.cluster.create(entity, names[entity])
		}
		then()
	})
}

// stopAll stops every worker, kindly or not, and goes on when the group is empty.
func stopAll(w *world, then func()) {
	for _, s := range w.slots {
		if p := s.running; p != nil {
			if w.chance(3) {
				p.kill()
			} else {
				p.terminate()
			}
			s.restartSoon()
		}
	}
	w.every(500*time.Millisecond, func() bool {
		if len(w.group.members) > 0 || slices.ContainsFunc(w.slots, func(s *slot) bool { return s.running != nil && s.running.stopping }) {
			return true
		}
		then()
		return false
	})
}

func (o *operator) reset() {
	w := o.world
	if !w.group.reset() {
		w.checks.fail("simulation: the group has members at its reset")
	}
	w.checks.reset()
	w.faults.closedDoor = false
}
