package simulate

import (
	"context"
	"iter"

	"github.com/search-indexer/search-indexer/internal/pipeline"
)

// call is a request that blocks production code: it is told how to go on once its
// answer is there.
type call func(resume func())

// job is blocking production code. It runs as a coroutine: only one runs at a time,
// and where it waits for an answer the world goes on, so that everything happens in
// one order that the seed alone decides.
type job struct {
	process *process
	next    func() (call, bool)
	stop    func()
	result  pipeline.Input // nil where nobody waits for it
}

type jobKey struct{}

// errStopped unwinds a job whose process is no more.
type errStopped struct{}

// await parks the job of ctx until ask's answer comes.
func await(ctx context.Context, ask call) {
	yield, _ := ctx.Value(jobKey{}).(func(call) bool)
	if !yield(ask) {
		panic(errStopped{})
	}
}

// spawn runs work beside the loop of p and feeds its result to p's machine.
func (p *process) spawn(work func(ctx context.Context) pipeline.Input) {
	j := &job{process: p}
	j.next, j.stop = iter.Pull(func(yield func(call) bool) {
		defer func() {
			if thrown := recover(); thrown != nil && thrown != (errStopped{}) {
				panic(thrown)
			}
		}()
		j.result = work(context.WithValue(context.Background(), jobKey{}, yield))
	})
	p.jobs = append(p.jobs, j)
	p.later(j.proceed) // a goroutine runs when the scheduler likes
}

// proceed runs the job up to its next call, or to its end.
func (j *job) proceed() {
	ask, more := j.next()
	if more {
		ask(func() { j.process.awake(j.proceed) })
		return
	}
	j.process.forget(j)
	if j.result != nil {
		j.process.later(func() { j.process.take(j.result) })
	}
}
