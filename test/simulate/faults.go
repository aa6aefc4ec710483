package simulate

import (
	"time"
)

// faults is what may go wrong in one run, and when. Each seed leaves many kinds
// out, so that the rest gets further than it would if everything failed at once.
type faults struct {
	rates
	incidents
	world      *world
	end        time.Duration // of all faults
	closedDoor bool          // the operator keeps new members from joining
	atWork     bool          // the operator is at the aliases
}

// rates says of a request that it fails in one of n cases; 0 is never. To lie is to
// do the work and report failure.
type rates struct {
	ItemFails, ItemLies           int // one action of a bulk request
	BulkFails, BulkLies, BulkLate int // a whole bulk request; late ones are applied after the report
	RefreshFails                  int
	RedisFails, MarkLate          int
	LetterFails, LetterLies       int
	StoreFails                    int
	CommitFails, CommitLies       int
	Slow                          int // any request takes seconds, a commit up to 45
}

// incidents says how often something happens to the world.
type incidents struct {
	Kill, Terminate, Freeze, Expel, Rebalance int
	IndexDown, AliasAway, RedisDown, Flush    int
	LettersDown, BrokerDown, Recreate         int
	Hold, Wrong, Astray, Rebuild, Remake, Cut int
}

func drawFaults(w *world) faults {
	rate := func() int { return []int{0, 0, 3, 10, 30}[w.rand.IntN(5)] }
	times := func(most int) int { return max(0, w.rand.IntN(2*most+1)-most) }
	f := faults{
		world: w, end: 5*time.Second + w.upTo(40*time.Second),
		rates: rates{
			ItemFails: rate(), ItemLies: rate(), BulkFails: rate(), BulkLies: rate(), BulkLate: rate(),
			RefreshFails: rate(), RedisFails: rate(), MarkLate: rate(), LetterFails: rate(), LetterLies: rate(),
			StoreFails: rate(), CommitFails: rate(), CommitLies: rate(), Slow: rate() * 2,
		},
		incidents: incidents{
			Kill: times(4), Terminate: times(3), Freeze: times(3), Expel: times(4), Rebalance: times(6),
			IndexDown: times(2), AliasAway: times(2), RedisDown: times(2), Flush: times(1),
			LettersDown: times(2), BrokerDown: times(2), Recreate: times(2),
			Hold: times(4), Wrong: times(1), Astray: times(2), Rebuild: times(2), Remake: times(2), Cut: times(4),
		},
	}
	if w.chance(4) { // a slow network and an operator at work: what a memory of an index can get wrong
		f.rates, f.incidents = rates{Slow: 4}, incidents{Recreate: 4, Rebalance: 2}
	}
	return f
}

// hits draws whether something with that rate fails now.
func (f *faults) hits(rate int) bool { return f.world.now < f.end && f.world.chance(rate) }

// service is what is called.
type service int

const (
	indexCall service = iota
	redisCall
	letterCall
	commitCall
)

// delay draws how long one way of a call takes.
func (f *faults) delay(to service) time.Duration {
	w := f.world
	d := time.Millisecond + w.upTo(20*time.Millisecond)
	if !f.hits(f.Slow) {
		return d
	}
	most := [...]time.Duration{
		indexCall: 15 * time.Second, redisCall: 500 * time.Millisecond, letterCall: 10 * time.Second, commitCall: 22 * time.Second,
	}[to]
	return d + w.upTo(most>>w.rand.IntN(6)) // of every order of magnitude
}

// schedule plans all incidents.
func (f *faults) schedule() {
	w := f.world
	plan := func(times int, what func()) {
		for range times {
			w.after(w.upTo(f.end), what)
		}
	}
	onOne := func(what func(*process)) func() {
		return func() {
			if p := w.slots[w.rand.IntN(len(w.slots))].running; p != nil && !p.stopping && !p.frozen {
				what(p)
			}
		}
	}
	plan(f.Kill, onOne(func(p *process) { p.kill(); p.slot.restartSoon() }))
	plan(f.Terminate, onOne(func(p *process) { p.terminate(); p.slot.restartSoon() }))
	plan(f.Freeze, onOne(func(p *process) { p.freeze(w.upTo(2 * sessionTimeout)) }))
	plan(f.Expel, onOne(func(p *process) { p.expel("heartbeats are lost") }))
	plan(f.Rebalance, func() { w.group.rebalance() })
	plan(f.IndexDown, f.outage("OpenSearch", &w.cluster.down))
	plan(f.RedisDown, f.outage("Redis", &w.redis.down))
	plan(f.LettersDown, f.outage("dead letters", &w.letters.down))
	plan(f.BrokerDown, f.outage("commits", &w.group.down))
	plan(f.AliasAway, func() {
		entity := entities()[w.rand.IntN(2)]
		w.say("world", "alias of %s is taken away", entity)
		w.cluster.hidden[entity] = true
		w.after(w.upTo(5*time.Second), func() { delete(w.cluster.hidden, entity) })
	})
	plan(f.Flush, func() { w.say("world", "Redis is flushed"); clear(w.redis.marks) })
	plan(f.Recreate, func() { newOperator(w).recreate() })
	plan(f.Hold, onOne((*process).hold))
	plan(f.Wrong, f.wrongTemplate)
	plan(f.Astray, f.sendAstray)
	plan(f.Rebuild, f.rebuild)
	plan(f.Remake, func() { w.log.remake(w.log.topics[w.rand.IntN(len(w.log.topics))]) })
	plan(f.Cut, w.log.cutSome)
	if f.Cut > 0 {
		f.watchLogs()
	}
}

// outage makes something refuse for a while.
func (f *faults) outage(name string, down *bool) func() {
	return func() {
		f.world.say("world", "%s: out of order", name)
		*down = true
		f.world.after(f.world.upTo(8*time.Second), func() { *down = false })
	}
}

// restartSoon starts the slot's next process once the present one is gone.
func (s *slot) restartSoon() {
	s.world.every(time.Second, func() bool {
		if s.running == nil {
			s.start()
			return false
		}
		return true
	})
}
