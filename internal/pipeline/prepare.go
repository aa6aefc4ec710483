package pipeline

import (
	"context"

	"github.com/search-indexer/search-indexer/internal/dedup"
)

// Prepare decodes records and looks them up. Records do not depend on each other, so
// batches may be prepared in parallel and come back in any order.
func (j Jobs) Prepare(ctx context.Context, e Prepare) Prepared {
	results := make([]Preparation, len(e.Records))
	for i, r := range e.Records {
		results[i].Event, results[i].Change, results[i].Rejection = j.Decoder.Decode(r)
	}
	j.lookUp(ctx, results)
	return Prepared{Batch: e.Batch, Results: results}
}

// lookUp marks duplicates. A record may be skipped only if the index that holds its
// change is still the one behind the alias, and that must be read after the record
// arrived: an index deleted and made again under its name has another UUID. So a
// reading that finds hits is confirmed by a fresh one; a miss needs no proof, since
// a repeated write is harmless.
func (j Jobs) lookUp(ctx context.Context, results []Preparation) {
	entries, places := j.entries(results)
	if len(entries) == 0 {
		return
	}
	hits := 0
	for i, seen := range j.Memory.Seen(ctx, entries) {
		if seen {
			results[places[i]].Duplicate = true
			hits++
		}
	}
	if hits == 0 {
		return
	}
	now, err := j.Catalog.Refresh(ctx)
	for i, place := range places {
		if err != nil || now[results[place].Change.Entity].UUID != entries[i].Space {
			results[place].Duplicate = false
		}
	}
}

// entries lists what may be looked up, and the place of each in results.
func (j Jobs) entries(results []Preparation) (entries []dedup.Entry, places []int) {
	targets := j.Catalog.Last()
	entries, places = make([]dedup.Entry, 0, len(results)), make([]int, 0, len(results))
	for i := range results {
		if results[i].Rejection != nil {
			continue
		}
		if target, ok := targets[results[i].Change.Entity]; ok {
			change := &results[i].Change
			entries = append(entries, dedup.Entry{Space: target.UUID, Digest: change.Digest, Time: change.Time()})
			places = append(places, i)
		}
	}
	return entries, places
}
