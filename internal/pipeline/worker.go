package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// writeTimeout bounds one bulk request with all its splits. A request that has not
// been answered by then is tried again: the join makes that harmless.
const writeTimeout = 2 * time.Minute

// commitRetry is the pause before a commit of a drain is tried again.
const commitRetry = 100 * time.Millisecond

// Group is this worker's place in the consumer group.
type Group interface {
	Records() <-chan []record.Record
	Rebalances() <-chan stream.Rebalance
	Store(next map[record.Partition]int64) error
	Commit() error
	Pause(partitions ...record.Partition) error
	Resume(partitions ...record.Partition) error
	Close() error
}

// Deliver writes a dead letter and calls done once, from any goroutine, when the
// broker has it or has refused it.
type Deliver func(letter Letter, done func(error))

// Parts are what a Worker is made of.
type Parts struct {
	Group   Group
	Decoder Decoder
	Memory  Memory
	Catalog Catalog
	Writer  Writer
	Deliver Deliver
	Observe func(Ending) // told how each record ended; must not block
	Log     zerolog.Logger
}

// Worker drives a Machine: one loop feeds it, and decoding, look-ups, bulk requests,
// letters and commits run in parallel around it.
type Worker struct {
	Parts
	cfg      Config
	machine  *Machine
	jobs     Jobs
	results  chan Input
	released chan Released
	ended    chan struct{} // closed when Run returns; nobody takes results any more
	work     sync.WaitGroup
	commits  chan struct{}   // holds a token while a commit runs: one at a time
	working  context.Context // of look-ups and writes; ends when a shutdown has drained
	giveUp   context.CancelFunc
}

// NewWorker returns a worker that does nothing until Run.
func NewWorker(cfg Config, parts Parts) *Worker {
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // jitter needs no secrecy
	working, giveUp := context.WithCancel(context.Background())
	return &Worker{
		working: working, giveUp: giveUp,
		Parts: parts, cfg: cfg,
		machine:  NewMachine(cfg, random, parts.Observe),
		jobs:     Jobs{parts.Decoder, parts.Memory, parts.Catalog, parts.Writer},
		results:  make(chan Input, 256),
		released: make(chan Released, 1),
		ended:    make(chan struct{}),
		commits:  make(chan struct{}, 1),
	}
}

// Snapshot returns the state of the books. It is for any goroutine.
func (w *Worker) Snapshot() Snapshot { return w.machine.Snapshot() }

// Hold pauses a partition or, with on false, reads it again, at an operator's wish.
// The worker heeds it until it ends, also where the partition is not its own yet. A
// nil error means that its loop will take the wish up in its turn. It is for any
// goroutine.
func (w *Worker) Hold(ctx context.Context, p record.Partition, on bool) error {
	select {
	case w.results <- Hold{Partition: p, On: on}:
		return nil
	case <-w.ended:
		return fmt.Errorf("tell the worker to pause or resume %s: it has ended", p)
	case <-ctx.Done():
		return fmt.Errorf("tell the worker to pause or resume %s: %w", p, ctx.Err())
	}
}

// Run works until ctx ends, then drains, commits and leaves the group, all within
// Config.Shutdown. What it leaves undone is not committed. Call it once.
func (w *Worker) Run(ctx context.Context) error {
	defer close(w.ended)
	asked := make(chan time.Time, 1) // when ctx ended: a revoke may be drained just then
	defer context.AfterFunc(ctx, func() { asked <- time.Now() })()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var records <-chan []record.Record
		if w.machine.Room() {
			records = w.Group.Records()
		}
		timer.Reset(time.Until(w.machine.Wake(time.Now())))
		select {
		case <-ctx.Done():
			return w.shutDown(<-asked)
		case rebalance := <-w.Group.Rebalances():
			w.rebalance(rebalance)
		case chunk := <-records:
			w.step(Receive{Records: chunk})
		case in := <-w.results:
			w.step(in)
		case <-timer.C:
			w.step(Tick{})
		}
	}
}

// step feeds the machine and carries out what it wants done.
func (w *Worker) step(in Input) {
	for _, e := range w.machine.Step(time.Now(), in) {
		w.carryOut(e)
	}
}

