package index

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/document"
)

// ErrMoved says that another index went live meanwhile: by another rebuild, a
// rollback or an operator.
var ErrMoved = errors.New("another index went live meanwhile")

// Swap brings one index behind both aliases of its entity.
type Swap struct {
	From string // the index that is behind them; "" where there is none
	To   Next
}

// Swap makes all swaps in one step: searches and writes see either the old indices
// or the new ones. Where a From is not behind both aliases any more nothing is
// swapped, and the error is [ErrMoved]; of two rebuilds with the same From exactly
// one gets through. A nil error means that the swap stands, by this call or by one
// before whose answer got lost, so it may be repeated after any other error.
//
// A write that began before may still reach the old index, until [Client.BlockWrites].
func (c *Client) Swap(ctx context.Context, swaps []Swap) error {
	var actions []aliasAction
	for _, swap := range swaps {
		n := c.names(swap.To.Entity)
		// It changes nothing, but what was taken back meanwhile must not go live.
		actions = append(actions, removeAlias(swap.To.Index, swap.To.Alias), addAlias(swap.To.Index, swap.To.Alias))
		if swap.From != "" {
			actions = append(actions, removeAlias(swap.From, n.Read), removeAlias(swap.From, n.Write))
		}
		actions = append(actions, liveAliases(n, swap.To.Index)...)
	}
	refusal := c.updateAliases(ctx, actions...)
	if refusal == nil {
		return nil
	}
	refusal = fmt.Errorf("swap the aliases: %w", refusal)
	live, err := c.indices(ctx, c.aliasNames(), "*.aliases")
	if err != nil {
		return errors.Join(refusal, err)
	}
	isOpen := func(swap Swap) bool { return !c.standing(swap.To.Entity, live).isBehindBoth(swap.To.Index) }
	hasMoved := func(swap Swap) bool {
		s := c.standing(swap.To.Entity, live)
		return !s.isBehindBoth(swap.From) && (swap.From != "" || len(s.read)+len(s.write) > 0)
	}
	switch {
	case !slices.ContainsFunc(swaps, isOpen):
		return c.awaitEveryNode(ctx)
	case slices.ContainsFunc(swaps, hasMoved):
		return fmt.Errorf("%w: %w", ErrMoved, refusal)
	}
	return refusal
}

// Finish ends the rebuild of an index: its origin becomes next's with state done, and
// its private alias goes. It may be repeated after an error.
func (c *Client) Finish(ctx context.Context, next Next) error {
	origin := next.Origin
	origin.State = OriginDone
	if err := c.SetOrigin(ctx, next.Index, origin); err != nil {
		return err
	}
	err := c.updateAliases(ctx, removeAlias(next.Index, next.Alias))
	if err != nil && !isMissing(err) {
		return fmt.Errorf("remove alias %s: %w", next.Alias, err)
	}
	return nil
}

// aliasAction is one action of an _aliases request, whose actions are one change of
// the cluster's state: all of them happen or none.
type aliasAction map[string]any

func addAlias(index, alias string) aliasAction {
	return aliasAction{"add": map[string]any{"index": index, "alias": alias}}
}

// liveAliases brings an index behind both aliases. OpenSearch allows an alias one
// write index only, so this fails where another one has the write alias.
func liveAliases(n Names, index string) []aliasAction {
	return []aliasAction{
		{"add": map[string]any{"index": index, "alias": n.Read, "filter": hideTombstones()}},
		{"add": map[string]any{"index": index, "alias": n.Write, "is_write_index": true}},
	}
}

// removeAlias fails the request where that alias is not on that index (404).
func removeAlias(index, alias string) aliasAction {
	return aliasAction{"remove": map[string]any{"index": index, "alias": alias, "must_exist": true}}
}

// stillLive changes nothing, but fails the request where that index does not have
// the write alias any more.
func stillLive(n Names, index string) []aliasAction {
	return []aliasAction{
		removeAlias(index, n.Write),
		{"add": map[string]any{"index": index, "alias": n.Write, "is_write_index": true}},
	}
}

// updateAliases makes the actions in one step, and waits until every node knows.
func (c *Client) updateAliases(ctx context.Context, actions ...aliasAction) error {
	var answer struct {
		Acknowledged bool `json:"acknowledged"`
	}
	body := encoded(map[string]any{"actions": actions})
	if err := c.ask(ctx, opensearchapi.IndicesUpdateAliasesRequest{Body: body}, &answer); err != nil {
		return err
	}
	if !answer.Acknowledged {
		return c.awaitEveryNode(ctx)
	}
	return nil
}

func hideTombstones() map[string]any {
	return map[string]any{"bool": map[string]any{"must_not": isTombstone()}}
}

func isTombstone() map[string]any {
	return map[string]any{"term": map[string]any{document.SyncField + ".deleted": true}}
}
