package pipeline

import (
	"context"
	"errors"
	"testing"

	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

// fakeMemory has seen every digest under one index, and none under others.
type fakeMemory struct {
	space string
	asked int
}

func (m *fakeMemory) Seen(_ context.Context, entries []dedup.Entry) []bool {
	m.asked += len(entries)
	seen := make([]bool, len(entries))
	for i, e := range entries {
		seen[i] = e.Space == m.space
	}
	return seen
}

func (*fakeMemory) Mark(context.Context, []dedup.Entry) {}

// fakeCatalog knew one index and reads another.
type fakeCatalog struct {
	last, now string
	err       error
	reads     int
}

func (c *fakeCatalog) Last() index.Targets { return target(c.last) }

func (c *fakeCatalog) Refresh(context.Context) (index.Targets, error) {
	c.reads++
	return target(c.now), c.err
}

func target(uuid string) index.Targets {
	if uuid == "" {
		return index.Targets{}
	}
	return index.Targets{document.Post: {Alias: "posts-write", Index: "posts-1", UUID: uuid}}
}

// TestADuplicateNeedsTheIndexOfNow is about the ways to lose an event by a memory
// that is right about another index.
func TestADuplicateNeedsTheIndexOfNow(t *testing.T) {
	for name, tt := range map[string]struct {
		memory    string // index under which everything was marked
		last, now string // index by the last reading, and by one made now
		err       error  // of the reading made now
		want      bool
		reads     int
	}{
		"same index":                 {memory: "a", last: "a", now: "a", want: true, reads: 1},
		"never marked":               {memory: "b", last: "a", now: "a", want: false, reads: 0},
		"index made again":           {memory: "a", last: "a", now: "b", want: false, reads: 1},
		"index gone":                 {memory: "a", last: "a", now: "", want: false, reads: 1},
		"OpenSearch does not answer": {memory: "a", last: "a", now: "a", err: errors.New("no answer"), want: false, reads: 1},
		"index not known yet":        {memory: "", last: "", now: "a", want: false, reads: 0},
	} {
		t.Run(name, func(t *testing.T) {
			memory := &fakeMemory{space: tt.memory}
			catalog := &fakeCatalog{last: tt.last, now: tt.now, err: tt.err}
			jobs := Jobs{Decoder: handlers.NewMux(""), Memory: memory, Catalog: catalog}
			good := &record.Record{Partition: record.Partition{Topic: "post.created"}, Value: []byte(`{"data":{"post_id":"1"}}`)}
			bad := &record.Record{Partition: record.Partition{Topic: "post.created"}, Value: []byte(`{`)}
			results := jobs.Prepare(t.Context(), Prepare{Records: []*record.Record{bad, good}}).Results
			if results[1].Duplicate != tt.want || results[0].Duplicate {
				t.Errorf("duplicate: %v of the bad one, %v of the good one, want %v", results[0].Duplicate, results[1].Duplicate, tt.want)
			}
			if catalog.reads != tt.reads {
				t.Errorf("%d readings, want %d", catalog.reads, tt.reads)
			}
			if results[0].Rejection == nil || memory.asked > 1 {
				t.Errorf("a bad event was looked up (%d)", memory.asked)
			}
		})
	}
}
