package index

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

// replaced returns a client with one live and one kept, write-blocked index.
func replaced(t *testing.T) (client *Client, kept string, live Next) {
	t.Helper()
	client = setUp(t, realConfig(t))
	kept = behind(t, client, client.names(document.Post).Write)
	mustWrite(t, client, append(posts(2), deleted("gone", 1))...)
	live = nextAt(t, client, 0, kept)
	for _, err := range []error{
		client.Swap(t.Context(), []Swap{{From: kept, To: live}}),
		client.BlockWrites(t.Context(), kept),
		client.SetOrigin(t.Context(), kept, someOrigin("")),
		client.Finish(t.Context(), live),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	refresh(t, client)
	return client, kept, live
}

func TestKept(t *testing.T) {
	t.Parallel()
	client, kept, live := replaced(t)
	n := client.names(document.Post)
	closed, foreign, aliased := n.Index(time.Unix(1_000_000_000, 0)), n.Read+"-2024-copy", n.Index(time.Unix(1_800_000_000, 0))
	for name, body := range map[string]string{closed: "", foreign: "", aliased: `{"aliases":{"` + n.Read + `-report":{}}}`} {
		call[any](t, client, http.MethodPut, "/"+name, body)
	}
	call[any](t, client, http.MethodPost, "/"+closed+"/_close", "")
	next := nextAt(t, client, 1, "")

	got, err := client.Kept(t.Context(), document.Post)
	if err != nil {
		t.Fatal(err)
	}
	want := []KeptIndex{{Index: kept, Origin: someOrigin(""), Documents: 3}, {Index: closed, Closed: true}}
	for i := range got {
		if age := time.Since(got[i].Created); age < 0 || age > time.Hour || got[i].Documents > 0 && got[i].Bytes == 0 {
			t.Errorf("created %s, %d documents in %d bytes", got[i].Created, got[i].Documents, got[i].Bytes)
		}
		got[i].Created, got[i].Bytes = time.Time{}, 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{live.Index, next.Index, aliased, foreign, n.Read, "*", n.Read + "-2*"} {
		if err := client.DropKept(t.Context(), name); err == nil {
			t.Errorf("%s was dropped", name)
		}
	}
	for _, name := range []string{kept, closed, kept} {
		if err := client.DropKept(t.Context(), name); err != nil {
			t.Errorf("drop %s: %v", name, err)
		}
	}
	if got, err = client.Kept(t.Context(), document.Post); err != nil || len(got) > 0 {
		t.Errorf("still kept: %v %v", got, err)
	}
	wantIndices(t, client, document.Post, 4)
}

func TestDropNext(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	next := nextAt(t, client, 0, "")
	other := next
	other.UUID = "another"
	if err := client.DropNext(t.Context(), other); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("an index made again: %v", err)
	}
	for range 2 {
		if err := client.DropNext(t.Context(), next); err != nil {
			t.Fatal(err)
		}
	}
	if got := client.Load(t.Context(), "", next, posts(1))[0]; got.Result != Retry || got.Reason != ReasonAliasMissing {
		t.Errorf("load into what is gone: %+v", got)
	}
	wantUnfinished(t, client)
	wantIndices(t, client, document.Post, 1)
}

// TestDropWhereNothingIsLive: the aliases may have been lost, and the index with
// the documents with them.
func TestDropWhereNothingIsLive(t *testing.T) {
	t.Parallel()
	client, kept, live := replaced(t)
	n := client.names(document.Post)
	call[any](t, client, http.MethodPost, "/_aliases", `{"actions":[{"remove":{"index":"`+live.Index+`","aliases":["`+n.Read+`","`+n.Write+`"]}}]}`)
	if err := client.DropKept(t.Context(), kept); err == nil {
		t.Error("a kept index was dropped")
	}
	if err := client.RemoveCopy(t.Context(), Copy{Key: document.Key{Entity: document.Post, ID: "id-0"}, Index: kept}); err == nil {
		t.Error("a document was removed")
	}
	if err := client.DropNext(t.Context(), nextAt(t, client, 1, "")); err != nil {
		t.Error(err)
	}
}

// TestDropRacesSwap: an index that went live is never deleted.
func TestDropRacesSwap(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	live := behind(t, client, n.Write)
	for round := range int64(5) {
		next := nextAt(t, client, round, live)
		var swapped, dropped error
		var group sync.WaitGroup
		group.Go(func() { swapped = client.Swap(t.Context(), []Swap{{From: live, To: next}}) })
		group.Go(func() { dropped = client.DropNext(t.Context(), next) })
		group.Wait()
		if (swapped == nil) == (dropped == nil) {
			t.Errorf("swap: %v, drop: %v; want one to fail", swapped, dropped)
		}
		if swapped == nil {
			live = next.Index
		}
		if read, write := behind(t, client, n.Read), behind(t, client, n.Write); read != live || write != live {
			t.Fatalf("%q is read and %q written, want %s", read, write, live)
		}
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	client, kept, live := replaced(t)
	for _, name := range []string{live.Index, kept + "1", client.names(document.Post).Read, nextAt(t, client, 1, "").Index} {
		if _, err := client.Adopt(t.Context(), document.Post, name, Origin{}); err == nil {
			t.Errorf("%s was adopted", name)
		}
	}
	call[any](t, client, http.MethodPut, "/"+kept+"/_mapping", `{"_meta":{"theirs":9007199254740993}}`)
	next, err := client.Adopt(t.Context(), document.Post, kept, someOrigin(live.Index))
	if err != nil || next.Index != kept || next.Live {
		t.Fatalf("%+v %v", next, err)
	}
	want := someOrigin(live.Index)
	want.Kept = true
	if diff := cmp.Diff(want, next.Origin); diff != "" {
		t.Error(diff)
	}
	mapping := call[map[string]any](t, client, http.MethodGet, "/"+kept+"/_mapping?filter_path=*.mappings._meta.theirs", "")
	if len(mapping) != 1 {
		t.Errorf("what else was in _meta is gone: %v", mapping)
	}
	writer := NewWriterTo(client, map[document.Entity]string{document.Post: next.Alias})
	wantResults(t, writer.Write(t.Context(), "", []Action{post("more", 1, `{}`)}), kept, Written)
	if err := client.Swap(t.Context(), []Swap{{From: live.Index, To: next}}); err != nil {
		t.Fatal(err)
	}
	if found := client.Ready(t.Context()); len(found) > 0 {
		t.Error(found)
	}
	if got, err := client.Kept(t.Context(), document.Post); err != nil || len(got) != 1 || got[0].Index != live.Index {
		t.Errorf("kept after the way back: %v %v", got, err)
	}
}

// TestRemoveCopyFromABlockedIndex leaves the block as it was.
func TestRemoveCopyFromABlockedIndex(t *testing.T) {
	t.Parallel()
	client, kept, _ := replaced(t)
	key := document.Key{Entity: document.Post, ID: "id-0"}
	if err := client.RemoveCopy(t.Context(), Copy{Key: key, Index: kept}); err != nil {
		t.Fatal(err)
	}
	if copies, err := client.Copies(t.Context(), key); err != nil || len(copies) > 0 {
		t.Errorf("copies %v: %v", copies, err)
	}
	found, _, err := client.ownIndices(t.Context(), document.Post)
	if got := found[kept].Settings.Index.Blocks.Write; err != nil || got != "true" {
		t.Errorf("block %q: %v", got, err)
	}
}

// TestOriginOfANewerProgram is named, not taken for none.
func TestOriginOfANewerProgram(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	next := nextAt(t, client, 0, "")
	call[any](t, client, http.MethodPut, "/"+next.Index+"/_mapping", `{"_meta":{"rebuild":{"joined":"all"}}}`)
	if _, err := client.Unfinished(t.Context()); err == nil || !strings.Contains(err.Error(), next.Index) || errors.Is(err, ErrMoved) {
		t.Errorf("got %v", err)
	}
}
