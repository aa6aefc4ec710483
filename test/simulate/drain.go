package simulate

import (
	"time"

	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

// drain is the time between the word that partitions leave and the hand-over, as
// Worker.drain and Worker.commitWithin run it.
type drain struct {
	began    time.Duration
	released bool
	over     bool
	frozen   bool // the process was, meanwhile
	done     func()
}

// rebalance is a change of ownership that reaches the loop.
func (p *process) rebalance(what kind, starts []pipeline.Start, done func()) {
	if p.drain != nil { // the loop does not look at it before the drain has ended
		p.handovers = append(p.handovers, func() { p.rebalance(what, starts, done) })
		return
	}
	if p.closed {
		done()
		return
	}
	names := make([]record.Partition, len(starts))
	for i, s := range starts {
		names[i] = s.Partition
	}
	p.world.say(p.name, "%s %v", [...]string{"assigned", "revoked", "lost"}[what], starts)
	switch what {
	case assigned:
		p.step(pipeline.Assign{Partitions: starts})
		done()
	case lost:
		p.world.checks.count("lost")
		p.step(pipeline.Lose{Partitions: names})
		done()
	case revoked:
		p.beginDrain(names, done)
	}
}

func (p *process) beginDrain(parts []record.Partition, done func()) {
	w := p.world
	d := &drain{began: w.now, done: done}
	p.drain = d
	w.after(w.cfg.Shutdown*4/5, func() {
		p.awake(func() {
			if !d.released {
				w.say(p.name, "abandons the drain")
				p.step(pipeline.Abandon{})
			}
		})
	})
	p.step(pipeline.Release{Partitions: parts})
}

// released commits what has ended, for as long as there is time.
func (p *process) released(next map[record.Partition]int64) {
	d := p.drain
	if d == nil || d.released {
		p.world.checks.fail("%s: Released without Release", p.name)
	}
	d.released = true
	if len(next) == 0 {
		p.endDrain(d)
		return
	}
	p.blocked = true
	limit := max(d.began+p.world.cfg.Shutdown-p.world.now, 0)
	_ = p.member.store(next)
	p.commit(func(error) { p.endDrain(d) })
	p.world.after(limit, func() { p.awake(func() { p.endDrain(d) }) })
}

func (p *process) endDrain(d *drain) {
	if d.over {
		return
	}
	d.over = true
	p.world.checks.drain(p, d)
	p.blocked, p.drain = false, nil
	d.done()
	for len(p.inbox) > 0 && !p.blocked {
		next := p.inbox[0]
		p.inbox = p.inbox[1:]
		p.loop(next)
	}
	if p.stopping && !p.closed && p.drain == nil {
		p.shutDown()
		return
	}
	for len(p.handovers) > 0 && p.drain == nil {
		next := p.handovers[0]
		p.handovers = p.handovers[1:]
		next()
	}
}
