package verify

import (
	"context"
	"fmt"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// A repair takes away what a document holds beyond all events: it removes orphans, and
// brings back what no event has deleted. Where many documents hold such, it is rather
// the log that is wrong: a topic is missing from KAFKA_TOPICS, or was made again. So
// few of these are mended, more only where they are under a twentieth of all documents.
const (
	fewDoubtful   = 100
	doubtfulShare = 20
	mostDoubtful  = 1_000_000 // that are remembered
)

// isDoubtful tells whether to mend a document would take something away.
func (r rule) isDoubtful(s *suspect) bool {
	mended := r.mended(s)
	return mended.IsZero() || !document.Equal(document.Join(mended, s.State), mended)
}

// doubt remembers a document until it is known how many there are.
func (p *pass) doubt(key document.Key) {
	p.doubtfulCount++
	if len(p.doubtful) < mostDoubtful {
		p.doubtful = append(p.doubtful, key)
	}
}

// mendDoubtful mends the doubtful documents that still are wrong, if they are few.
func (p *pass) mendDoubtful(ctx context.Context) error {
	if p.doubtfulCount == 0 {
		return nil
	}
	if p.doubtfulCount > max(fewDoubtful, min(p.findings.documents()/doubtfulShare, mostDoubtful)) {
		p.repair.Left += p.doubtfulCount
		p.report.note(fmt.Sprintf("%d documents hold what no event says, over 5 %% of all, and were left: check KAFKA_TOPICS, KAFKA_TOPIC_PREFIX and whether a topic was made again; --accept-fewer mends them too", p.doubtfulCount))
		return nil
	}
	p.Display.Phase("mend what holds more than the log", p.doubtfulCount, "documents")
	for len(p.doubtful) > 0 {
		n := min(batchDocuments, len(p.doubtful))
		batch := make([]*suspect, n)
		for i, key := range p.doubtful[:n] {
			folded, _, err := p.fold.Get(key)
			if err != nil {
				return err
			}
			batch[i] = &suspect{Stored: index.Stored{Key: key}, folded: folded}
		}
		p.doubtful = p.doubtful[n:]
		p.Display.Add(int64(n))
		if err := p.mend(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}
