package index

import (
	"context"
	"sync/atomic"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Target is where the write alias of one entity leads.
type Target struct {
	Alias string // write alias
	Index string // concrete index
	UUID  string // the index's own id: an index made again under its name has another
}

// Catalog remembers where the write aliases lead. It is safe for concurrent use;
// readers see one whole reading at a time.
//
// Who needs the UUID of the index that takes a write has to look it up before
// the write is sent: looked up afterwards, it could be that of an index made
// again under the same name, which never got the write.
type Catalog struct {
	client  *Client
	reading atomic.Pointer[reading]
}

type reading struct {
	targets map[document.Entity]Target
	uuids   map[string]string // by index name
}

// NewCatalog returns a Catalog that knows nothing until its first Refresh.
func NewCatalog(client *Client) *Catalog {
	c := &Catalog{client: client}
	c.reading.Store(&reading{})
	return c
}

// Refresh reads the aliases of every entity in one light request. After an error
// the last reading stays.
func (c *Catalog) Refresh(ctx context.Context) error {
	live, err := c.client.indices(ctx, c.client.aliasNames(), "*.aliases", "*.settings.index.uuid")
	if err != nil {
		return err
	}
	next := &reading{targets: map[document.Entity]Target{}, uuids: map[string]string{}}
	for name, index := range live {
		next.uuids[name] = index.uuid()
	}
	for _, entity := range Entities() {
		if s := c.client.standing(entity, live); s.target != "" {
			next.targets[entity] = Target{Alias: s.names.Write, Index: s.target, UUID: next.uuids[s.target]}
		}
	}
	c.reading.Store(next)
	return nil
}

// Target returns where the write alias of entity led at the last reading; false
// where it was missing or named no single index.
func (c *Catalog) Target(entity document.Entity) (Target, bool) {
	target, ok := c.reading.Load().targets[entity]
	return target, ok
}

// UUID returns the id of an index by its name, as an Outcome gives it; false for
// one that was behind no alias at the last reading.
func (c *Catalog) UUID(index string) (string, bool) {
	id, ok := c.reading.Load().uuids[index]
	return id, ok
}
