package index

import (
	"context"
	"fmt"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Overview is the index of one entity as an operator looks at it.
type Overview struct {
	Entity     document.Entity
	Alias      string // read alias
	Index      string // concrete index that takes the writes; empty where that is not clear
	Documents  int64  // that searches can find, as of the last refresh
	Tombstones int64  // deleted documents that are kept
}

// Overview returns how the indices of all entities stand. An entity without an
// index has only its names.
func (c *Client) Overview(ctx context.Context) ([]Overview, error) {
	live, err := c.indices(ctx, c.aliasNames(), "*.aliases")
	if err != nil {
		return nil, err
	}
	var all []Overview
	for _, entity := range Entities() {
		s := c.standing(entity, live)
		o := Overview{Entity: entity, Alias: s.names.Read, Index: s.target}
		if s.target != "" && len(s.read) > 0 {
			if o.Documents, err = c.count(ctx, s.names.Read); err != nil {
				return nil, err
			}
			total, err := c.count(ctx, s.target)
			if err != nil {
				return nil, err
			}
			o.Tombstones = total - o.Documents
		}
		all = append(all, o)
	}
	return all, nil
}

// count returns the documents that a search of name can find.
func (c *Client) count(ctx context.Context, name string) (int64, error) {
	var answer struct {
		Count int64 `json:"count"`
	}
	if err := c.ask(ctx, opensearchapi.CountRequest{Index: []string{name}}, &answer); err != nil {
		return 0, fmt.Errorf("count documents of %s: %w", name, err)
	}
	return answer.Count, nil
}
