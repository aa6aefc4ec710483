package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
		err := earlier.steps(ctx, step{PhaseBlock, earlier.block}, step{PhaseDrain, earlier.drain})
		b.report.add(earlier.Report())
		if err != nil {
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
	earlier.refused.of.addAll() // nobody remembers which
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
			b.report.note(next.String())
			continue
		}
		if err := b.takeBack(ctx, next); err != nil {
			return err
		}
		b.report.Removed = append(b.report.Removed, next.Index)
	}
	return nil
}

// takeBack removes an index that has not gone live. One that was kept is kept again,
// also where a rollback died while it adopted it: its origin is then that of before.
func (b *Rebuild) takeBack(ctx context.Context, next index.Next) error {
	undo := b.Client.DropNext
	made := next.Origin.State == index.OriginLoading || next.Origin.State == index.OriginSwapping
	if next.Origin.Kept || !made {
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
	for _, entity := range b.options.Entities { // all can, or none is touched
		if _, _, err := b.wayBack(ctx, entity); err != nil {
			return err
		}
	}
	for _, entity := range b.options.Entities {
		if err := b.rollback(ctx, entity); err != nil {
			return fmt.Errorf("put back the %ss: %w", entity, err)
		}
	}
	return nil
}

// wayBack returns the live index of an entity, and how it came to be, where the one
// that it has replaced is kept.
func (b *Rebuild) wayBack(ctx context.Context, entity document.Entity) (live string, origin index.Origin, err error) {
	const anew = "`indexer rebuild` makes one anew"
	live, origin, err = b.Client.Live(ctx, entity)
	switch {
	case err != nil:
		return "", origin, err
	case live == "":
		return "", origin, &RefusedError{What: fmt.Sprintf("the %ss have no index", entity), WayOut: anew}
	case origin.Previous == "":
		return "", origin, &RefusedError{What: fmt.Sprintf("no index was replaced by %s", live), WayOut: anew}
	}
	kept, err := b.Client.Kept(ctx, entity)
	if err != nil {
		return "", origin, err
	}
	switch i := slices.IndexFunc(kept, func(k index.KeptIndex) bool { return k.Index == origin.Previous }); {
	case i < 0:
		return "", origin, &RefusedError{What: fmt.Sprintf("%s, which %s replaced, was not kept", origin.Previous, live), WayOut: anew}
	case kept[i].Closed:
		return "", origin, &RefusedError{What: fmt.Sprintf("%s, which %s replaced, is closed", origin.Previous, live), WayOut: fmt.Sprintf("POST /%s/_open", origin.Previous)}
	}
	return live, origin, nil
}

func (b *Rebuild) rollback(ctx context.Context, entity document.Entity) error {
	live, origin, err := b.wayBack(ctx, entity)
	if err != nil {
		return err
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
	if back.swapped {
		back.report.note(origin.Previous + " lacks what `dlq replay` and `verify --repair` wrote into " + live + ": run `indexer verify`")
	}
	b.report.add(back.Report())
	return errors.Join(err, back.close(ctx, err))
}
