package index

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/document"
)

// KeptIndex is an index that was replaced and is kept for a way back.
type KeptIndex struct {
	Index     string
	Origin    Origin
	Closed    bool
	Documents int64 // with tombstones; 0 for a closed index
	Bytes     int64 // on disk, of the primary shards
	Created   time.Time
}

// Kept returns the indices of an entity that are neither live nor on their way to
// go live, newest first by name. One that has a name of another kind, or to which
// any alias leads, is an operator's own and is left out.
func (c *Client) Kept(ctx context.Context, entity document.Entity) ([]KeptIndex, error) {
	found, s, err := c.ownIndices(ctx, entity)
	if err != nil {
		return nil, err
	}
	sizes, err := c.sizes(ctx, s.names.Pattern)
	if err != nil {
		return nil, err
	}
	var kept []KeptIndex
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(found))) {
		own := found[name]
		if !s.names.isIndex(name) || len(own.Aliases) > 0 {
			continue
		}
		origin, err := own.origin()
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", name, err)
		}
		size := sizes[name].Primaries
		kept = append(kept, KeptIndex{
			Index: name, Origin: origin, Closed: own.isClosed(), Documents: size.Docs.Count, Bytes: size.Store.Bytes,
			Created: time.UnixMilli(own.Settings.Index.Created).UTC(),
		})
	}
	return kept, nil
}

// indexSize is an index as _stats describes it.
type indexSize struct {
	Primaries struct {
		Docs struct {
			Count int64 `json:"count"`
		} `json:"docs"`
		Store struct {
			Bytes int64 `json:"size_in_bytes"`
		} `json:"store"`
	} `json:"primaries"`
}

// sizes returns the indices behind name by their own names.
func (c *Client) sizes(ctx context.Context, name string) (map[string]indexSize, error) {
	skipClosed := false
	stats := opensearchapi.IndicesStatsRequest{
		Index: []string{name}, Metric: []string{"docs", "store"}, ExpandWildcards: "all",
		ForbidClosedIndices: &skipClosed, FilterPath: []string{"indices.*.primaries"},
	}
	var answer struct {
		Indices map[string]indexSize `json:"indices"`
	}
	if err := c.ask(ctx, stats, &answer); err != nil {
		return nil, fmt.Errorf("ask for the size of %s: %w", name, err)
	}
	return answer.Indices, nil
}

// StoreSize returns what the primary shards of an index take on disk and how many
// documents they hold, tombstones included, as of the last refresh. An alias that
// leads to one index stands for it.
func (c *Client) StoreSize(ctx context.Context, index string) (primaryBytes, docs int64, err error) {
	sizes, err := c.sizes(ctx, index)
	for _, size := range sizes {
		primaryBytes += size.Primaries.Store.Bytes
		docs += size.Primaries.Docs.Count
	}
	return primaryBytes, docs, err
}

// DropNext deletes an index that did not go live, with its private alias. It
// refuses one that is live, or is another index under the same name; one that is
// gone already is no error.
func (c *Client) DropNext(ctx context.Context, next Next) error {
	return c.drop(ctx, next.Entity, next.Index, func(s standing, own ownIndex) error {
		if now := s.of(next.Index); now != StandingNext || own.Settings.Index.UUID != next.UUID {
			return fmt.Errorf("it is %s and has id %s, not %s with id %s", now, own.Settings.Index.UUID, StandingNext, next.UUID)
		}
		return nil
	})
}

// DropKept deletes a kept index. It refuses every other, such as one to which any
// alias leads, and any where no index is live; one that is gone already is no error.
func (c *Client) DropKept(ctx context.Context, index string) error {
	isOurs := func(entity document.Entity) bool { return c.names(entity).isIndex(index) }
	at := slices.IndexFunc(Entities(), isOurs)
	if at < 0 {
		return fmt.Errorf("delete index %s: its name is none of ours", index)
	}
	return c.drop(ctx, Entities()[at], index, func(s standing, own ownIndex) error {
		if now := s.of(index); now != StandingKept || len(own.Aliases) > 0 {
			return fmt.Errorf("it is %s and %d aliases lead to it", now, len(own.Aliases))
		}
		return nil
	})
}

// drop deletes an index of an entity that may go. The deletion is one step with the
// check that the index which is live is so still, hence the dropped one is not.
func (c *Client) drop(ctx context.Context, entity document.Entity, index string, check func(standing, ownIndex) error) error {
	found, s, err := c.ownIndices(ctx, entity)
	if err != nil {
		return err
	}
	own, ok := found[index]
	if !ok {
		return nil
	}
	if err := check(s, own); err != nil {
		return fmt.Errorf("delete index %s: %w", index, err)
	}
	var actions []aliasAction
	if s.target != "" {
		actions = stillLive(s.names, s.target)
	}
	actions = append(actions, aliasAction{"remove_index": map[string]any{"index": index}})
	refusal := c.updateAliases(ctx, actions...)
	if refusal == nil {
		return nil
	}
	if found, s, err = c.ownIndices(ctx, entity); err == nil {
		if _, ok := found[index]; !ok {
			return nil
		}
		if check(s, found[index]) != nil {
			refusal = fmt.Errorf("%w: %w", ErrMoved, refusal)
		}
	}
	return fmt.Errorf("delete index %s: %w", index, refusal)
}
