package index

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

// TestTombstoneOutlivesOpenSearchsMemory: a delete that OpenSearch itself has
// forgotten (index.gc_deletes, a restart) still keeps an older create hidden.
func TestTombstoneOutlivesOpenSearchsMemory(t *testing.T) {
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	index := behind(t, client, n.Write)
	writer := NewWriter(client)
	step := func(a Action, want Result, visible ...string) {
		t.Helper()
		if got := writer.Write(t.Context(), "x", []Action{a})[0]; got.Result != want || got.Index != index {
			t.Errorf("%s: %+v, want %s", a.State, got, want)
		}
		refresh(t, client)
		if diff := cmp.Diff(append([]string{}, visible...), hits(t, client, n.Read, `{}`)); diff != "" {
			t.Errorf("%s: found through the alias, want (-), got (+): %s", a.State, diff)
		}
	}
	step(post("1", 5, `{"title":"five"}`), Written, "1")
	step(deleted("1", 6), Deleted)

	call[any](t, client, http.MethodPut, "/"+index+"/_settings", `{"index.gc_deletes":"0s"}`)
	call[any](t, client, http.MethodPost, "/"+index+"/_flush", "")
	call[any](t, client, http.MethodPost, "/"+index+"/_close", "")
	call[any](t, client, http.MethodPost, "/"+index+"/_open?wait_for_active_shards=1", "")

	step(post("1", 5, `{"title":"five"}`), Stale)
	step(post("1", 4, `{"title":"four"}`), Stale)
	step(deleted("1", 6), Stale)
	if got, want := string(stored(t, client, index, []string{"1"})["1"]), `"title"`; strings.Contains(got, want) {
		t.Errorf("the tombstone still has contents: %s", got)
	}
	step(post("1", 7, `{"title":"seven"}`), Written, "1")
	step(post("1", 2, `{"title":"two","content":"two"}`), Stale, "1")
}

// TestDeleteBeforeCreate: the delete came first, from its own topic.
func TestDeleteBeforeCreate(t *testing.T) {
	client := setUp(t, realConfig(t))
	mustWrite(t, client, deleted("1", 6), post("2", 5, `{"title":"five"}`))
	if got := NewWriter(client).Write(t.Context(), "x", []Action{post("1", 5, `{"title":"five"}`)})[0]; got.Result != Stale {
		t.Errorf("the create from before the delete: %+v", got)
	}
	refresh(t, client)
	if diff := cmp.Diff([]string{"2"}, hits(t, client, client.names(document.Post).Read, `{}`)); diff != "" {
		t.Error(diff)
	}
}
