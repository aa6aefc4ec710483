package index

import (
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

func TestCatalog(t *testing.T) {
	client := mustClient(t, realConfig(t))
	catalog := NewCatalog(client)
	if _, ok := catalog.Target(document.Post); ok {
		t.Error("a target before the first reading")
	}
	if err := catalog.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if target, ok := catalog.Target(document.Post); ok {
		t.Errorf("a target before setup: %+v", target)
	}
	if _, err := client.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := client.names(document.Post)
	first := refreshed(t, catalog)
	if first.Alias != n.Write || first.Index != behind(t, client, n.Write) || len(first.UUID) < 20 {
		t.Errorf("target %+v", first)
	}
	taken := NewWriter(client).Write(t.Context(), "x", posts(1))[0]
	if id, ok := catalog.UUID(taken.Index); !ok || id != first.UUID {
		t.Errorf("the index %q that took a write has the id %q, want %q", taken.Index, id, first.UUID)
	}
	if _, ok := catalog.UUID(n.Write); ok {
		t.Error("an alias has an id")
	}

	// Made again under its name it is another index.
	call[any](t, client, http.MethodDelete, "/"+first.Index, "")
	call[any](t, client, http.MethodPut, "/"+first.Index, `{"aliases":{"`+n.Write+`":{"is_write_index":true}}}`)
	second := refreshed(t, catalog)
	if diff := cmp.Diff(Target{Alias: first.Alias, Index: first.Index, UUID: second.UUID}, second); diff != "" || second.UUID == first.UUID {
		t.Errorf("made again: %s, ids %s and %s", diff, first.UUID, second.UUID)
	}

	// On two indices the write index counts; without one there is no target.
	call[any](t, client, http.MethodPut, "/"+n.Read+"-other", `{"aliases":{"`+n.Write+`":{}}}`)
	if got := refreshed(t, catalog); got != second {
		t.Errorf("with a second index: %+v", got)
	}
	call[any](t, client, http.MethodPost, "/_aliases", `{"actions":[{"add":{"index":"`+first.Index+`","alias":"`+n.Write+`","is_write_index":false}}]}`)
	if err := catalog.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if target, ok := catalog.Target(document.Post); ok {
		t.Errorf("without a write index: %+v", target)
	}
	if _, ok := catalog.Target(document.Artist); !ok {
		t.Error("the other entity lost its target")
	}
}

func refreshed(t *testing.T, c *Catalog) Target {
	t.Helper()
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	target, ok := c.Target(document.Post)
	if !ok {
		t.Fatal("no target")
	}
	return target
}

func TestCatalogKeepsItsLastReading(t *testing.T) {
	var gone bool
	server := newFakeServer(t, func(w http.ResponseWriter, _ string) {
		if gone {
			refuse(http.StatusServiceUnavailable, "")(w, "")
			return
		}
		refuse(http.StatusOK, `{"posts-1":{"aliases":{"posts":{},"posts-write":{}},"settings":{"index":{"uuid":"u1"}}}}`)(w, "")
	})
	catalog := NewCatalog(mustClient(t, server.config()))
	want := Target{Alias: "posts-write", Index: "posts-1", UUID: "u1"}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := catalog.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
			if got, _ := catalog.Target(document.Post); got != want {
				t.Errorf("target %+v", got)
			}
		})
	}
	group.Wait()
	gone = true
	if err := catalog.Refresh(t.Context()); err == nil {
		t.Error("no error from a server that is away")
	}
	if got, _ := catalog.Target(document.Post); got != want {
		t.Errorf("after an error: %+v", got)
	}
}
