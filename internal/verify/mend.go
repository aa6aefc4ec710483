package verify

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/search-indexer/search-indexer/internal/index"
)

// mostTries is how often a document is judged anew that others write to.
const mostTries = 10

// Repair is what became of documents that differed.
type Repair struct {
	Mended  int64 `json:"mended"`  // right now, be it by a worker's own write
	Refused int64 `json:"refused"` // by OpenSearch, for their contents
	Left    int64 `json:"left"`    // in spite of some tries, or as only a rebuild can mend them
}

// mend reads and judges documents anew, and writes those that are still wrong as they
// should be, unless somebody writes first; then, and where OpenSearch can't write
// just now, once more.
func (p *pass) mend(ctx context.Context, list []*suspect) error {
	wait := backoff.NewExponentialBackOff()
	for range mostTries {
		wrong, err := p.again(ctx, list)
		if err != nil {
			return err
		}
		p.repair.Mended += int64(len(list) - len(wrong))
		left := p.amend(ctx, wrong)
		if len(left) == 0 {
			return nil
		}
		list = left
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait.NextBackOff()):
		}
	}
	p.repair.Left += int64(len(list))
	return nil
}

// again returns those that are wrong still, as they are now.
func (p *pass) again(ctx context.Context, list []*suspect) ([]*suspect, error) {
	w := window{pass: p}
	var fresh []*suspect
	for _, s := range list {
		w.gather(known{s.Key, s.folded})
	}
	for _, batch := range w.batches {
		stored, err := p.documents(ctx, batch)
		if err != nil {
			return nil, err
		}
		for i, s := range stored {
			fresh = append(fresh, &suspect{Stored: s, folded: batch[i].state})
		}
	}
	if err := p.gather(ctx, fresh); err != nil {
		return nil, err
	}
	var wrong []*suspect
	for _, s := range fresh {
		if class, _ := p.rule.judge(s); class != Right && class != Unknown {
			wrong = append(wrong, s)
		}
	}
	return wrong, nil
}

// amend writes documents as they should be and returns those that have to be judged
// again.
func (p *pass) amend(ctx context.Context, wrong []*suspect) (left []*suspect) {
	for len(wrong) > 0 {
		batch := p.batch(wrong)
		wrong = wrong[len(batch):]
		var list []index.Amendment
		var written []*suspect
		for _, s := range batch {
			if s.Err != nil && !p.rule.complete {
				p.repair.Left++ // what it held of events that are gone can't be told
				continue
			}
			list, written = append(list, p.rule.amendment(s)), append(written, s)
		}
		for i, out := range p.Client.Amend(ctx, p.indices[batch[0].Entity], list) {
			switch out.Result {
			case index.Retry:
				left = append(left, written[i])
			case index.Rejected:
				p.repair.Refused++
				p.Logger.Warn().Str("document", written[i].Key.String()).Str("reason", out.Reason).Msg("OpenSearch refuses what the log says of a document")
			default:
				p.repair.Mended++
			}
		}
	}
	return left
}

// batch returns the first documents, of one entity, for one request.
func (p *pass) batch(list []*suspect) []*suspect {
	bytes := 0
	for i, s := range list {
		bytes += s.folded.Size() + s.published.Size()
		if i == batchDocuments || i > 0 && (bytes > batchBytes || s.Entity != list[0].Entity) {
			return list[:i]
		}
	}
	return list
}

// amendment puts a document right that is as it was read.
func (r rule) amendment(s *suspect) index.Amendment {
	a := index.Amendment{Key: s.Key, Kind: index.Replace, State: r.mended(s), SeqNo: s.SeqNo, PrimaryTerm: s.PrimaryTerm}
	switch {
	case a.State.IsZero():
		a.Kind = index.Remove
	case !s.Found:
		a.Kind, a.SeqNo, a.PrimaryTerm = index.Create, 0, 0
	}
	return a
}
