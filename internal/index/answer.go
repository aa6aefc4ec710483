package index

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

// bulkFilter trims a bulk response to what outcomes need, in wildcards because
// an item is named after its operation: an action that a missing ingest pipeline
// stopped comes back as "index", not "update" (seen on 3.8.0). Every item has a
// status, so none is dropped. The body of a refused whole request is never
// filtered.
func bulkFilter() []string {
	return []string{
		"items.*.status", "items.*.result", "items.*._index",
		"items.*.error.type", "items.*.error.reason", "items.*.error.caused_by",
	}
}

// item is what a bulk response says of one action.
type item struct {
	Index  string `json:"_index"`
	Status int    `json:"status"`
	Result string `json:"result"`
	Error  *fault `json:"error"`
}

// readItems reads the items of a bulk response, in the order of its actions.
func readItems(body []byte, want int) ([]item, error) {
	var response struct {
		Items []map[string]item `json:"items"`
	}
	if err := json.Unmarshal(body, &response); err != nil {
		return nil, fmt.Errorf("read bulk response: %w", err)
	}
	if len(response.Items) != want {
		return nil, fmt.Errorf("read bulk response: %d items for %d actions", len(response.Items), want)
	}
	items := make([]item, 0, want)
	for _, named := range response.Items {
		if len(named) != 1 {
			return nil, errors.New("read bulk response: an item without a single operation")
		}
		for _, it := range named {
			items = append(items, it)
		}
	}
	return items, nil
}

// outcome returns what the item says of its action; visible is the action's own.
func (it item) outcome(visible bool) Outcome {
	if it.Error != nil {
		return refused(it.Status, *it.Error)
	}
	switch it.Result {
	case "created", "updated", "deleted":
		if visible {
			return Outcome{Result: Written, Index: it.Index}
		}
		return Outcome{Result: Deleted, Index: it.Index}
	case "noop":
		return Outcome{Result: Stale, Index: it.Index}
	}
	// Not known to happen. To take it for written could lose the action.
	words := fmt.Sprintf("bulk item with status %d and result %q", it.Status, it.Result)
	return Outcome{Result: Retry, Reason: ReasonOther, Words: capped(words)}
}
