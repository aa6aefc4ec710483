package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// Options say what a rebuild does.
type Options struct {
	Entities []document.Entity // to make anew
	Topics   []string          // full names
	// Seed starts from what the live index holds and joins the log over it, for a
	// log that no longer holds everything.
	Seed            bool
	AcceptTruncated bool    // go on although the log does not hold everything
	AcceptFewer     bool    // swap although the new index shows far fewer documents
	AcceptRejected  bool    // swap although OpenSearch has refused events; they become dead letters
	Keep            int     // replaced indices that stay, of each entity; 0 or more
	Rate            float64 // documents a second that are loaded at most; 0 for no limit
	// Tombstones tells until when a deleted document needs no tombstone any more.
	Tombstones func(context.Context) (time.Time, error)
	Owner      string // names this run in the indices that it makes; unique
}

// Lock is held for as long as a rebuild changes indices, as by [index.Lock].
type Lock interface {
	Check(ctx context.Context) error
}

// Log is the log of every topic, as [stream.Reader] reads it.
type Log interface {
	fold.Log
	Ranges(ctx context.Context, topics []string) ([]stream.Range, error)
	Completeness(ctx context.Context, topics []string) ([]stream.Gap, error)
}

// Letters are the dead letters of events that an index refuses.
type Letters interface {
	// Known tells that the record was a dead letter at the last Refresh.
	Known(r *record.Record) bool
	// Refresh looks anew which records are dead letters.
	Refresh(ctx context.Context) error
	// Send writes a dead letter, as [pipeline.Deliver] does.
	Send(letter pipeline.Letter, done func(error))
}

// Display shows how far a phase is, as [progress.Progress] does. A total may be an
// estimate, and is -1 where there is none.
type Display interface {
	Phase(name string, total int64, unit string)
	Add(n int64)
}

// Parts are what a Rebuild works with.
type Parts struct {
	Client    *index.Client
	Lock      Lock
	Log       Log
	Decoder   pipeline.Decoder
	Committed func(context.Context) ([]record.Position, error) // by the live group
	Letters   Letters
	Display   Display
	Logger    zerolog.Logger
	Fold      fold.Config
	Batch     pipeline.Config
	// Step, where it is set, is told of each phase before it begins; its error ends
	// the rebuild there. A test holds it up or kills it by this.
	Step func(ctx context.Context, phase Phase) error
}

// Rebuild makes indices anew. Use one for one run, from one goroutine.
type Rebuild struct {
	Parts
	options Options
	limiter *rate.Limiter // of documents that are loaded
	live    []PlanEntity  // as the check found it
	fold    *fold.Fold
	nexts   []index.Next
	begun   []record.Position // where the log began when it was folded
	joined  []record.Position // what of the log the new indices hold
	swapped bool
	refused refusals
	report  Report
}

// New returns a Rebuild that has done nothing yet.
func New(parts Parts, options Options) *Rebuild {
	if parts.Step == nil {
		parts.Step = func(context.Context, Phase) error { return nil }
	}
	parts.Batch.Guard = 0 // the swap is what is guarded here
	limit := rate.Inf
	if options.Rate > 0 {
		limit = rate.Limit(options.Rate)
	}
	limiter := rate.NewLimiter(limit, parts.Batch.MaxEvents)
	limiter.AllowN(time.Now(), limiter.Burst()) // the first batch waits for its turn too
	return &Rebuild{
		Parts: parts, options: options,
		limiter: limiter,
		report:  newReport(),
	}
}

// Phase is a part of a rebuild.
type Phase string

// The phases, in their order.
const (
	PhaseCheck   Phase = "check"
	PhaseFold    Phase = "fold"
	PhaseLoad    Phase = "load"
	PhaseCatchUp Phase = "catch up"
	PhaseSwap    Phase = "swap"
	PhaseBlock   Phase = "block"
	PhaseDrain   Phase = "drain"
	PhaseClean   Phase = "clean up"
)

// Phases returns the phases in their order.
func Phases() []Phase {
	return []Phase{PhaseCheck, PhaseFold, PhaseLoad, PhaseCatchUp, PhaseSwap, PhaseBlock, PhaseDrain, PhaseClean}
}

type step struct {
	phase Phase
	do    func(context.Context) error
}

// Run makes the indices anew and puts them into place. First it finishes or removes
// what an earlier run left. Where it fails before the swap it removes what it has
// made, and the live indices are as they were; where it fails after the swap, the
// next Run or [Rebuild.Finish] goes on from there.
func (b *Rebuild) Run(ctx context.Context) error {
	if err := b.tidy(ctx); err != nil {
		return err
	}
	err := b.steps(ctx,
		step{PhaseCheck, b.check},
		step{PhaseFold, b.foldLog},
		step{PhaseLoad, b.load},
		step{PhaseCatchUp, b.catchUp},
		step{PhaseSwap, b.swap},
		step{PhaseBlock, b.block},
		step{PhaseDrain, b.drain},
		step{PhaseClean, b.clean},
	)
	return errors.Join(err, b.close(ctx, err))
}

// Report says what was done until now.
func (b *Rebuild) Report() Report {
	report := b.report
	report.Reasons, report.Seconds = maps.Clone(report.Reasons), maps.Clone(report.Seconds)
	report.add(b.refused.told())
	return report
}

// steps runs one step after the other, until one fails.
func (b *Rebuild) steps(ctx context.Context, list ...step) error {
	for _, s := range list {
		b.Logger.Info().Str("phase", string(s.phase)).Msg("rebuild")
		if err := b.Step(ctx, s.phase); err != nil {
			return err
		}
		began := time.Now()
		err := s.do(ctx)
		b.report.took(s.phase, time.Since(began))
		if err != nil {
			return fmt.Errorf("%s: %w", s.phase, err)
		}
	}
	return nil
}

// close frees the fold and, after a failure before the swap, takes back what was
// made. That may happen because ctx has ended, so it has a time of its own.
func (b *Rebuild) close(ctx context.Context, failure error) error {
	var errs []error
	if b.fold != nil {
		b.report.FoldBytes = b.fold.Stats().Disk
		errs = append(errs, b.fold.Close())
	}
	if failure == nil || b.swapped || errors.Is(context.Cause(ctx), index.ErrLockLost) {
		return errors.Join(errs...) // what is left is that of whoever has the lock now
	}
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for _, next := range b.nexts {
		errs = append(errs, b.takeBack(ctx, next))
	}
	return errors.Join(errs...)
}
