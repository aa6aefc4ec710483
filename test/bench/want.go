package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// want is what must come of the events published: how many documents, and what is
// in a sample of them. Each document's events come in the order of their versions,
// so the last one to set a field wins; it shares no code with the worker.
type want struct {
	posts  map[string]bool // by id, whether it is there; deleted ones are not
	sample map[string]map[string]jsontext.Value
}

func newWant() *want {
	return &want{posts: map[string]bool{}, sample: map[string]map[string]jsontext.Value{}}
}

// sampled is of how many documents one is compared in full.
const sampled = 200

// take follows one event.
func (w *want) take(e event) error {
	w.posts[e.Data.ID] = e.Type != "post.deleted"
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(e.Data.ID)) // documented to never fail
	if hash.Sum32()%sampled != 0 {
		return nil
	}
	text, err := json.Marshal(e.Data)
	if err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	fields := map[string]jsontext.Value{}
	if err := json.Unmarshal(text, &fields); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	if !w.posts[e.Data.ID] {
		w.sample[e.Data.ID] = nil
		return nil
	}
	merged := w.sample[e.Data.ID]
	if merged == nil {
		merged = map[string]jsontext.Value{}
		w.sample[e.Data.ID] = merged
	}
	maps.Copy(merged, fields)
	return nil
}

// check compares what a side holds with what it must.
func (b *bench) check(ctx context.Context, s side, w *want) error {
	visible := 0
	for _, there := range w.posts {
		if there {
			visible++
		}
	}
	if err := b.checkCount(ctx, s.prefix+"posts-write", len(w.posts)); err != nil {
		return err
	}
	if err := b.checkCount(ctx, s.prefix+"posts", visible); err != nil {
		return err
	}
	if len(w.sample) == 0 {
		return errors.New("no document is in the sample: publish more events")
	}
	return b.checkSample(ctx, s, w)
}

// checkCount refreshes and counts. The write alias names tombstones, too.
func (b *bench) checkCount(ctx context.Context, alias string, documents int) error {
	if err := b.cluster.Do(ctx, http.MethodPost, "/"+alias+"/_refresh", "", nil); err != nil {
		return err
	}
	var answer struct{ Count int }
	if err := b.cluster.Do(ctx, http.MethodGet, "/"+alias+"/_count", "", &answer); err != nil {
		return err
	}
	if answer.Count != documents {
		return fmt.Errorf("%s has %d documents, and must have %d", alias, answer.Count, documents)
	}
	return nil
}

func (b *bench) checkSample(ctx context.Context, s side, w *want) error {
	ids := slices.Sorted(maps.Keys(w.sample))
	query, err := json.Marshal(map[string]any{"ids": ids})
	if err != nil {
		return fmt.Errorf("ask for documents: %w", err)
	}
	var answer struct {
		Docs []struct {
			ID     string         `json:"_id"`
			Source jsontext.Value `json:"_source"`
		} `json:"docs"`
	}
	if err := b.cluster.Do(ctx, http.MethodPost, "/"+s.prefix+"posts-write/_mget?_source_excludes=_sync,version", string(query), &answer); err != nil {
		return err
	}
	for _, got := range answer.Docs {
		wanted, err := json.Marshal(w.sample[got.ID])
		if err != nil {
			return fmt.Errorf("read document %s: %w", got.ID, err)
		}
		same, err := e2e.SameJSON(got.Source, wanted)
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("document %s is wrong:\n  has %s\n must %s", got.ID, got.Source, wanted)
		}
	}
	return nil
}