func (w *Worker) carryOut(e Effect) {
	switch e := e.(type) {
	case Prepare:
		w.spawn(func() Input { return w.jobs.Prepare(w.working, e) })
	case Write:
		w.spawn(func() Input {
			ctx, cancel := context.WithTimeout(w.working, writeTimeout)
			defer cancel()
			return w.jobs.Write(ctx, e)
		})
	case Mark:
		w.work.Go(func() { w.jobs.Mark(context.Background(), e) })
	case SendLetter:
		// A goroutine, since sending waits while the producer's queue is full, and
		// this loop has to take the acknowledgements that empty it.
		w.work.Go(func() {
			w.Deliver(e.Letter, func(err error) { w.tell(Delivered{Letter: e.ID, Err: err}) })
		})
	case Commit:
		stored := w.store(e.Next)
		w.spawn(func() Input { return Committed{Err: errors.Join(stored, w.commit())} })
	case Released:
		w.released <- e
	case Pause:
		err := w.Group.Pause(e.Partition)
		at(w.Log.Error().Err(err), e.Partition).Str("why", e.Why).Msg("partition paused")
	case Resume:
		err := w.Group.Resume(e.Partition)
		at(w.Log.Info().Err(err), e.Partition).Msg("partition resumed")
	case Stalled:
		w.Log.Error().Str("entity", string(e.Entity)).Str("reason", e.Reason).Str("opensearch", e.Words).
			Str("next", remedy(e.Reason)).Msg("the index takes nothing; trying on, nothing is lost")
	case Recovered:
		w.Log.Info().Str("entity", string(e.Entity)).Stringer("after", e.After.Round(time.Millisecond)).
			Msg("the index takes documents again")
	}
}

func at(line *zerolog.Event, p record.Partition) *zerolog.Event {
	return line.Str("topic", p.Topic).Int32("partition", p.ID)
}

// spawn runs job beside the loop and feeds its result to the machine.
func (w *Worker) spawn(job func() Input) {
	w.work.Go(func() { w.tell(job()) })
}

// tell hands a result to the loop, if that still runs.
func (w *Worker) tell(in Input) {
	select {
	case w.results <- in:
	case <-w.ended:
	}
}

// store notes what the next commit is to hold. The loop does it itself, while the
// partitions are ours: done beside it, a store held up by a slow commit could come
// when a partition has been elsewhere and is back, and send the group backwards.
func (w *Worker) store(next map[record.Partition]int64) error {
	if err := w.Group.Store(next); err != nil {
		w.Log.Warn().Err(err).Msg("store offsets; trying again")
		return fmt.Errorf("store offsets: %w", err)
	}
	return nil
}

// commit commits what is stored. It may block for as long as brokers are away.
func (w *Worker) commit() error {
	w.commits <- struct{}{}
	defer func() { <-w.commits }()
	if err := w.Group.Commit(); err != nil {
		w.Log.Warn().Err(err).Msg("commit offsets; trying again")
		return fmt.Errorf("commit offsets: %w", err)
	}
	return nil
}

