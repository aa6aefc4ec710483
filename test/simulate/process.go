package simulate

import (
	"slices"
	"time"
)

// terminate is SIGTERM.
func (p *process) terminate() {
	p.world.say(p.name, "is told to end")
	p.stopping = true
	p.awake(p.stop)
}

// leave ends the process once its jobs have ended, or when the time is up, as
// Worker.leave does.
func (p *process) leave() {
	p.closed = true
	for _, r := range p.waiting {
		r.Done()
	}
	p.waiting = nil
	p.giveUp()
	deadline := max(p.stopped+p.cfg.Shutdown, p.world.now+time.Second)
	p.world.every(100*time.Millisecond, func() bool {
		if p.alive && (len(p.jobs) == 0 || p.world.now > deadline) {
			p.awake(func() { p.exit(len(p.jobs) == 0) })
		}
		return p.alive
	})
}

// exit ends the process in good order. Where it gave up waiting for its jobs it
// does not leave the group either; the coordinator notices.
func (p *process) exit(leave bool) {
	if !p.alive {
		return
	}
	p.world.say(p.name, "ends")
	p.alive, p.slot.running = false, nil
	p.stopJobs()
	if leave {
		p.world.group.remove(p.member, "left")
	} else {
		p.silence()
	}
}

// kill is SIGKILL: the process is gone with all that it had in memory. Requests
// that it has sent still arrive.
func (p *process) kill() {
	p.world.say(p.name, "is killed")
	p.world.checks.count("killed")
	p.alive, p.slot.running = false, nil
	p.stopJobs()
	p.silence()
}

// silence has the coordinator throw the member out after a while.
func (p *process) silence() {
	p.world.after(sessionTimeout, func() { p.world.group.remove(p.member, "silent") })
}

// freeze is SIGSTOP, and SIGCONT after d.
func (p *process) freeze(d time.Duration) {
	w := p.world
	w.say(p.name, "is frozen for %s", d)
	w.checks.count("frozen")
	p.frozen = true
	p.handover.frozen = true
	if d > sessionTimeout {
		w.after(sessionTimeout, func() { p.expel("silent") })
	}
	w.after(d, func() {
		if !p.alive {
			return
		}
		w.say(p.name, "wakes")
		p.frozen = false
		backlog := p.backlog
		p.backlog = nil
		for _, i := range w.rand.Perm(len(backlog)) { // the kernel's choice
			p.awake(backlog[i])
		}
	})
}

// expel throws a living member out of the group; it hears of that later.
func (p *process) expel(why string) {
	if !p.alive || !slices.Contains(p.world.group.members, p.member) {
		return
	}
	p.world.group.remove(p.member, why)
	p.member.thrownOut()
}
