package verify

import (
	"context"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

const scanPage = 5000 // ids are small

// findOrphans looks for documents of an entity that the fold does not know.
func (p *pass) findOrphans(ctx context.Context, entity document.Entity) error {
	p.Display.Phase("look for orphaned "+string(entity)+"s", -1, "documents")
	w := window{pass: p}
	err := p.Client.Scan(ctx, p.indices[entity], entity, index.ScanOptions{IDsOnly: true, Page: scanPage}, func(page []index.Stored) error {
		p.Display.Add(int64(len(page)))
		for _, s := range page {
			_, found, err := p.fold.Get(s.Key)
			if err != nil {
				return err
			}
			if found {
				continue
			}
			if err := w.add(ctx, known{Key: s.Key}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.compare(ctx); err != nil {
		return err
	}
	return p.settle(ctx)
}
