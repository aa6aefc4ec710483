package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

const (
	batchDocuments = 1000    // of one request
	batchBytes     = 4 << 20 // of their States, about
	requests       = 4       // at a time
	pages          = 4       // of a scan that are compared at a time
)

// pass is one look at all documents.
type pass struct {
	*Verify
	repair *Repair // what was mended; nil where nothing is to be

	doubtful      []document.Key // to be mended once it is known how many there are
	doubtfulCount int64

	mu       sync.Mutex // of what stands below
	findings Findings
	suspects []*suspect
	bytes    int // of the suspects
}

func newPass(v *Verify, repair *Repair) *pass {
	return &pass{Verify: v, repair: repair, findings: newFindings(v)}
}

// known is a document and its State in the fold.
type known struct {
	document.Key
	state document.State
}

// compareAll compares each document of the fold, or a sample of them, with the index.
func (p *pass) compareAll(ctx context.Context) error {
	if p.options.Sample > 0 {
		return p.compareSample(ctx)
	}
	if err := p.fold.Unmark(); err != nil {
		return err
	}
	for _, entity := range p.options.Entities {
		if err := p.compareStored(ctx, entity); err != nil {
			return err
		}
		if err := p.compareUnmarked(ctx, entity); err != nil {
			return err
		}
	}
	return p.settle(ctx)
}

// compareStored goes through the index in the order in which it lies, which is quicker
// than to ask for documents by id, and marks what it meets. Pages are compared side by
// side, while the next ones come.
func (p *pass) compareStored(ctx context.Context, entity document.Entity) error {
	p.Display.Phase("compare "+string(entity)+"s", -1, "documents")
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(1 + pages)
	group.Go(func() error {
		return p.Client.Scan(ctx, p.indices[entity], entity, index.ScanOptions{Unread: true}, func(page []index.Stored) error {
			group.Go(func() error { return p.comparePage(page) })
			return p.settleIfLarge(ctx)
		})
	})
	return group.Wait()
}

// compareUnmarked asks for those documents of the fold that the index has not shown.
func (p *pass) compareUnmarked(ctx context.Context, entity document.Entity) error {
	p.Display.Phase("look for missing "+string(entity)+"s", -1, "documents")
	w := window{pass: p}
	err := p.fold.EachUnmarked(ctx, entity, func(key document.Key, state document.State) error {
		return w.add(ctx, known{key, state})
	})
	if err != nil {
		return err
	}
	return w.compare(ctx)
}

// comparePage compares documents with the fold, which does not know the orphans.
func (p *pass) comparePage(page []index.Stored) error {
	keys, folded := make([]document.Key, len(page)), make([]document.State, len(page))
	for i := range page {
		var err error
		keys[i] = page[i].Key
		if folded[i], _, err = p.fold.Get(keys[i]); err != nil {
			return err
		}
	}
	if err := p.fold.Mark(keys); err != nil {
		return err
	}
	return p.compareEach(page, folded)
}

// compareSample compares as many documents as asked for, each with equal chance.
func (p *pass) compareSample(ctx context.Context) error {
	p.Display.Phase("choose documents", -1, "documents")
	var chosen []known
	seen := 0
	for _, entity := range p.options.Entities {
		err := p.fold.Each(ctx, entity, func(key document.Key, state document.State) error {
			p.Display.Add(1)
			seen++
			if len(chosen) < p.options.Sample {
				chosen = append(chosen, known{key, state})
			} else if i := rand.IntN(seen); i < len(chosen) { //nolint:gosec // nobody gains by guessing it
				chosen[i] = known{key, state}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	p.Display.Phase("compare", int64(len(chosen)), "documents")
	w := window{pass: p}
	for _, k := range chosen {
		if err := w.add(ctx, k); err != nil {
			return err
		}
	}
	if err := w.compare(ctx); err != nil {
		return err
	}
	return p.settle(ctx)
}

// window gathers documents for a few requests that are sent side by side.
type window struct {
	*pass
	batches [][]known
	bytes   int // of the last batch
}

// add gathers one more, and compares all when they are enough.
func (w *window) add(ctx context.Context, k known) error {
	w.gather(k)
	if len(w.batches) <= requests {
		return nil
	}
	begun := w.batches[requests]
	w.batches = w.batches[:requests]
	err := w.compare(ctx)
	w.batches = append(w.batches, begun)
	return err
}

// gather puts a document into a batch of its entity.
func (w *window) gather(k known) {
	size, last := k.state.Size(), len(w.batches)-1
	if last < 0 || len(w.batches[last]) >= batchDocuments || w.bytes+size > batchBytes || w.batches[last][0].Entity != k.Entity {
		w.batches, w.bytes = append(w.batches, nil), 0
		last++
	}
	w.batches[last] = append(w.batches[last], k)
	w.bytes += size
}

// compare reads what was gathered from the index. Those documents that are not what
// the fold says become suspects, which are settled where they take too much memory.
func (w *window) compare(ctx context.Context) error {
	group, comparing := errgroup.WithContext(ctx)
	for _, batch := range w.batches {
		group.Go(func() error { return w.compareBatch(comparing, batch) })
	}
	w.batches = nil
	if err := group.Wait(); err != nil {
		return err
	}
	return w.settleIfLarge(ctx)
}

func (p *pass) compareBatch(ctx context.Context, batch []known) error {
	stored, err := p.documents(ctx, batch)
	if err != nil {
		return err
	}
	folded := make([]document.State, len(batch))
	for i := range batch {
		folded[i] = batch[i].state
	}
	return p.compareEach(stored, folded)
}

// compareEach takes those documents, of one entity, for suspects that are not what
// was folded of them.
func (p *pass) compareEach(stored []index.Stored, folded []document.State) error {
	var wrong []*suspect
	for i, s := range stored {
		if isSame(s, folded[i]) {
			continue
		}
		if s.Read(); errors.Is(s.Err, document.ErrNewer) {
			return fmt.Errorf("%s/%s: %w", p.indices[s.Entity], s.ID, s.Err)
		}
		wrong = append(wrong, &suspect{Stored: s, folded: folded[i]})
	}
	p.Display.Add(int64(len(stored)))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.findings.checked(stored[0].Entity, int64(len(stored)))
	p.suspect(wrong...)
	return nil
}

// suspect remembers documents until settle.
func (p *pass) suspect(list ...*suspect) {
	const overhead = 512 // of one, roughly
	for _, s := range list {
		// The source lies there as it came and taken apart; what the log says of it is
		// about as much.
		p.bytes += overhead + 3*len(s.Source) + 2*s.folded.Size()
	}
	p.suspects = append(p.suspects, list...)
}

// documents reads documents of one entity, of which one or more are asked for.
func (p *pass) documents(ctx context.Context, batch []known) ([]index.Stored, error) {
	entity, ids := batch[0].Entity, make([]string, len(batch))
	for i, k := range batch {
		ids[i] = k.ID
	}
	stored, err := index.Patiently(ctx, func() ([]index.Stored, error) {
		return p.Client.Documents(ctx, p.indices[entity], entity, ids)
	})
	if err != nil {
		return nil, fmt.Errorf("read from %s: %w", p.indices[entity], err)
	}
	return stored, nil
}
