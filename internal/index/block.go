package index

import (
	"context"
	"fmt"
	"time"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
)

// BlockWrites keeps writes from an index and returns when none is under way in it
// any more: each that came before has ended, each that comes later is refused with
// 403, which is a Retry. Nothing gets into an index that is gone, either. It tries until it succeeds, is refused, or ctx ends.
func (c *Client) BlockWrites(ctx context.Context, index string) error {
	const pause = 500 * time.Millisecond
	for {
		var answer struct {
			Acknowledged bool `json:"shards_acknowledged"`
		}
		block := opensearchapi.IndicesAddBlockRequest{Index: []string{index}, Block: "write"}
		if err := c.ask(ctx, block, &answer); isMissing(err) {
			return nil
		} else if err != nil {
			return fmt.Errorf("block writes to index %s: %w", index, err)
		}
		if answer.Acknowledged {
			return nil
		}
		// Not every shard answered in time, or the block stood before, where
		// OpenSearch waits for nothing (3.8.0). Only one that is new waits.
		if err := c.UnblockWrites(ctx, index); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("block writes to index %s: %w", index, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// UnblockWrites takes back what BlockWrites did. It may be repeated.
func (c *Client) UnblockWrites(ctx context.Context, index string) error {
	put := opensearchapi.IndicesPutSettingsRequest{Index: []string{index}, Body: encoded(map[string]any{"index.blocks.write": nil})}
	if err := c.ask(ctx, put, nil); err != nil {
		return fmt.Errorf("unblock writes to index %s: %w", index, err)
	}
	return nil
}
