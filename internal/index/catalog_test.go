package index

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

func TestCatalog(t *testing.T) {
	client := mustClient(t, realConfig(t))
	catalog := NewCatalog(client)
	if got := catalog.Last(); len(got) > 0 {
		t.Errorf("targets before the first reading: %v", got)
	}
	if got, err := catalog.Refresh(t.Context()); err != nil || len(got) > 0 {
		t.Fatalf("targets before setup: %v, %v", got, err)
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
	if taken.Index != first.Index {
		t.Errorf("index %q took a write, want %q", taken.Index, first.Index)
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
	targets, err := catalog.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if target, ok := targets[document.Post]; ok {
		t.Errorf("without a write index: %+v", target)
	}
	if _, ok := targets[document.Artist]; !ok {
		t.Error("the other entity lost its target")
	}
}

func refreshed(t *testing.T, c *Catalog) Target {
	t.Helper()
	targets, err := c.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	target, ok := targets[document.Post]
	if !ok {
		t.Fatal("no target")
	}
	return target
}

// TestCatalogTellsOfLosses: an alias may be pointed at an index that nobody made
// from our template.
func TestCatalogTellsOfLosses(t *testing.T) {
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	call[any](t, client, http.MethodPut, "/"+n.Read+"-1999", `{"mappings":{"_source":{"excludes":["content"]}}}`)
	call[any](t, client, http.MethodPost, "/_aliases", `{"actions":[{"remove":{"index":"`+behind(t, client, n.Write)+`","alias":"`+n.Write+`"}},
		{"add":{"index":"`+n.Read+`-1999","alias":"`+n.Write+`"}}]}`)
	targets, err := NewCatalog(client).Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := targets[document.Post].Loss; !strings.Contains(got, "_source") || !strings.Contains(got, "_sync") {
		t.Errorf("loss %q, want _source and _sync named", got)
	}
	if got := targets[document.Artist].Loss; got != "" {
		t.Errorf("the other index: %s", got)
	}
}

func TestCatalogKeepsItsLastReading(t *testing.T) {
	mapping, err := json.Marshal(syncMapping())
	if err != nil {
		t.Fatal(err)
	}
	var gone bool
	server := newFakeServer(t, func(w http.ResponseWriter, _ string) {
		if gone {
			refuse(http.StatusServiceUnavailable, "")(w, "")
			return
		}
		refuse(http.StatusOK, `{"posts-1":{"aliases":{"posts":{},"posts-write":{}},"settings":{"index":{"uuid":"u1"}},"mappings":{"properties":{"_sync":`+string(mapping)+`}}}}`)(w, "")
	})
	catalog := NewCatalog(mustClient(t, server.config()))
	want := Target{Alias: "posts-write", Index: "posts-1", UUID: "u1"}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if got, err := catalog.Refresh(t.Context()); err != nil || got[document.Post] != want {
				t.Errorf("targets %v, %v", got, err)
			}
		})
	}
	group.Wait()
	gone = true
	if _, err := catalog.Refresh(t.Context()); err == nil {
		t.Error("no error from a server that is away")
	}
	if got := catalog.Last()[document.Post]; got != want {
		t.Errorf("after an error: %+v", got)
	}
}
