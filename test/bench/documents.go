package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// documents reads all that a side holds, in an order that mixes the entities as
// the worker's requests do.
func (b *bench) documents(ctx context.Context, s side) ([]doc, error) {
	var docs []doc
	for entity, alias := range e2e.Aliases(s.prefix) {
		// The write alias, since the read alias hides tombstones.
		some, err := b.scroll(ctx, entity, alias+"-write")
		if err != nil {
			return nil, fmt.Errorf("read the documents of %s: %w", alias, err)
		}
		docs = append(docs, some...)
	}
	if len(docs) == 0 {
		return nil, errors.New("the worker left no documents")
	}
	order := rand.New(rand.NewPCG(b.options.seed, 0))
	order.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
	return docs, nil
}

func (b *bench) scroll(ctx context.Context, entity, index string) ([]doc, error) {
	if err := b.cluster.Do(ctx, http.MethodPost, "/"+index+"/_refresh", "", nil); err != nil {
		return nil, err
	}
	var page struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct {
			Hits []struct {
				ID     string         `json:"_id"`
				Source jsontext.Value `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	var docs []doc
	err := b.cluster.Do(ctx, http.MethodPost, "/"+index+"/_search?scroll=1m", `{"size":2000,"sort":["_doc"]}`, &page)
	for err == nil && len(page.Hits.Hits) > 0 {
		for _, h := range page.Hits.Hits {
			docs = append(docs, doc{entity, h.ID, h.Source})
		}
		next := `{"scroll":"1m","scroll_id":"` + page.Scroll + `"}`
		page.Hits.Hits = nil
		err = b.cluster.Do(ctx, http.MethodPost, "/_search/scroll", next, &page)
	}
	return docs, err
}

// countDocuments counts all that a side holds, tombstones included.
func (b *bench) countDocuments(ctx context.Context, s side) (int, error) {
	names := s.prefix + "posts-write," + s.prefix + "artists-write"
	if err := b.cluster.Do(ctx, http.MethodPost, "/"+names+"/_refresh", "", nil); err != nil {
		return 0, err
	}
	var answer struct{ Count int }
	err := b.cluster.Do(ctx, http.MethodGet, "/"+names+"/_count", "", &answer)
	return answer.Count, err
}

// countWrites counts the actions that OpenSearch carried out for a side, those
// that changed nothing included.
func (b *bench) countWrites(ctx context.Context, s side) (int, error) {
	var answer struct {
		All struct {
			Primaries struct {
				Indexing struct {
					Index int `json:"index_total"`
					Noop  int `json:"noop_update_total"`
				} `json:"indexing"`
			} `json:"primaries"`
		} `json:"_all"`
	}
	names := s.prefix + "posts-write," + s.prefix + "artists-write"
	err := b.cluster.Do(ctx, http.MethodGet, "/"+names+"/_stats/indexing", "", &answer)
	return answer.All.Primaries.Indexing.Index + answer.All.Primaries.Indexing.Noop, err
}

// countBytes is what the indices of a side take on disk, tombstones included.
func (b *bench) countBytes(ctx context.Context, s side) (int, error) {
	var answer struct {
		All struct {
			Primaries struct {
				Store struct {
					Bytes int `json:"size_in_bytes"`
				} `json:"store"`
			} `json:"primaries"`
		} `json:"_all"`
	}
	names := s.prefix + "posts-write," + s.prefix + "artists-write"
	if err := b.cluster.Do(ctx, http.MethodPost, "/"+names+"/_flush", "", nil); err != nil {
		return 0, err
	}
	err := b.cluster.Do(ctx, http.MethodGet, "/"+names+"/_stats/store", "", &answer)
	return answer.All.Primaries.Store.Bytes, err
}
