package main

import (
	"maps"
	"testing"

	"github.com/go-json-experiment/json"
)

func TestEventsHaveTheirSize(t *testing.T) {
	for _, size := range []int{200, 300, 1000, 10_000, 100_000} {
		v, err := newInventor(1, size)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			line, err := json.Marshal(v.created(v.id()))
			if err != nil {
				t.Fatal(err)
			}
			if off := len(line) - size; off < -20 || off > 20 {
				t.Fatalf("an event of %d bytes, not %d: %.300s", len(line), size, line)
			}
		}
	}
}

// TestWorkloadsAreWhatTheySay counts what is published.
func TestWorkloadsAreWhatTheySay(t *testing.T) {
	const count = 10_000
	for name, want := range map[string]struct {
		kinds map[string]int // of 100 events
		posts int            // documents, by the want that follows the events
	}{
		"fresh":   {map[string]int{"post.created": 100}, count},
		"updates": {map[string]int{"post.created": 10, "post.updated": 90}, count / 10},
		"partial": {map[string]int{"post.updated": 100}, count},
		"mixed":   {map[string]int{"post.created": 25, "post.updated": 70, "post.deleted": 5}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, err := chooseWorkloads(name)
			if err != nil {
				t.Fatal(err)
			}
			v, err := newInventor(1, usualSize)
			if err != nil {
				t.Fatal(err)
			}
			if chosen[0].before != nil {
				for range chosen[0].before(v, count) { // makes the ids
				}
			}
			kinds, versions, all := map[string]int{}, map[string]int{}, newWant()
			for e := range chosen[0].events(v, count) {
				kinds[e.Type]++
				if e.Version <= versions[e.Data.ID] {
					t.Fatalf("version %d of %s comes after %d", e.Version, e.Data.ID, versions[e.Data.ID])
				}
				versions[e.Data.ID] = e.Version
				if err := all.take(e); err != nil {
					t.Fatal(err)
				}
			}
			for kind, n := range kinds {
				kinds[kind] = (n + count/200) / (count / 100)
			}
			if !maps.Equal(kinds, want.kinds) {
				t.Errorf("of 100 events: %v, want %v", kinds, want.kinds)
			}
			if want.posts >= 0 && len(all.posts) != want.posts {
				t.Errorf("%d documents, want %d", len(all.posts), want.posts)
			}
		})
	}
}

func TestWantFollowsEvents(t *testing.T) {
	w := newWant()
	v, err := newInventor(1, usualSize)
	if err != nil {
		t.Fatal(err)
	}
	var id string
	for id == "" { // one that is in the sample
		e := v.created(v.id())
		if err := w.take(e); err != nil {
			t.Fatal(err)
		}
		if w.sample[e.Data.ID] != nil {
			id = e.Data.ID
		}
	}
	content := string(w.sample[id]["content"])
	retitled := v.retitled(id, 2)
	if err := w.take(retitled); err != nil {
		t.Fatal(err)
	}
	if got := string(w.sample[id]["content"]); got != content || content == "" {
		t.Errorf("a title changed the content from %s to %s", content, got)
	}
	var title string
	if err := json.Unmarshal(w.sample[id]["title"], &title); err != nil || title != retitled.Data.Title {
		t.Errorf("title %q, want %q: %v", title, retitled.Data.Title, err)
	}
	if err := w.take(v.deleted(id, 3)); err != nil || w.posts[id] || len(w.sample[id]) > 0 {
		t.Errorf("a deleted post: there %t, with %v, %v", w.posts[id], w.sample[id], err)
	}
}
