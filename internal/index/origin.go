package index

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/record"
)

// originMember is the member of a mapping's _meta that holds an Origin.
const originMember = "rebuild"

// OriginState says how far the rebuild of an index has come. The zero state is
// that of an index that no rebuild made, such as the first one of a setup.
type OriginState string

// How far a rebuild can have come.
const (
	OriginLoading  OriginState = "loading"  // not searched yet: loading and catching up
	OriginSwapping OriginState = "swapping" // from before the swap until all is joined that went to the old index
	OriginDone     OriginState = "done"     // everything below Joined is in it
)

// Origin is how an index came to be by a rebuild. It is kept in the _meta of the
// index's mapping, so that it lives and dies with the index.
type Origin struct {
	State    OriginState `json:"state"`
	Owner    string      `json:"owner"`              // who rebuilds, in words for an operator
	Previous string      `json:"previous,omitempty"` // the index that it replaces
	// Kept says that the index was kept for a way back, which a rollback now takes: it
	// is kept again, not dropped, where the swap does not come.
	Kept bool `json:"kept,omitempty"`
	// Joined is how far the log has been joined into it.
	Joined []record.Position `json:"joined,omitempty"`
	// Refused is, where OpenSearch refused events that were joined before the swap,
	// Joined set back to the first of them. They become dead letters behind the swap.
	Refused []record.Position `json:"refused,omitempty"`
	// Committed is where the live consumer group stood before the swap: everything
	// below it is in the previous index too.
	Committed []record.Position `json:"committed,omitempty"`
	Began     time.Time         `json:"began,omitzero"`
	Swapped   time.Time         `json:"swapped,omitzero"`
	Finished  time.Time         `json:"finished,omitzero"`
}

// ownIndex is an index by what tells how it came to be. Its _meta stays as text:
// what others keep there goes back as it was.
type ownIndex struct {
	Aliases  map[string]liveAlias `json:"aliases"`
	Mappings struct {
		Meta map[string]jsontext.Value `json:"_meta"`
	} `json:"mappings"`
	Settings struct {
		Index struct {
			UUID    string `json:"uuid"`
			Created int64  `json:"creation_date,string"` // milliseconds since 1970
			Blocks  struct {
				Write string `json:"write"`
			} `json:"blocks"`
			Closed string `json:"verified_before_close"`
		} `json:"index"`
	} `json:"settings"`
}

// describeOwn returns the indices behind names as ownIndex.
func (c *Client) describeOwn(ctx context.Context, names ...string) (map[string]ownIndex, error) {
	return describe[ownIndex](ctx, c, names, "*.aliases", "*.mappings._meta",
		"*.settings.index.uuid", "*.settings.index.creation_date", "*.settings.index.blocks", "*.settings.index.verified_before_close")
}

// isClosed tells a closed index by what closing it leaves in its settings (3.8.0),
// which opening it takes out.
func (i ownIndex) isClosed() bool { return i.Settings.Index.Closed == "true" }

// origin returns the zero Origin where there is none.
func (i ownIndex) origin() (Origin, error) {
	var origin Origin
	text, ok := i.Mappings.Meta[originMember]
	if !ok {
		return origin, nil
	}
	if err := json.Unmarshal(text, &origin); err != nil {
		return origin, fmt.Errorf("read _meta.%s: %w", originMember, err)
	}
	return origin, nil
}

// SetOrigin replaces the Origin of an index and keeps what else is in its _meta.
// OpenSearch replaces _meta as a whole (3.8.0), and nothing but the caller's own
// lock keeps two of these apart. It may be repeated after an error.
func (c *Client) SetOrigin(ctx context.Context, index string, o Origin) error {
	found, err := c.describeOwn(ctx, index)
	if err != nil {
		return err
	}
	own, ok := found[index]
	if !ok {
		return fmt.Errorf("set the origin of index %s: it does not exist", index)
	}
	meta := map[string]any{}
	for name, value := range own.Mappings.Meta {
		meta[name] = value
	}
	meta[originMember] = o
	put := opensearchapi.IndicesPutMappingRequest{Index: []string{index}, Body: encoded(map[string]any{"_meta": meta})}
	if err := c.ask(ctx, put, nil); err != nil {
		return fmt.Errorf("set the origin of index %s: %w", index, err)
	}
	return nil
}
