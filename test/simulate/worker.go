package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

// slot is the place of one worker. Its process may end and be replaced.
type slot struct {
	world   *world
	number  int
	all     []*process
	running *process // nil between two processes
}

// process is one run of the worker: the loop of pipeline.Worker around a machine.
// What happens to it while it is frozen happens when it wakes.
type process struct {
	world   *world
	slot    *slot
	name    string
	machine *pipeline.Machine
	work    pipeline.Jobs
	member  *member
	jobs    []*job
	alive   bool
	frozen  bool
	backlog []func() // what waits for a frozen process

	drain     *drain
	stopping  bool // told to end
	closed    bool // its loop has ended; it leaves the group
	blocked   bool // the loop waits for the commit at the end of a drain
	inbox     []func()
	handovers []func() // changes of ownership that wait for the end of a drain

	commits commits
	tickAt  time.Duration
	writes  map[uint64]pipeline.Write // under way
}

// start begins a process, which reads the aliases and joins the group when it can
// reach the brokers.
func (s *slot) start() {
	w := s.world
	p := &process{world: w, slot: s, alive: true, name: fmt.Sprintf("w%d.%d", s.number, len(s.all)+1), writes: map[uint64]pipeline.Write{}}
	s.all, s.running = append(s.all, p), p
	p.machine = pipeline.NewMachine(w.cfg, rand.New(rand.NewPCG(w.seed, uint64(s.number*100+len(s.all)))), func(e pipeline.Ending) {
		w.checks.count("ended " + string(e.Result))
		w.say(p.name, "%s@%d %s", e.Record.Partition, e.Record.Offset, e.Result)
	})
	known := &catalog{process: p}
	p.work = pipeline.Jobs{Decoder: handlers.NewMux(""), Memory: memory{w}, Catalog: known, Writer: writer{p}}
	p.member = newMember(p)
	w.say(p.name, "starts")
	p.spawn(func(ctx context.Context) pipeline.Input {
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

// loop does something in the loop, when that is not blocked.
func (p *process) loop(do func()) {
	switch {
	case p.closed:
	case p.blocked:
		p.inbox = append(p.inbox, do)
	default:
		do()
	}
}

func (p *process) take(in pipeline.Input) { p.loop(func() { p.step(in) }) }

// receive is the loop's choice to take records: there is room, and no drain.
func (p *process) receive(chunk []record.Record) bool {
	if p.closed || p.blocked || p.drain != nil || p.stopping || !p.machine.Room() {
		return false
	}
	p.step(pipeline.Receive{Records: chunk})
	return true
}

// step feeds the machine, checks it and carries out what it wants.
func (p *process) step(in pipeline.Input) {
	if written, ok := in.(pipeline.Written); ok {
		delete(p.writes, written.Write)
	}
	effects := p.machine.Step(p.world.clock(), in)
	p.world.checks.machine(p)
	for _, e := range effects {
		p.carryOut(e)
	}
	p.planTick()
}

func (p *process) carryOut(e pipeline.Effect) {
	w := p.world
	switch e := e.(type) {
	case pipeline.Prepare:
		p.spawn(func(ctx context.Context) pipeline.Input { return p.work.Prepare(ctx, e) })
	case pipeline.Write:
		w.checks.write(p, e)
		p.writes[e.ID] = e
		p.spawn(func(ctx context.Context) pipeline.Input { return p.work.Write(ctx, e) })
	case pipeline.Mark:
		p.spawn(func(ctx context.Context) pipeline.Input { p.work.Mark(ctx, e); return nil })
	case pipeline.SendLetter:
		w.letters.send(e.Letter, func(err error) {
			p.awake(func() { p.take(pipeline.Delivered{Letter: e.ID, Err: err}) })
		})
	case pipeline.Commit:
		stored := p.member.store(e.Next)
		p.later(func() {
			p.commit(func(err error) {
				p.later(func() { p.take(pipeline.Committed{Err: errors.Join(stored, err)}) })
			})
		})
	case pipeline.Released:
		p.released(e.Next)
	case pipeline.Pause:
		p.pause(e.Partition, true, e.Why)
	case pipeline.Resume:
		p.pause(e.Partition, false, "")
	case pipeline.Stalled:
		w.checks.count("stalled")
		w.say(p.name, "stalled: %s", e.Reason)
	case pipeline.Recovered:
		w.say(p.name, "recovered after %s", e.After)
	}
}

func (p *process) pause(part record.Partition, paused bool, why string) {
	p.world.say(p.name, "pause %s: %v %s", part, paused, why)
	if paused {
		p.world.checks.count("paused")
	}
	if c := p.member.owned[part]; c != nil {
		c.paused = paused
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

// commits lets one commit of a process run at a time.
type commits struct {
	busy    bool
	waiting []func()
}

// commit commits what is stored, as Worker.commit does.
func (p *process) commit(answer func(error)) {
	c := &p.commits
	if c.busy {
		c.waiting = append(c.waiting, func() { p.commit(answer) })
		return
	}
	c.busy = true
	p.member.commit(func(err error) {
		c.busy = false
		if len(c.waiting) > 0 {
			first := c.waiting[0]
			c.waiting = c.waiting[1:]
			first()
		}
		answer(err)
	})
}

// forget drops a job that has ended.
func (p *process) forget(j *job) {
	p.jobs = slices.DeleteFunc(p.jobs, func(o *job) bool { return o == j })
}

func (p *process) stopJobs() {
	for _, j := range p.jobs {
		j.stop()
	}
	p.jobs = nil
}
