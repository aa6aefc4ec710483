package index

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
		Items items `json:"items"`
	}
	response.Items = make(items, 0, want)
	if err := json.Unmarshal(body, &response); err != nil {
		return nil, fmt.Errorf("read bulk response: %w", err)
	}
	if len(response.Items) != want {
		return nil, fmt.Errorf("read bulk response: %d items for %d actions", len(response.Items), want)
	}
	return response.Items, nil
}

// items are those of a bulk response. Without errors most of them are the same
// bytes, as bulkFilter leaves out what tells them apart; so each kind is read once.
type items []item

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (list *items) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '[' {
		return errors.Join(errors.New("items are not a list"), err)
	}
	known := map[string]item{}
	for dec.PeekKind() != ']' {
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		it, ok := known[string(raw)]
		if !ok {
			if it, err = readItem(raw); err != nil {
				return err
			}
			known[string(raw)] = it
		}
		*list = append(*list, it)
	}
	_, err := dec.ReadToken()
	return err
}

// readItem reads {"OPERATION":{…}}.
func readItem(raw jsontext.Value) (item, error) {
	var named map[string]item
	if err := json.Unmarshal(raw, &named); err != nil {
		return item{}, err
	}
	for _, it := range named {
		if len(named) == 1 {
			return it, nil
		}
	}
	return item{}, errors.New("an item without a single operation")
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
