package index

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/internal/document"
)

const (
	scanSlices   = 2
	scanPage     = 500
	scanPatience = time.Minute // for requests that can't be served just now
)

// ScanOptions says what a Scan hands over, and how. The zero value is for every
// document with its contents.
type ScanOptions struct {
	IDsOnly bool // leave out Source and State
	// Tombstones, where it is set, leaves out all but the tombstones whose
	// deleted_at is before it.
	Tombstones time.Time
	Slices     int // requests side by side, 1 to 1024; 0 for 2
	Page       int // documents of one answer, 1 to 10000; 0 for 500
}

// Scan hands every document of an index, as of this moment, to fn: each once, in
// pages, in no particular order. Of an alias it takes what the alias's filter lets
// through. What was acknowledged before the call is in it; what is written meanwhile
// is not, and SeqNo tells whether a document has changed since. fn is never called
// twice at a time, and its error ends the scan.
//
// Requests that can't be served just now are repeated for up to a minute. The
// primary shards have to stay where they are: a moved or restarted one ends the
// scan with an error. OpenSearch 2.4 is the oldest that can do this. In memory are
// at most Slices pages.
func (c *Client) Scan(ctx context.Context, index string, entity document.Entity, o ScanOptions, fn func([]Stored) error) error {
	if err := c.refresh(ctx, index); err != nil {
		return fmt.Errorf("refresh %s: %w", index, err)
	}
	id, err := c.openPointInTime(ctx, index)
	if err != nil {
		return fmt.Errorf("open a point in time of %s: %w", index, err)
	}
	defer c.closePointInTime(ctx, id)
	if o.Slices == 0 {
		o.Slices = scanSlices
	}
	if o.Page == 0 {
		o.Page = scanPage
	}
	s := scan{client: c, entity: entity, options: o, pointInTime: id, fn: fn}
	group, ctx := errgroup.WithContext(ctx)
	for slice := range o.Slices {
		group.Go(func() error { return s.run(ctx, slice) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("scan %s: %w", index, err)
	}
	return nil
}

// scan is one Scan under way.
type scan struct {
	client      *Client
	entity      document.Entity
	options     ScanOptions
	pointInTime string

	mu sync.Mutex // held while fn runs
	fn func([]Stored) error
}

// run hands over the documents of one slice.
func (s *scan) run(ctx context.Context, slice int) error {
	var after jsontext.Value
	for {
		hits, err := s.search(ctx, s.query(slice, after))
		if err != nil || len(hits) == 0 {
			return err
		}
		page := make([]Stored, len(hits))
		for i := range hits {
			hits[i].Found = true
			page[i] = hits[i].as(document.Key{Entity: s.entity, ID: hits[i].ID})
		}
		if err := s.hand(ctx, page); err != nil {
			return err
		}
		if len(hits) < s.options.Page {
			return nil
		}
		after = hits[len(hits)-1].Sort
	}
}

// hand calls fn, unless another slice's call was the last.
func (s *scan) hand(ctx context.Context, page []Stored) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.fn(page)
}

func (s *scan) query(slice int, after jsontext.Value) map[string]any {
	query := map[string]any{
		"pit":                 map[string]any{"id": s.pointInTime, "keep_alive": pointInTimeLife},
		"sort":                []string{"_shard_doc"}, // the order in which they lie: nothing is sorted
		"size":                s.options.Page,
		"track_total_hits":    false,
		"seq_no_primary_term": true,
	}
	if s.options.Slices > 1 {
		query["slice"] = map[string]any{"id": slice, "max": s.options.Slices}
	}
	if s.options.IDsOnly {
		query["_source"] = false
	}
	if after != nil {
		query["search_after"] = after
	}
	if before := s.options.Tombstones; !before.IsZero() {
		query["query"] = tombstones(before)
	}
	return query
}

// tombstones finds deleted documents by the time of their delete.
func tombstones(before time.Time) map[string]any {
	const sync = document.SyncField
	return map[string]any{"bool": map[string]any{"filter": []any{
		map[string]any{"term": map[string]any{sync + ".deleted": true}},
		map[string]any{"range": map[string]any{sync + ".deleted_at": map[string]any{"lt": before.UnixMilli()}}},
	}}}
}

// hit is a document that a search found.
type hit struct {
	storedDocument
	Sort jsontext.Value `json:"sort"`
}

// search asks for one page, and again where OpenSearch can't serve it just now.
func (s *scan) search(ctx context.Context, query map[string]any) ([]hit, error) {
	var answer struct {
		Hits struct {
			Hits []hit `json:"hits"`
		} `json:"hits"`
	}
	whole := false // one shard's silence is an error, not a shorter answer
	_, err := backoff.Retry(ctx, func() (any, error) {
		err := s.client.ask(ctx, opensearchapi.SearchRequest{Body: encoded(query), AllowPartialSearchResults: &whole}, &answer)
		if err != nil && !passes(err) {
			return nil, backoff.Permanent(err)
		}
		return nil, err
	}, backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(scanPatience))
	return answer.Hits.Hits, err
}

// passes tells whether a failed request may succeed by waiting.
func passes(err error) bool {
	var refusal *serverError
	if !errors.As(err, &refusal) {
		return true // no answer at all
	}
	return refusal.status == http.StatusTooManyRequests || refusal.status == http.StatusServiceUnavailable
}
