package rebuild

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// load makes the new indices and writes every State of the fold into them, then
// brings them into the shape in which they are to be searched.
func (b *Rebuild) load(ctx context.Context) error {
	var expired time.Time
	err := b.insist(ctx, "find out which tombstones are still needed", func() (err error) {
		expired, err = b.options.Tombstones(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for _, entity := range b.options.Entities {
		if err := b.loadEntity(ctx, entity, expired); err != nil {
			return err
		}
	}
	if err := b.loadRefused(ctx); err != nil {
		return err
	}
	for _, next := range b.nexts {
		var note string
		err := b.insist(ctx, "make "+next.Index+" ready", func() (err error) {
			note, err = b.Client.Serve(ctx, next)
			return err
		})
		if err != nil {
			return fmt.Errorf("make %s ready: %w", next.Index, err)
		}
		if note != "" {
			b.report.note(note)
		}
	}
	return nil
}

func (b *Rebuild) loadEntity(ctx context.Context, entity document.Entity, expired time.Time) error {
	var next index.Next
	began := time.Now()
	err := b.insist(ctx, "make a new index", func() error {
		live, _, err := b.Client.Live(ctx, entity)
		if err != nil {
			return err
		}
		next, err = b.Client.CreateNext(ctx, entity, began, index.Origin{
			State: index.OriginLoading, Owner: b.options.Owner, Previous: live, Began: began,
		})
		return err
	})
	if err != nil {
		return err
	}
	b.nexts = append(b.nexts, next)
	b.Display.Phase("load "+string(entity)+"s", b.expected(entity), "documents")
	counted := loaded{}
	batches := make(chan []index.Action)
	group, loading := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(batches)
		return b.batches(loading, entity, expired, &counted, batches)
	})
	for range b.Batch.Concurrency {
		group.Go(func() error {
			for batch := range batches {
				if err := b.write(loading, next, batch, &counted); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	b.report.Documents += counted.documents.Load()
	b.report.Tombstones += counted.tombstones.Load()
	b.report.Expired += counted.expired.Load()
	if err != nil {
		return fmt.Errorf("load %s: %w", next.Index, err)
	}
	return b.verifyCount(ctx, next, &counted)
}

// batches cuts the States of the fold into bulk requests. A tombstone that nobody
// needs any more is left out.
func (b *Rebuild) batches(ctx context.Context, entity document.Entity, expired time.Time, counted *loaded, out chan<- []index.Action) error {
	var batch []index.Action
	bytes := 0
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		select {
		case out <- batch:
			batch, bytes = nil, 0
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := b.fold.Each(ctx, entity, func(key document.Key, state document.State) error {
		b.report.Entities++
		if !state.Visible() && time.UnixMilli(state.DeletedAt).Before(expired) {
			counted.expired.Add(1)
			return nil
		}
		size := state.Size()
		if len(batch) >= b.Batch.MaxEvents || bytes+size > b.Batch.MaxBytes {
			if err := send(); err != nil {
				return err
			}
		}
		batch, bytes = append(batch, index.Action{Key: key, State: state.Pack()}), bytes+size
		return nil
	})
	if err != nil {
		return err
	}
	return send()
}

// write loads one batch. What passes is waited out, the longer the more often: a
// cluster that is busy with live writes is not pressed. What OpenSearch refuses for
// good is noted.
func (b *Rebuild) write(ctx context.Context, next index.Next, batch []index.Action, counted *loaded) error {
	if err := b.limiter.WaitN(ctx, len(batch)); err != nil {
		return err
	}
	wait := backoff.NewExponentialBackOff()
	for said := ""; len(batch) > 0; {
		var again []index.Action
		var trouble index.Outcome
		for i, out := range b.Client.Load(ctx, b.options.Owner, next, batch) {
			switch out.Result {
			case index.Retry:
				again, trouble = append(again, batch[i]), out
			case index.Rejected:
				b.refused.document(batch[i].Key, out)
			default:
				counted.count(batch[i].State.Head())
			}
		}
		b.Display.Add(int64(len(batch) - len(again)))
		if batch = again; len(batch) == 0 {
			return nil
		}
		if trouble.Reason == index.ReasonAliasMissing {
			return gone(next.Index)
		}
		if trouble.Reason != said {
			said = trouble.Reason
			b.Logger.Warn().Str("index", next.Index).Str("reason", said).Str("opensearch", trouble.Words).Msg("the new index does not take everything; trying on")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait.NextBackOff()):
		}
	}
	return nil
}

// gone says that somebody has removed a new index. Waiting would not bring it back.
func gone(name string) error {
	return fmt.Errorf("the new index %s is gone, or its private alias is: somebody has removed it", name)
}

// verifyCount makes sure that the index holds what was loaded.
func (b *Rebuild) verifyCount(ctx context.Context, next index.Next, counted *loaded) error {
	visible, tombstones, err := b.count(ctx, next.Index)
	if err != nil {
		return err
	}
	if want := counted.documents.Load(); visible != want || tombstones != counted.tombstones.Load() {
		return fmt.Errorf("%s holds %d documents and %d tombstones, but %d and %d were loaded; is somebody else writing to it?",
			next.Index, visible, tombstones, want, counted.tombstones.Load())
	}
	return nil
}

// loadRefused goes through the log once more for the entities whose State OpenSearch
// has refused as a whole, so that only the events at fault are left out, as live.
func (b *Rebuild) loadRefused(ctx context.Context) error {
	refused := b.refused.documents
	if refused == 0 {
		return nil
	}
	if b.options.Seed {
		return &RefusedError{
			What:   fmt.Sprintf("OpenSearch refuses %d of the live index's documents (%s), and the log does not hold all of their events", refused, b.refused.words),
			WayOut: "mend the template first; of documents too large, raise OpenSearch's http.max_content_length",
		}
	}
	whole, err := b.ranges(ctx)
	if err != nil {
		return err
	}
	whole = stream.Before(b.joined, whole)
	b.Display.Phase("load refused documents event by event", records(whole), "events")
	if err := b.join(ctx, whole, b.isMarked); err != nil {
		return err
	}
	return b.uncut(ctx)
}

// isMarked tells the good events of documents of which something was refused. It may
// take others for them, which changes nothing: to join an event again is harmless.
func (b *Rebuild) isMarked(r *record.Record) bool {
	_, change, rejection := b.Decoder.Decode(r)
	return rejection == nil && b.refused.marked(change.Key)
}
