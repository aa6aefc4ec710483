package index

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Target is where the write alias of one entity leads.
type Target struct {
	Alias string // write alias
	Index string // concrete index
	UUID  string // the index's own id: an index made again under its name has another
	// Loss says how the index would lose data; empty for one that may be written to.
	Loss string
}

// Targets is where the write aliases led at one reading. An entity whose alias is
// missing, or names no single index, is not in it.
type Targets map[document.Entity]Target

// Catalog remembers where the write aliases lead. It is safe for concurrent use;
// readers see one whole reading at a time.
//
// Who needs the UUID of the index that takes a write has to look it up before
// the write is sent: looked up afterwards, it could be that of an index made
// again under the same name, which never got the write.
type Catalog struct {
	client *Client
	last   atomic.Pointer[Targets]
}

// NewCatalog returns a Catalog that knows nothing until its first Refresh.
func NewCatalog(client *Client) *Catalog {
	c := &Catalog{client: client}
	c.last.Store(&Targets{})
	return c
}

// Refresh reads the aliases of every entity in one light request and returns what
// this very reading found; Last may already be of another. After an error the last
// reading stays.
func (c *Catalog) Refresh(ctx context.Context) (Targets, error) {
	live, err := c.client.indices(ctx, c.client.aliasNames(), "*.aliases", "*.settings.index",
		"*.mappings._source", "*.mappings._routing", "*.mappings.properties."+document.SyncField)
	if err != nil {
		return nil, err
	}
	targets := Targets{}
	for _, entity := range Entities() {
		if s := c.client.standing(entity, live); s.target != "" {
			target := live[s.target]
			targets[entity] = Target{
				Alias: s.names.Write, Index: s.target, UUID: target.uuid(), Loss: strings.Join(target.losses(), "; "),
			}
		}
	}
	c.last.Store(&targets)
	return targets, nil
}

// Last returns what the last reading found. It must not be changed.
func (c *Catalog) Last() Targets { return *c.last.Load() }
