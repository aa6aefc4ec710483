package verify

import (
	"context"
	"fmt"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// fewOrphans may always be removed; more only where they are under a twentieth of all
// documents. Else a topic may be missing from KAFKA_TOPICS, or have been made again.
const (
	fewOrphans  = 100
	orphanShare = 20
)

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

const scanPage = 5000 // ids are small

// orphaned remembers a document that is to be removed.
func (p *pass) orphaned(key document.Key) {
	if int64(len(p.orphans)) >= max(fewOrphans, p.findings.documents()/orphanShare) {
		p.spared++
		return
	}
	p.orphans = append(p.orphans, key)
}

// removeOrphans removes those for which there is still no event.
func (p *pass) removeOrphans(ctx context.Context) error {
	if len(p.orphans) == 0 {
		return nil
	}
	if p.spared > 0 {
		p.report.note(fmt.Sprintf("%d orphaned documents are over 5 %% of all and were left: check KAFKA_TOPICS, KAFKA_TOPIC_PREFIX and whether a topic was made again; --accept-fewer removes them",
			int64(len(p.orphans))+p.spared))
		return nil
	}
	p.Display.Phase("remove orphans", int64(len(p.orphans)), "documents")
	for len(p.orphans) > 0 {
		n := min(batchDocuments, len(p.orphans))
		var batch []*suspect
		for _, key := range p.orphans[:n] {
			batch = append(batch, &suspect{Stored: index.Stored{Key: key}})
		}
		p.orphans = p.orphans[n:]
		p.Display.Add(int64(n))
		if err := p.mend(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}
