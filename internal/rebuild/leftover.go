package rebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// tidy finishes what an earlier run has swapped in, and takes back what it has not.
func (b *Rebuild) tidy(ctx context.Context) error {
	if err := b.Finish(ctx); err != nil {
		return err
	}
	return b.Abort(ctx)
}

// Finish does what is left of runs that ended between swap and drain: only then do
// the indices that they put into place hold every event. Where there are none, it
// does nothing.
func (b *Rebuild) Finish(ctx context.Context) error {
	left, err := b.Client.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, next := range left {
		if !next.Live {
			continue
		}
		b.Logger.Warn().Str("index", next.Index).Str("owner", next.Origin.Owner).Msg("finish an earlier rebuild")
		earlier := b.resumed(next)
		earlier.swapped = true
		if err := earlier.steps(ctx, step{PhaseBlock, earlier.block}, step{PhaseDrain, earlier.drain}); err != nil {
			return fmt.Errorf("finish the rebuild of %s: %w", next.Index, err)
		}
		b.report.note("finished " + next.Index + ", which an earlier rebuild had put into place")
	}
	return nil
}

// resumed is a Rebuild that goes on with one index.
func (b *Rebuild) resumed(next index.Next) *Rebuild {
	earlier := New(b.Parts, b.options)
	earlier.nexts, earlier.joined = []index.Next{next}, next.Origin.Joined
	return earlier
}

// Abort takes back what runs have left that ended before their swap: what they made
// is removed, and an index that was to come back is kept as before.
func (b *Rebuild) Abort(ctx context.Context) error {
	left, err := b.Client.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, next := range left {
		if next.Live {
			continue
		}
		if err := b.takeBack(ctx, next); err != nil {
			return err
		}
		b.report.Removed = append(b.report.Removed, next.Index)
	}
	return nil
}

// takeBack removes an index that has not gone live.
func (b *Rebuild) takeBack(ctx context.Context, next index.Next) error {
	undo := b.Client.DropNext
	if next.Origin.Kept {
		undo = b.Client.Release
	}
	if err := undo(ctx, next); err != nil {
		return fmt.Errorf("take back %s: %w", next.Index, err)
	}
	b.Logger.Info().Str("index", next.Index).Msg("took back an index that has not gone live")
	return nil
}

// Rollback puts the indices back that the live ones have replaced. Before they serve,
// they are caught up from what the live group had committed when they were replaced:
// up to there it had written into them.
func (b *Rebuild) Rollback(ctx context.Context) error {
	if err := b.tidy(ctx); err != nil {
		return err
	}
	for _, entity := range b.options.Entities {
		if err := b.rollback(ctx, entity); err != nil {
			return fmt.Errorf("put back the %ss: %w", entity, err)
		}
	}
	return nil
}

func (b *Rebuild) rollback(ctx context.Context, entity document.Entity) error {
	live, origin, err := b.Client.Live(ctx, entity)
	if err != nil {
		return err
	}
	if origin.Previous == "" {
		return &RefusedError{What: fmt.Sprintf("no index was replaced by %s", live), WayOut: "`indexer rebuild` makes one anew"}
	}
	next, err := b.Client.Adopt(ctx, entity, origin.Previous, index.Origin{
		State: index.OriginLoading, Owner: b.options.Owner, Previous: live, Joined: origin.Committed, Began: time.Now(),
	})
	if err != nil {
		return err
	}
	back := b.resumed(next)
	err = back.steps(ctx,
		step{PhaseCatchUp, back.catchUp},
		step{PhaseSwap, back.swap},
		step{PhaseBlock, back.block},
		step{PhaseDrain, back.drain},
	)
	b.report.add(back.Report())
	return errors.Join(err, back.close(ctx, err))
}
