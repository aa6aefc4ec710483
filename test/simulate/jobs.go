package simulate

import (
	"context"
	"iter"
	"slices"

	"github.com/search-indexer/search-indexer/internal/pipeline"
)

// call is a request that blocks production code: it is told how to go on once its
// answer is there.
type call func(resume func())

// job is blocking production code. It runs as a coroutine: only one runs at a time,
// and where it waits for an answer the world goes on, so that everything happens in
// one order that the seed alone decides.
type job struct {
	process  *process
	yield    func(call) bool
	next     func() (call, bool)
	stop     func()
	calls    int            // counts them, so that a late answer is told apart
	bound    bool           // to the process's working context: its call ends with that
	answered bool           // the last call
	result   pipeline.Input // nil where nobody waits for it
}

type jobKey struct{}

// errStopped unwinds a job whose process is no more.
type errStopped struct{}

// await parks the job of ctx until ask's answer comes. It reports false where ctx
// ended first; the answer may still come to whoever was asked.
func await(ctx context.Context, ask call) bool {
	if ctx.Err() != nil {
		return false
	}
	j, _ := ctx.Value(jobKey{}).(*job)
	j.bound = ctx.Done() != nil
	if !j.yield(ask) {
		panic(errStopped{})
	}
	return j.answered
}

// Spawn runs work beside the loop of p and feeds its result to p's machine.
func (p *process) Spawn(work func(ctx context.Context) pipeline.Input) {
	j := &job{process: p}
	j.next, j.stop = iter.Pull(func(yield func(call) bool) {
		defer func() {
			if thrown := recover(); thrown != nil && thrown != (errStopped{}) {
				panic(thrown)
			}
		}()
		j.yield = yield
		j.result = work(context.WithValue(p.working, jobKey{}, j))
	})
	p.jobs = append(p.jobs, j)
	p.later(j.proceed) // a goroutine runs when the scheduler likes
}

// proceed runs the job up to its next call, or to its end.
func (j *job) proceed() {
	ask, more := j.next()
	if more {
		j.calls++
		asked := j.calls
		ask(func() { j.process.awake(func() { j.goOn(asked, true) }) })
		return
	}
	j.process.forget(j)
	if j.result != nil {
		j.process.later(func() { j.process.take(j.result) })
	}
}

// goOn wakes a job that waits for call number asked, with its answer or without.
func (j *job) goOn(asked int, answered bool) {
	if j.calls != asked || !slices.Contains(j.process.jobs, j) {
		return
	}
	j.calls++
	j.answered = answered
	j.proceed()
}

// giveUp ends the working context: calls that are bound to it are waited for no
// longer.
func (p *process) giveUp() {
	p.endWork()
	for _, j := range p.jobs {
		if asked := j.calls; j.bound && asked > 0 {
			p.world.checks.count("calls given up")
			p.later(func() { j.goOn(asked, false) })
		}
	}
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
