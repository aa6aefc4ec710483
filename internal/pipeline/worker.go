package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// writeTimeout bounds one bulk request with all its splits. A request that has not
// been answered by then is tried again: the join makes that harmless.
const writeTimeout = 2 * time.Minute

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
	Reread  Log // reads records of a backlog again where they are needed; nil keeps them in memory
	Deliver Deliver
	Observe func(Ending) // told how each record ended; must not block
	Log     zerolog.Logger
}

// Worker drives a Loop in real time: decoding, look-ups, bulk requests, letters and
// commits run in parallel around it.
type Worker struct {
	Parts
	cfg     Config
	machine *Machine
	loop    *Loop
	results chan Input
	ended   chan struct{} // closed when Run returns; nobody takes results any more
	work    sync.WaitGroup
	working context.Context // of look-ups and writes; ends when a shutdown has drained
	giveUp  context.CancelFunc
}

// NewWorker returns a worker that does nothing until Run.
func NewWorker(cfg Config, parts Parts) *Worker {
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // jitter needs no secrecy
	working, giveUp := context.WithCancel(context.Background())
	w := &Worker{
		working: working, giveUp: giveUp,
		Parts: parts, cfg: cfg,
		machine: NewMachine(cfg, random, parts.Observe, parts.Reread == nil),
		results: make(chan Input, 256),
		ended:   make(chan struct{}),
	}
	w.loop = NewLoop(w.machine, Jobs{parts.Decoder, parts.Memory, parts.Catalog, bounded{parts.Writer}, parts.Reread}, around{w})
	return w
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

// Run works until ctx ends, then drains and commits within Config.Shutdown. What
// it leaves undone is not committed. At last it leaves the group. Call it once.
func (w *Worker) Run(ctx context.Context) error {
	defer close(w.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := make(chan time.Time, 1) // when ctx ended, however late the loop gets to it
	defer context.AfterFunc(ctx, func() { stop <- time.Now() })()
	var stopped time.Time
	for !w.loop.Over() {
		var records <-chan []record.Record
		var rebalances <-chan stream.Rebalance
		if w.loop.Room() {
			records = w.Group.Records()
		}
		if w.loop.Balancing() {
			rebalances = w.Group.Rebalances()
		}
		timer.Reset(time.Until(w.machine.Wake(time.Now())))
		select {
		case stopped = <-stop:
			w.tellStop()
			now := time.Now()
			w.loop.Stop(now, now.Sub(stopped))
		case rebalance := <-rebalances:
			w.loop.Rebalance(time.Now(), rebalance)
		case chunk := <-records:
			w.loop.Step(time.Now(), Receive{Records: chunk})
		case in := <-w.results:
			w.loop.Step(time.Now(), in)
		case <-timer.C:
			w.loop.Step(time.Now(), Tick{})
		}
	}
	return w.leave(stopped.Add(w.cfg.Shutdown))
}

func (w *Worker) tellStop() {
	now := w.machine.Snapshot()
	w.Log.Info().Int("events", now.InFlight).Int("partitions", len(now.Partitions)).Stringer("within", w.cfg.Shutdown).
		Msg("stopping: writing what is under way, then leaving the group")
}

// tell hands a result to the loop, if that still runs.
func (w *Worker) tell(in Input) {
	select {
	case w.results <- in:
	case <-w.ended:
	}
}

// leave leaves the group once marks, above all, have ended. Requests that hang are
// given up: nobody waits for their outcome any more. It takes at most half of the time
// that is left, so that some is left to close the connections.
func (w *Worker) leave(deadline time.Time) error {
	w.giveUp()
	done := make(chan error, 1)
	go func() {
		w.work.Wait()
		done <- w.Group.Close()
	}()
	timeout := time.After(time.Until(deadline) / 2)
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
