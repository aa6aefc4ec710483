package pipeline

import (
	"context"

	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Jobs carries out what the machine wants decoded, looked up, written and marked.
// A job blocks until it is answered. It starts nothing beside itself and reads no
// clock, so Worker runs jobs in goroutines and a simulation as coroutines. It is
// safe for concurrent use.
type Jobs struct {
	Decoder Decoder
	Memory  Memory
	Catalog Catalog
	Writer  Writer
}

// Decoder reads events. It does no I/O and is safe for concurrent use.
type Decoder interface {
	Decode(r *record.Record) (handlers.Event, handlers.Change, *handlers.Rejection)
}

// Memory remembers changes that an index has taken. It answers false when it
// can't tell. It is safe for concurrent use.
type Memory interface {
	Seen(ctx context.Context, entries []dedup.Entry) []bool
	Mark(ctx context.Context, entries []dedup.Entry)
}

// Catalog tells which index stands behind the write alias of each entity: now
// (Refresh asks OpenSearch), or as of the last Refresh. It is safe for concurrent
// use.
type Catalog interface {
	Refresh(ctx context.Context) (index.Targets, error)
	Last() index.Targets
}

// Writer writes a bulk request: one outcome an action, in order.
type Writer interface {
	Write(ctx context.Context, opaqueID string, actions []index.Action) []index.Outcome
}

// Write carries out one bulk request. The indices' UUIDs are read before it is
// sent: should an index be made again under its name while the request is under
// way, the marks end up under a UUID that is no more, which is harmless.
func (j Jobs) Write(ctx context.Context, e Write) Written {
	uuids := map[string]string{}
	for _, target := range j.Catalog.Last() {
		uuids[target.Index] = target.UUID
	}
	outcomes := make([]Outcome, 0, len(e.Actions))
	unknown := false
	for _, out := range j.Writer.Write(ctx, e.OpaqueID, e.Actions) {
		space := uuids[out.Index]
		unknown = unknown || out.Index != "" && space == ""
		outcomes = append(outcomes, Outcome{Outcome: out, Space: space})
	}
	if unknown { // an index that is new to us: know it before the next write, if OpenSearch answers
		_, _ = j.Catalog.Refresh(ctx)
	}
	return Written{Write: e.ID, Outcomes: outcomes}
}

// Mark remembers what an index has taken.
func (j Jobs) Mark(ctx context.Context, e Mark) {
	entries := make([]dedup.Entry, len(e.Marks))
	for i, m := range e.Marks {
		entries[i] = dedup.Entry(m)
	}
	j.Memory.Mark(ctx, entries)
}
