package simulate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// slot is the place of one worker. Its process may end and be replaced.
type slot struct {
	world   *world
	number  int
	all     []*process
	running *process // nil between two processes
}

// process is one run of the worker: what pipeline.Worker is around a pipeline.Loop,
// in virtual time. What happens to it while it is frozen happens when it wakes.
type process struct {
	world   *world
	slot    *slot
	name    string
	cfg     pipeline.Config // as the settings were when it started
	machine *pipeline.Machine
	loop    *pipeline.Loop
	seen    pipeline.Snapshot // of the machine after its last step
	member  *member
	jobs    []*job
	working context.Context
	endWork context.CancelFunc
	alive   bool
	frozen  bool
	backlog []func() // what waits for a frozen process

	stopping bool               // told to end
	stopped  time.Duration      // when it heard that
	closed   bool               // its loop has ended; it leaves the group
	waiting  []stream.Rebalance // until a handover has ended
	handover handover

	tickAt time.Duration
	writes [][]index.Action // under way
}

// handover is what is checked of the handover under way.
type handover struct {
	began  time.Duration
	frozen bool // the process was, meanwhile
}

// start begins a process, which reads the aliases and joins the group when it can
// reach the brokers.
func (s *slot) start() {
	w := s.world
	p := &process{world: w, slot: s, cfg: w.cfg, alive: true, name: fmt.Sprintf("w%d.%d", s.number, len(s.all)+1)}
	s.all, s.running = append(s.all, p), p
	p.working, p.endWork = context.WithCancel(context.Background())
	p.machine = pipeline.NewMachine(p.cfg, rand.New(rand.NewPCG(w.seed, uint64(s.number*100+len(s.all)))), func(e pipeline.Ending) {
		w.checks.count("ended " + string(e.Result))
		w.say(p.name, "%s@%d %s", e.Record.Partition, e.Record.Offset, e.Result)
	}, false)
	known := &catalog{process: p}
	jobs := pipeline.Jobs{Decoder: handlers.NewMux(""), Memory: memory{w}, Catalog: known, Writer: writer{p}, Reread: reread{w}}
	p.loop = pipeline.NewLoop(p.machine, jobs, p)
	p.member = newMember(p)
	w.say(p.name, "starts")
	p.Spawn(func(ctx context.Context) pipeline.Input {
		_, _ = known.Refresh(ctx)
		w.after(0, p.join)
		return nil
	})
}

// join waits for as long as the operator's work keeps the brokers away.
func (p *process) join() {
	w := p.world
	w.after(w.upTo(200*time.Millisecond), func() {
		switch {
		case !p.alive || p.stopping:
		case w.faults.closedDoor:
			p.join()
		default:
			p.member.run()
			p.tick()
		}
	})
}

// awake does something in the process, when it is not frozen.
func (p *process) awake(do func()) {
	switch {
	case !p.alive:
	case p.frozen:
		p.backlog = append(p.backlog, do)
	default:
		do()
	}
}

// later does something in the process a moment later.
func (p *process) later(do func()) {
	p.world.after(p.world.upTo(2*time.Millisecond), func() { p.awake(do) })
}

// take feeds a result or a wish to the loop.
func (p *process) take(in pipeline.Input) {
	p.turn(func(now time.Time) { p.loop.Step(now, in) })
}

// receive is the loop's choice to take records.
func (p *process) receive(chunk []record.Record) bool {
	if p.closed || !p.loop.Room() {
		return false
	}
	p.take(pipeline.Receive{Records: chunk})
	return true
}

// rebalance is a change of ownership that reaches the loop.
func (p *process) rebalance(r stream.Rebalance) {
	switch {
	case p.closed:
		r.Done()
	case !p.loop.Balancing(): // the loop does not look at it before that has ended
		p.waiting = append(p.waiting, r)
	default:
		p.world.say(p.name, "%s %v", r.Kind, r.Partitions)
		p.world.checks.count(r.Kind.String())
		p.handover = handover{began: p.world.now}
		p.turn(func(now time.Time) { p.loop.Rebalance(now, r) })
		p.world.checks.rebalanced(p, r)
	}
}

// stop is the loop's look at its context.
func (p *process) stop() {
	p.stopped = p.world.now
	if !p.loop.HandingOver() {
		p.handover = handover{began: p.world.now}
	}
	p.turn(func(now time.Time) { p.loop.Stop(now, 0) })
}

// turn is one turn of the loop, which is checked.
func (p *process) turn(do func(now time.Time)) {
	if p.closed {
		return
	}
	do(p.world.clock())
	p.seen = p.machine.Snapshot()
	p.world.checks.machine(p)
	p.planTick()
	switch {
	case p.loop.Over():
		p.leave()
	case len(p.waiting) > 0 && p.loop.Balancing():
		next := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.rebalance(next)
	}
}

// planTick has the loop wake when the machine wants it.
func (p *process) planTick() {
	now := p.world.now
	wake := max(p.machine.Wake(p.world.clock()).Sub(epoch()), now)
	if p.tickAt > now && p.tickAt <= wake {
		return
	}
	p.tickAt = wake
	p.world.after(wake-now, func() {
		if p.tickAt == wake {
			p.awake(p.tick)
		}
	})
}

func (p *process) tick() {
	p.tickAt = 0
	p.take(pipeline.Tick{})
}
