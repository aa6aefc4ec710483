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
	Reread  Log // nil where the machine keeps records
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

// Write carries out one bulk request, all of one entity.
//
// The index behind the alias is read before the request is sent: should it be made
// again under its name while the request is under way, the marks end up under a
// UUID that is no more, which is harmless. An index that would lose data is not
// written to. If another index than the one known took the request (the alias has
// moved), it is read then, and what it took counts only if it keeps it.
func (j Jobs) Write(ctx context.Context, e Write) Written {
	target, ok := j.Catalog.Last()[e.Actions[0].Entity]
	if !ok || target.Loss != "" { // not set up yet, or perhaps mended
		target = j.read(ctx, e)
	}
	if target.Loss != "" {
		return Written{Write: e.ID, Outcomes: repeated(unsafeIndex(target), len(e.Actions))}
	}
	outcomes := make([]Outcome, 0, len(e.Actions))
	var moved *index.Target
	for _, out := range j.Writer.Write(withWrite(ctx, e.ID), e.OpaqueID, e.Actions) {
		space := ""
		switch out.Index {
		case "": // not taken
		case target.Index:
			space = target.UUID
		default:
			if moved == nil {
				now := j.read(ctx, e)
				moved = &now
			}
			if moved.Index != out.Index || moved.Loss != "" {
				out = unsafeIndex(*moved).Outcome
			}
		}
		outcomes = append(outcomes, Outcome{Outcome: out, Space: space})
	}
	return Written{Write: e.ID, Outcomes: outcomes}
}

type writeKey struct{}

func withWrite(ctx context.Context, id uint64) context.Context {
	return context.WithValue(ctx, writeKey{}, id)
}

// WriteID returns the ID of the [Write] that a [Writer] is called for; 0 for none.
func WriteID(ctx context.Context) uint64 {
	id, _ := ctx.Value(writeKey{}).(uint64)
	return id
}

// read returns where the write alias leads now; nowhere if OpenSearch can't tell.
func (j Jobs) read(ctx context.Context, e Write) index.Target {
	targets, err := j.Catalog.Refresh(ctx)
	if err != nil {
		return index.Target{}
	}
	return targets[e.Actions[0].Entity]
}

func unsafeIndex(target index.Target) Outcome {
	words := "the write alias has moved; looking again"
	if target.Loss != "" {
		words = "index " + target.Index + " would lose data: " + target.Loss
	}
	return Outcome{Outcome: index.Outcome{Result: index.Retry, Reason: index.ReasonUnsafe, Words: words}}
}

func repeated(out Outcome, n int) []Outcome {
	outcomes := make([]Outcome, n)
	for i := range outcomes {
		outcomes[i] = out
	}
	return outcomes
}

// Mark remembers what an index has taken.
func (j Jobs) Mark(ctx context.Context, e Mark) {
	j.Memory.Mark(ctx, e.Marks)
}
