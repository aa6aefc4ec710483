package index

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/internal/document"
)

const (
	firstPage   = 100 // documents, of which nobody knows yet how large they are
	largestPage = 5000
	pageBytes   = 2 << 20
)

// ScanOptions says what a Scan hands over, and how. The zero value is for every
// document with its contents.
type ScanOptions struct {
	Unread bool // leave it to the caller to read State out of Source, by [Stored.Read]
	// Tombstones, where it is set, leaves out all but the tombstones whose
	// deleted_at is before it.
	Tombstones time.Time
	Page       int // documents of one answer, 1 to 10000; 0 for about 2 MB of them
}

// Scan hands every document of an index, as of this moment, to fn: each once, in
// pages, in no particular order. Of an alias it takes what the alias's filter lets
// through. What was acknowledged before the call is in it; what is written meanwhile
// is not, and SeqNo tells whether a document has changed since. An error of fn ends
// the scan. The shards are read side by side, so in memory are up to two pages of
// each, beside what fn keeps.
//
// Requests that can't be served just now are repeated for up to a minute. The
// primary shards have to stay where they are: a moved or restarted one ends the
// scan with an error. OpenSearch 2.4 is the oldest that can do this.
func (c *Client) Scan(ctx context.Context, index string, entity document.Entity, o ScanOptions, fn func([]Stored) error) error {
	at, err := Patiently(ctx, func() (pointInTime, error) {
		if err := c.refresh(ctx, index); err != nil {
			return pointInTime{}, err
		}
		return c.openPointInTime(ctx, index)
	})
	if err != nil {
		return fmt.Errorf("open a point in time of %s: %w", index, err)
	}
	defer c.closePointInTime(ctx, at)
	s := scan{client: c, entity: entity, options: o, at: at, pages: make(chan []Stored)}
	if err := s.run(ctx, fn); err != nil {
		return fmt.Errorf("scan %s: %w", index, err)
	}
	return nil
}

// scan is one Scan under way.
type scan struct {
	client  *Client
	entity  document.Entity
	options ScanOptions
	at      pointInTime
	pages   chan []Stored
}

// run hands pages to fn, while the next ones are read.
func (s *scan) run(ctx context.Context, fn func([]Stored) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	for shard := range s.at.shards {
		group.Go(func() error { return s.read(ctx, shard) })
	}
	ended := make(chan error, 1)
	go func() {
		ended <- group.Wait()
		close(s.pages)
	}()
	var failed error
	for page := range s.pages {
		if failed == nil {
			if failed = fn(page); failed != nil {
				stop()
			}
		}
	}
	return cmp.Or(failed, <-ended)
}

// read sends the documents of one shard.
func (s *scan) read(ctx context.Context, shard int) error {
	var after jsontext.Value
	size := cmp.Or(s.options.Page, firstPage)
	for {
		hits, err := s.search(ctx, s.query(shard, size, after))
		if err != nil || len(hits) == 0 {
			return err
		}
		page := make([]Stored, len(hits))
		for i := range hits {
			hits[i].Found = true
			page[i] = hits[i].as(document.Key{Entity: s.entity, ID: hits[i].ID})
			if !s.options.Unread {
				page[i].Read()
			}
		}
		select {
		case s.pages <- page:
		case <-ctx.Done():
			return ctx.Err()
		}
		if len(hits) < size {
			return nil
		}
		after = hits[len(hits)-1].Sort
		if s.options.Page == 0 {
			size = fitting(page)
		}
	}
}

// fitting returns how many documents of the size of these make a page.
func fitting(page []Stored) int {
	const frame = 200 // of one document in an answer, about
	bytes := 0
	for i := range page {
		bytes += frame + len(page[i].Source)
	}
	return min(max(pageBytes*len(page)/bytes, 1), largestPage)
}

// query asks for the documents of one shard that come after the given one. They are
// taken in the order in which they lie, which only one shard's have, and which alone
// lets OpenSearch go on where it was: by _shard_doc (3.3 and later) or in slices of
// a shard it goes through all that came before, for every page anew.
func (s *scan) query(shard, size int, after jsontext.Value) map[string]any {
	query := map[string]any{
		"pit":                 map[string]any{"id": s.at.id, "keep_alive": pointInTimeLife},
		"sort":                []string{"_doc"},
		"size":                size,
		"track_total_hits":    false,
		"seq_no_primary_term": true,
	}
	if s.at.shards > 1 { // as many slices as shards: each is one shard
		query["slice"] = map[string]any{"id": shard, "max": s.at.shards}
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

// search asks for one page.
func (s *scan) search(ctx context.Context, query map[string]any) ([]hit, error) {
	var answer struct {
		Hits struct {
			Hits []hit `json:"hits"`
		} `json:"hits"`
	}
	whole := false // one shard's silence is an error, not a shorter answer
	return Patiently(ctx, func() ([]hit, error) {
		err := s.client.ask(ctx, opensearchapi.SearchRequest{Body: encoded(query), AllowPartialSearchResults: &whole}, &answer)
		return answer.Hits.Hits, err
	})
}
