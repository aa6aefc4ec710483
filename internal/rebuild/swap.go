package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// swap moves the aliases of all entities in one request. What the drain needs to
// know is stored before, so that anybody can finish it.
func (b *Rebuild) swap(ctx context.Context) error {
	if err := b.bigEnough(ctx); err != nil {
		return err
	}
	committed, err := b.committed(ctx)
	if err != nil {
		return err
	}
	swaps := make([]index.Swap, len(b.nexts))
	for i := range b.nexts {
		next := &b.nexts[i]
		next.Origin.State, next.Origin.Swapped = index.OriginSwapping, time.Now()
		next.Origin.Joined, next.Origin.Committed = b.joined, committed
		next.Origin.Refused = b.refused.since(b.joined)
		err := b.insist(ctx, "note the end in "+next.Index, func() error { return b.Client.SetOrigin(ctx, next.Index, next.Origin) })
		if err != nil {
			return fmt.Errorf("note in %s how far it is: %w", next.Index, err)
		}
		swaps[i] = index.Swap{From: next.Origin.Previous, To: *next}
	}
	err = b.insist(ctx, "move the aliases", func() error {
		if err := b.Lock.Check(ctx); err != nil {
			return err
		}
		return b.Client.Swap(ctx, swaps)
	})
	if err != nil {
		return err
	}
	b.swapped = true
	b.refused.recount() // when they become letters
	for _, s := range swaps {
		b.report.Indices = append(b.report.Indices, Replaced{Entity: s.To.Entity, From: s.From, To: s.To.Index})
	}
	return nil
}

// block lets nothing more into the old indices.
func (b *Rebuild) block(ctx context.Context) error {
	for _, next := range b.nexts {
		if old := next.Origin.Previous; old != "" {
			err := b.insist(ctx, "block writes to "+old, func() error {
				if err := b.Lock.Check(ctx); err != nil {
					return err // somebody may have put the old index back
				}
				return b.Client.BlockWrites(ctx, old)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// drain looks where the log ends, now that nothing gets into the old indices any
// more, and joins what is left. It does not give up: what serves lacks these events.
func (b *Rebuild) drain(ctx context.Context) error {
	err := b.insist(ctx, "join the last events", func() error {
		for _, next := range b.nexts {
			if err := b.Client.Reclaim(ctx, next); err != nil {
				return err
			}
		}
		if _, err := b.advance(ctx); err != nil {
			return err
		}
		return b.bury(ctx)
	})
	if err != nil {
		return err
	}
	for i := range b.nexts {
		next := b.nexts[i]
		next.Origin.Joined, next.Origin.Refused, next.Origin.Finished = b.joined, nil, time.Now()
		err := b.insist(ctx, "finish "+next.Index, func() error { return b.Client.Finish(ctx, next) })
		if err != nil {
			return err
		}
	}
	return nil
}

// insist tries until it succeeds, ctx ends, or the trouble can't pass. Behind the
// swap all may but a refusal, as somebody can mend it, and what serves is not complete
// without.
func (b *Rebuild) insist(ctx context.Context, what string, do func() error) error {
	wait := backoff.NewExponentialBackOff()
	var refused *RefusedError
	for {
		err := do()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil, errors.Is(err, index.ErrMoved), errors.Is(err, index.ErrLockLost), errors.As(err, &refused), !b.swapped && !index.Passes(err) && !stream.Passes(err):
			return fmt.Errorf("%s: %w", what, err)
		}
		b.Logger.Warn().Err(err).Msg(what + "; trying again")
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-time.After(wait.NextBackOff()):
		}
	}
}

// bigEnough keeps an index that shows far fewer documents than the live one from
// taking its place: a topic may be empty or made again, or the prefix wrong.
func (b *Rebuild) bigEnough(ctx context.Context) error {
	const most = 0.05 // of the documents that may be gone
	for _, next := range b.nexts {
		if b.options.AcceptFewer || next.Origin.Previous == "" {
			continue
		}
		before, _, err := b.count(ctx, next.Origin.Previous)
		if err != nil {
			return err
		}
		// All that was counted is in the log by now: what was written since the catch-up
		// is no lack, of which few documents make 5 %.
		if err := b.catchUp(ctx); err != nil {
			return err
		}
		after, _, err := b.count(ctx, next.Index)
		if err != nil {
			return err
		}
		if float64(after) < float64(before)*(1-most) {
			return &RefusedError{
				What:   fmt.Sprintf("the new index would show %d %ss, %s shows %d", after, next.Entity, next.Origin.Previous, before),
				WayOut: "check KAFKA_TOPICS, KAFKA_TOPIC_PREFIX and whether a topic was made again; --accept-fewer swaps all the same",
			}
		}
	}
	return nil
}

// count is Client.Count for a cluster that is busy.
func (b *Rebuild) count(ctx context.Context, name string) (visible, tombstones int64, err error) {
	err = b.insist(ctx, "count the documents of "+name, func() (err error) {
		visible, tombstones, err = b.Client.Count(ctx, name)
		return err
	})
	return visible, tombstones, err
}

// clean removes replaced indices but the newest ones. The one that was live counts
// as the newest, though after a rollback it is not: it is the way back.
func (b *Rebuild) clean(ctx context.Context) error {
	for _, next := range b.nexts {
		// Not insisted on: nothing is missing where an old index stays.
		_, err := index.Patiently(ctx, func() (any, error) { return nil, b.cleanEntity(ctx, next) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Rebuild) cleanEntity(ctx context.Context, next index.Next) error {
	kept, err := b.Client.Kept(ctx, next.Entity)
	if err != nil {
		return err
	}
	wayBack := slices.IndexFunc(kept, func(k index.KeptIndex) bool { return k.Index == next.Origin.Previous })
	if wayBack > 0 {
		kept = slices.Insert(slices.Delete(slices.Clone(kept), wayBack, wayBack+1), 0, kept[wayBack])
	}
	for _, old := range kept[min(b.options.Keep, len(kept)):] {
		if err := b.Lock.Check(ctx); err != nil {
			return err
		}
		if err := b.Client.DropKept(ctx, old.Index); err != nil {
			return fmt.Errorf("remove the replaced index %s: %w", old.Index, err)
		}
		b.report.Removed = append(b.report.Removed, old.Index)
	}
	return nil
}
