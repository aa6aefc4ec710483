package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// Loop feeds a Machine and has its effects carried out by what is around it. It has
// no goroutines and no clock: [Worker] drives it in real time, a simulation in
// virtual time. It is for one goroutine.
type Loop struct {
	machine *Machine
	jobs    Jobs
	around  Around

	done     func() // lets the group go on once partitions are handed over; nil where it does not wait
	later    func() // the same of a revoke that came into a stop
	stopping bool
	over     bool
}

// Around is what a Loop runs in.
type Around interface {
	// Spawn runs a job beside the loop and feeds what it returns to Step, unless
	// that is nil. The context ends when nobody waits for the job any more.
	Spawn(job func(ctx context.Context) Input)
	// Deliver sends a dead letter; Delivered is fed to Step when the broker has
	// taken or refused it.
	Deliver(e SendLetter)
	// Store notes what the next commit is to hold.
	Store(next map[record.Partition]int64) error
	// Commit commits what is stored. It blocks, for as long as brokers are away, and
	// is called by a job.
	Commit(ctx context.Context) error
	// Pause and Resume stop and go on with the reading of a partition.
	Pause(e Pause)
	Resume(e Resume)
	// Tell is told of Stalled, Recovered and Released.
	Tell(e Effect)
}

// NewLoop returns a loop that owns no partition.
func NewLoop(machine *Machine, jobs Jobs, around Around) *Loop {
	return &Loop{machine: machine, jobs: jobs, around: around}
}

// HandingOver reports whether partitions leave us. Meanwhile no records are to be
// taken from the group.
func (l *Loop) HandingOver() bool { return l.stopping || l.done != nil }

// Balancing reports whether rebalances are to be taken from the group: one at a time.
// A stop takes them too, since the group has to get on for its commit to be accepted.
func (l *Loop) Balancing() bool { return l.stopping || l.done == nil }

// Room reports whether records may be taken from the group.
func (l *Loop) Room() bool { return !l.HandingOver() && l.machine.Room() }

// Over reports whether a stop has drained and committed, or had no more time for
// it. Then only the group is left to be left.
func (l *Loop) Over() bool { return l.over }

// Rebalance takes on or hands over partitions. The consumer waits for Done, so the
// next owner starts after our commit.
func (l *Loop) Rebalance(now time.Time, r stream.Rebalance) {
	switch {
	case l.stopping && r.Kind == stream.Revoked:
		l.later = r.Done // all is being handed over already
		return
	case l.stopping && r.Kind != stream.Lost:
		r.Done()
		return
	}
	switch r.Kind {
	case stream.Assigned:
		l.Step(now, Assign{Partitions: starts(r.Partitions)})
	case stream.Failed:
		l.Step(now, Fail{Partitions: starts(r.Partitions)})
	case stream.Lost:
		l.Step(now, Lose{Partitions: names(r.Partitions)})
	case stream.Revoked:
		l.done = r.Done
		l.Step(now, Release{Partitions: names(r.Partitions)})
		return
	}
	r.Done()
}

// Stop hands over everything, as a revoke of all partitions would. One that is under
// way already keeps its time limit. passed is how long ago the stop was asked for: a
// loop that was busy meanwhile has so much less time, as the process ends on its own.
func (l *Loop) Stop(now time.Time, passed time.Duration) {
	l.stopping = true
	var partitions []record.Partition
	for _, p := range l.machine.Snapshot().Partitions {
		partitions = append(partitions, p.Partition)
	}
	l.Step(now, Release{Partitions: partitions, Passed: passed})
}

// Step feeds the machine and has carried out what it wants done.
func (l *Loop) Step(now time.Time, in Input) {
	if c, ok := in.(Committed); ok && c.Err != nil && l.stopping {
		l.letGo() // it waited for this commit, which the brokers refuse until it is let go
	}
	for _, e := range l.machine.Step(now, in) {
		l.carryOut(e)
	}
}

func (l *Loop) carryOut(e Effect) {
	switch e := e.(type) {
	case Prepare:
		l.around.Spawn(func(ctx context.Context) Input { return l.jobs.Prepare(ctx, e) })
	case Write:
		l.around.Spawn(func(ctx context.Context) Input { return l.jobs.Write(ctx, e) })
	case Recall:
		l.around.Spawn(func(ctx context.Context) Input { return l.jobs.Recall(ctx, e) })
	case Mark:
		l.around.Spawn(func(ctx context.Context) Input {
			l.jobs.Mark(context.WithoutCancel(ctx), e) // worth waiting for at the end, too
			return nil
		})
	case SendLetter:
		l.around.Deliver(e)
	case Commit:
		if l.stopping && l.done == nil {
			l.done, l.later = l.later, nil
		}
		// The loop stores itself, while the partitions are ours: done beside it, a
		// store held up by a slow commit could come when a partition has been
		// elsewhere and is back, and send the group backwards.
		stored := l.around.Store(e.Next)
		l.around.Spawn(func(ctx context.Context) Input {
			return Committed{Err: errors.Join(stored, l.around.Commit(ctx))}
		})
	case Pause:
		l.around.Pause(e)
	case Resume:
		l.around.Resume(e)
	case Released:
		l.around.Tell(e)
		l.released()
	default:
		l.around.Tell(e)
	}
}

// released lets the group go on.
func (l *Loop) released() {
	l.letGo()
	l.done, l.later = l.later, nil
	l.letGo()
	l.over = l.stopping
}

func (l *Loop) letGo() {
	if l.done != nil {
		l.done()
		l.done = nil
	}
}

func starts(list []stream.Start) []Start {
	parts := make([]Start, len(list))
	for i, s := range list {
		parts[i] = Start{Partition: s.Partition, Offset: s.Offset}
		if s.Problem != nil {
			parts[i].Stuck = s.Problem.Error()
		}
	}
	return parts
}

func names(list []stream.Start) []record.Partition {
	parts := make([]record.Partition, len(list))
	for i, s := range list {
		parts[i] = s.Partition
	}
	return parts
}
