// Package purge removes the tombstones of documents whose delete is so long ago
// that no event from before it is still to come. It is not for dead letters (package
// dlq), nor for documents that can be found.
package purge

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

const patience = time.Minute // for writes that OpenSearch can't take just now

// Before returns the bound of a purge: tombstones of deletes before it may go. What
// counts is how long after a delete an older event could still arrive. All that is
// read by now arrived by now; of what is unread, the earliest record arrived at its
// own time, however long ago that is. So a lag as long as the age costs nothing.
func Before(now time.Time, age time.Duration, unread *Unread) time.Time {
	if unread != nil && unread.At.Before(now) {
		now = unread.At
	}
	return now.Add(-age)
}

// Request says what to purge.
type Request struct {
	Before   time.Time   // tombstones of deletes before it go, by the delete's Kafka timestamp
	DryRun   bool        // count them, remove nothing
	Progress func(Count) // where it is set, told after each page of an index
}

// Count is what became of the tombstones of one entity.
type Count struct {
	Entity  document.Entity `json:"entity"`
	Index   string          `json:"index"`   // which takes the writes; kept ones are left alone
	Found   int             `json:"found"`   // tombstones past the bound
	Removed int             `json:"removed"` // 0 in a dry run
	Kept    int             `json:"kept"`    // written meanwhile: restored, or deleted anew
}

// Run removes tombstones from the index that each entity's write alias leads to, and
// returns what it did, also beside an error. A document that is written meanwhile
// stays. Ending ctx ends it after the request under way; to repeat it is harmless.
func Run(ctx context.Context, client *index.Client, r Request) ([]Count, error) {
	targets, err := index.NewCatalog(client).Refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the indices: %w", err)
	}
	var counts []Count
	for _, entity := range index.Entities() {
		target, found := targets[entity]
		if !found {
			return counts, fmt.Errorf("no index takes the writes of %ss: `indexer status` says why", entity)
		}
		p := pass{client: client, request: r, Count: Count{Entity: entity, Index: target.Index}}
		err := client.Scan(ctx, target.Index, entity, index.ScanOptions{Tombstones: r.Before}, func(page []index.Stored) error {
			return p.take(ctx, page)
		})
		counts = append(counts, p.Count)
		if err != nil {
			return counts, fmt.Errorf("purge %s: %w", target.Index, err)
		}
	}
	return counts, nil
}

// pass is the purge of one index.
type pass struct {
	Count
	client  *index.Client
	request Request
}

func (p *pass) take(ctx context.Context, page []index.Stored) error {
	due := p.due(page)
	p.Found += len(due)
	if !p.request.DryRun {
		if err := p.remove(ctx, due); err != nil {
			return err
		}
	}
	if p.request.Progress != nil {
		p.request.Progress(p.Count)
	}
	return nil
}

// due returns those that may go. It does not rely on what the search said: that is
// the mapping's word, this is the document's.
func (p *pass) due(page []index.Stored) []index.Stored {
	var due []index.Stored
	for _, d := range page {
		if d.Found && d.Err == nil && !d.State.Visible() && !d.State.Floor.IsZero() && d.State.DeletedAt < p.request.Before.UnixMilli() {
			due = append(due, d)
		}
	}
	return due
}

// remove removes documents that are as they were read. Those of which no answer
// tells, or that somebody wrote first, are read and judged again.
func (p *pass) remove(ctx context.Context, due []index.Stored) error {
	_, err := backoff.Retry(ctx, func() (any, error) {
		left, reason := p.try(ctx, due)
		if len(left) == 0 {
			return nil, nil
		}
		var err error
		if due, err = p.again(ctx, left); err != nil || len(due) == 0 {
			return nil, err
		}
		return nil, fmt.Errorf("OpenSearch does not take the removals: %s", reason)
	}, backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(patience))
	return err
}

// try returns those that were not removed, and why the last of them was not.
func (p *pass) try(ctx context.Context, due []index.Stored) (left []index.Stored, reason string) {
	if len(due) == 0 {
		return nil, ""
	}
	list := make([]index.Amendment, len(due))
	for i, d := range due {
		list[i] = index.Amendment{Key: d.Key, Kind: index.Remove, SeqNo: d.SeqNo, PrimaryTerm: d.PrimaryTerm}
	}
	for i, outcome := range p.client.Amend(ctx, p.Index, list) {
		if outcome.Result == index.Deleted {
			p.Removed++
			continue
		}
		left, reason = append(left, due[i]), outcome.Reason
	}
	return left, reason
}

// again reads what was not removed and returns what is still due.
func (p *pass) again(ctx context.Context, left []index.Stored) ([]index.Stored, error) {
	ids := make([]string, len(left))
	for i, d := range left {
		ids[i] = d.ID
	}
	now, err := p.client.Documents(ctx, p.Index, p.Entity, ids)
	if err != nil {
		return left, err
	}
	due := p.due(now)
	p.Kept += len(now) - len(due)
	for _, d := range now {
		if !d.Found { // removed by the request whose answer was lost
			p.Kept--
			p.Removed++
		}
	}
	return due, nil
}
