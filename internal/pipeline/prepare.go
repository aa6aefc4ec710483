package pipeline

import (
	"context"

	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

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

// preparer decodes records and looks them up.
type preparer struct {
	decoder Decoder
	memory  Memory
	catalog Catalog
}

// prepare answers one Prepare. Records do not depend on each other, so batches may
// be prepared in parallel and come back in any order.
func (p preparer) prepare(ctx context.Context, records []*record.Record) []Preparation {
	results := make([]Preparation, len(records))
	for i, r := range records {
		results[i].Event, results[i].Change, results[i].Rejection = p.decoder.Decode(r)
	}
	p.lookUp(ctx, results)
	return results
}

// lookUp marks duplicates. A record may be skipped only if the index that holds its
// change is still the one behind the alias, and that must be read after the record
// arrived: an index deleted and made again under its name has another UUID. So a
// reading that finds hits is confirmed by a fresh one; a miss needs no proof, since
// a repeated write is harmless.
func (p preparer) lookUp(ctx context.Context, results []Preparation) {
	entries, places := p.entries(results)
	if len(entries) == 0 {
		return
	}
	hits := 0
	for i, seen := range p.memory.Seen(ctx, entries) {
		if seen {
			results[places[i]].Duplicate = true
			hits++
		}
	}
	if hits == 0 {
		return
	}
	now, err := p.catalog.Refresh(ctx)
	for i, place := range places {
		if err != nil || now[results[place].Change.Entity].UUID != entries[i].Space {
			results[place].Duplicate = false
		}
	}
}

// entries lists what may be looked up, and the place of each in results.
func (p preparer) entries(results []Preparation) (entries []dedup.Entry, places []int) {
	targets := p.catalog.Last()
	for i := range results {
		if results[i].Rejection != nil {
			continue
		}
		if target, ok := targets[results[i].Change.Entity]; ok {
			entries = append(entries, dedup.Entry{Space: target.UUID, Digest: results[i].Change.Digest})
			places = append(places, i)
		}
	}
	return entries, places
}
