package index

import (
	"context"
	"fmt"
	"net/http"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
)

// Serve makes a loaded index ready for searches: it gets the refresh interval and
// the replicas of its template, is refreshed, and every copy of its shards that the
// cluster has a node for is waited for, as long as ctx lasts. The note says where
// the cluster has too few nodes for all of them; "" where it has not. It may be
// repeated after an error.
func (c *Client) Serve(ctx context.Context, next Next) (note string, err error) {
	simulated, err := c.simulate(ctx, next.Index, nil)
	if err != nil {
		return "", err
	}
	wanted, changes := flat(simulated.Settings), map[string]any{}
	for name := range loadSettings() {
		changes[name] = wanted[name] // null where the template has none: the default
	}
	put := opensearchapi.IndicesPutSettingsRequest{Index: []string{next.Index}, Body: encoded(changes)}
	if err := c.ask(ctx, put, nil); err != nil {
		return "", fmt.Errorf("set the settings of index %s: %w", next.Index, err)
	}
	if err := c.refresh(ctx, next.Index); err != nil {
		return "", err
	}
	return c.awaitCopies(ctx, next.Index)
}

// refresh makes what was written to an index visible to searches.
func (c *Client) refresh(ctx context.Context, index string) error {
	var answer struct {
		Shards struct {
			Total  int `json:"total"`
			Failed int `json:"failed"`
		} `json:"_shards"`
	}
	if err := c.ask(ctx, opensearchapi.IndicesRefreshRequest{Index: []string{index}}, &answer); err != nil {
		return fmt.Errorf("refresh index %s: %w", index, err)
	}
	if answer.Shards.Failed > 0 {
		failed := fault{Reason: fmt.Sprintf("%d of %d shards failed", answer.Shards.Failed, answer.Shards.Total)}
		return fmt.Errorf("refresh index %s: %w", index, &serverError{status: http.StatusServiceUnavailable, fault: failed})
	}
	return nil
}

// Count refreshes an index and returns its documents, as one search sees them at
// one time: those that searches find through the read alias, and the tombstones.
func (c *Client) Count(ctx context.Context, index string) (visible, tombstones int64, err error) {
	if err := c.refresh(ctx, index); err != nil {
		return 0, 0, err
	}
	partial, total := false, 0
	search := opensearchapi.SearchRequest{
		Index: []string{index}, AllowPartialSearchResults: &partial, Size: &total, TrackTotalHits: true,
		Body: encoded(map[string]any{"aggs": map[string]any{"tombstones": map[string]any{"filter": isTombstone()}}}),
	}
	var answer struct {
		Hits struct {
			Total struct {
				Value int64 `json:"value"`
			} `json:"total"`
		} `json:"hits"`
		Aggregations struct {
			Tombstones struct {
				Count int64 `json:"doc_count"`
			} `json:"tombstones"`
		} `json:"aggregations"`
	}
	if err := c.ask(ctx, search, &answer); err != nil {
		return 0, 0, fmt.Errorf("count documents of %s: %w", index, err)
	}
	tombstones = answer.Aggregations.Tombstones.Count
	return answer.Hits.Total.Value - tombstones, tombstones, nil
}