// rebalance takes on or hands over partitions. The consumer waits for Done, so the
// next owner starts after our commit.
func (w *Worker) rebalance(r stream.Rebalance) {
	defer r.Done()
	switch r.Kind {
	case stream.Assigned:
		w.step(Assign{Partitions: starts(r.Partitions)})
	case stream.Failed:
		w.step(Fail{Partitions: starts(r.Partitions)})
	case stream.Lost:
		w.step(Lose{Partitions: names(r.Partitions)})
	case stream.Revoked:
		w.drain(names(r.Partitions), time.Now())
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

// drain ends what is under way for partitions, or abandons it when four fifths of
// Config.Shutdown have passed since began, and commits what has ended.
func (w *Worker) drain(partitions []record.Partition, began time.Time) {
	deadline := time.NewTimer(time.Until(began.Add(w.cfg.Shutdown * 4 / 5)))
	defer deadline.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	w.step(Release{Partitions: partitions})
	for {
		timer.Reset(time.Until(w.machine.Wake(time.Now())))
		select {
		case released := <-w.released:
			if released.Abandoned > 0 {
				w.Log.Warn().Int("events", released.Abandoned).Stringer("after", time.Since(began).Round(time.Millisecond)).
					Msg("the time to drain is over: what is not written is left to the next owner, who reads it again")
			}
			w.commitWithin(released.Next, w.halfOfTheRest(began))
			return
		case in := <-w.results:
			w.step(in)
		case <-timer.C:
			w.step(Tick{})
		case <-deadline.C:
			w.step(Abandon{})
		}
	}
}

// halfOfTheRest is what a step behind the drain may take of the time that is left of
// Config.Shutdown: the other half is for the steps behind it.
func (w *Worker) halfOfTheRest(began time.Time) time.Duration {
	return (w.cfg.Shutdown - time.Since(began)) / 2
}

// commitWithin commits, but waits no longer than limit: with the broker away the
// client would wait for 45 s, and what is not committed is only read again.
//
// Brokers refuse a commit while the group is between two generations (classic
// protocol: illegal generation, rebalance in progress; seen with Kafka 4.1). So it is
// tried again, and rebalances that come up meanwhile are let through: of a shutdown
// only, as during a revoke there are none. One that takes partitions away waits for
// the commit that it makes possible.
func (w *Worker) commitWithin(next map[record.Partition]int64, limit time.Duration) {
	if len(next) == 0 {
		return
	}
	_ = w.store(next) // errors have been logged
	timeout := time.After(limit)
	revoked, begun := func() {}, func() {} // revokes that wait: for the next attempt, for this one
	defer func() { revoked(); begun() }()
	attempt := w.tryCommit()
	for {
		select {
		case err := <-attempt:
			if err == nil {
				return
			}
			begun()
			revoked, begun = func() {}, revoked
			attempt = w.tryCommit()
		case r := <-w.Group.Rebalances():
			if r.Kind == stream.Revoked {
				revoked = r.Done
			} else {
				r.Done()
			}
		case <-timeout:
			w.Log.Warn().Stringer("after", limit.Round(time.Millisecond)).Int("partitions", len(next)).
				Msg("commit offsets: no answer in time; the next owner repeats what was written since the last commit")
			return
		}
	}
}

// tryCommit commits beside the loop. An error comes late, so that whoever tries again
// need not wait.
func (w *Worker) tryCommit() <-chan error {
	attempt := make(chan error, 1)
	go func() {
		err := w.commit()
		if err != nil {
			time.Sleep(commitRetry)
		}
		attempt <- err
	}()
	return attempt
}

// shutDown hands everything over as a revoke of all partitions would, and leaves
// the group.
func (w *Worker) shutDown(asked time.Time) error {
	var partitions []record.Partition
	now := w.machine.Snapshot()
	for _, p := range now.Partitions {
		partitions = append(partitions, p.Partition)
	}
	w.Log.Info().Int("events", now.InFlight).Int("partitions", len(partitions)).Stringer("within", w.cfg.Shutdown).
		Msg("stopping: writing what is under way, then leaving the group")
	w.drain(partitions, asked)
	w.giveUp() // requests that hang: nobody waits for their outcome any more

	done := make(chan error, 1)
	go func() {
		w.work.Wait() // for marks, above all
		done <- w.Group.Close()
	}()
	timeout := time.After(w.halfOfTheRest(asked))
	for {
		select {
		case err := <-done:
			return err
		case <-w.results: // of what has been abandoned
		case rebalance := <-w.Group.Rebalances():
			rebalance.Done()
		case <-timeout:
			w.Log.Warn().Msg("leave the group: no answer in time; the group notices by itself")
			return nil
		}
	}
}

// remedy says what an operator can do about a reason that an index takes nothing.
func remedy(reason string) string {
	switch reason {
	case index.ReasonAliasMissing, index.ReasonScriptMissing:
		return "run `indexer setup`"
	case index.ReasonAuth:
		return "check OPENSEARCH_USERNAME, OPENSEARCH_PASSWORD (or OPENSEARCH_CERT_FILE, OPENSEARCH_AWS_REGION) and the rights of that user"
	case index.ReasonTLS:
		return "check OPENSEARCH_CA_FILE, OPENSEARCH_CERT_FILE and how long the certificates are valid"
	case index.ReasonBlocked:
		return "lift the index's write block; OpenSearch sets one itself when its disk is full"
	case index.ReasonUnsafe:
		return "mend the template, then run `indexer setup` and let the aliases point to a new index"
	case ReasonFlood:
		return "mend the mapping, and it goes on by itself; if the events are at fault, set REJECTION_GUARD=0 to let them become dead letters, whose dlq.error has OpenSearch's words"
	case index.ReasonThrottled:
		return "none is needed if it passes; else give OpenSearch more nodes or memory"
	case index.ReasonNetwork, index.ReasonUnavailable:
		return "check OPENSEARCH_URLS and whether OpenSearch is up"
	}
	return "see what OpenSearch says, and its own log"
}
