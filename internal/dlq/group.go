package dlq

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// A chunk is handed to the worker once it has this many records or bytes.
const (
	chunkRecords = 500
	chunkBytes   = 1 << 20
)

// letterGroup gives letters to a pipeline.Worker as a consumer group gives it
// records: the partitions of the originals are assigned, then their records come.
// There are no offsets to commit; acknowledgements stand in for them.
type letterGroup struct {
	records    chan []record.Record
	rebalances chan stream.Rebalance
	chunk      []record.Record
	bytes      int
}

func newLetterGroup() *letterGroup {
	return &letterGroup{records: make(chan []record.Record), rebalances: make(chan stream.Rebalance)}
}

// Records hands over the original records of the letters.
func (g *letterGroup) Records() <-chan []record.Record { return g.records }

// Rebalances hands over one assignment, before any record.
func (g *letterGroup) Rebalances() <-chan stream.Rebalance { return g.rebalances }

// Store does nothing, as do all methods below.
func (*letterGroup) Store(map[record.Partition]int64) error { return nil }

// Commit does nothing.
func (*letterGroup) Commit() error { return nil }

// Pause does nothing: the worker bounds what it takes, and nobody waits behind a
// slow partition for ever.
func (*letterGroup) Pause(...record.Partition) error { return nil }

// Resume does nothing.
func (*letterGroup) Resume(...record.Partition) error { return nil }

// Close does nothing.
func (*letterGroup) Close() error { return nil }

// assign gives the worker the partitions of the original records.
func (g *letterGroup) assign(ctx context.Context, entries []*Entry) error {
	starts := map[record.Partition]stream.Start{}
	for _, e := range entries {
		starts[e.Partition] = stream.Start{Partition: e.Partition}
	}
	sorted := slices.SortedFunc(maps.Values(starts), func(a, b stream.Start) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
	})
	select {
	case g.rebalances <- stream.Rebalance{Kind: stream.Assigned, Partitions: sorted, Done: func() {}}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add puts a record into the chunk, and hands the chunk over once it is full.
func (g *letterGroup) add(ctx context.Context, r *record.Record) error {
	g.chunk = append(g.chunk, *r)
	g.bytes += r.Size()
	if len(g.chunk) < chunkRecords && g.bytes < chunkBytes {
		return nil
	}
	return g.flush(ctx)
}

// flush hands the chunk over as soon as the worker has room for it.
func (g *letterGroup) flush(ctx context.Context) error {
	if len(g.chunk) == 0 {
		return nil
	}
	select {
	case g.records <- g.chunk:
		g.chunk, g.bytes = nil, 0
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
