package index

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

func TestCopies(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	live, _, err := client.ownIndices(t.Context(), document.Post)
	if err != nil || len(live) != 1 {
		t.Fatalf("indices %v: %v", live, err)
	}
	var target string
	for target = range live {
	}
	kept, next := n.Index(time.Now().Add(time.Hour)), n.Index(time.Unix(1700000000, 0)) // age says nothing
	// An id that would lead elsewhere in a path.
	const id = "../a b?c"
	writer := NewWriter(client)
	for _, out := range writer.Write(t.Context(), "", []Action{post(id, 1, `{"title":"t"}`), post("gone", 1, `{"title":"t"}`), deleted("gone", 2)}) {
		if out.Result == Retry || out.Result == Rejected {
			t.Fatal(out)
		}
	}
	for index, body := range map[string]string{kept: "", next: `{"aliases":{"` + n.next(next) + `":{}}}`} {
		call[any](t, client, http.MethodPut, "/"+index, body)
		call[any](t, client, http.MethodPost, "/_bulk", `{"index":{"_index":"`+index+`","_id":"`+id+`"}}
`+string(created(1, `{"title":"t"}`).AppendSource(nil))+"\n")
	}
	want := []Copy{{Index: next, Standing: StandingNext}, {Index: target, Standing: StandingLive}, {Index: kept, Standing: StandingKept}}
	for i := range want {
		want[i].Key = document.Key{Entity: document.Post, ID: id}
	}
	got, err := client.Copies(t.Context(), want[0].Key)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("copies: %v\n%s", err, diff)
	}
	gone, err := client.Copies(t.Context(), document.Key{Entity: document.Post, ID: "gone"})
	if err != nil || len(gone) != 1 || !gone[0].Deleted {
		t.Errorf("want one tombstone: %v %v", gone, err)
	}
	if none, err := client.Copies(t.Context(), document.Key{Entity: document.Artist, ID: id}); err != nil || len(none) != 0 {
		t.Errorf("want no artist: %v %v", none, err)
	}

	for _, of := range want[:2] {
		if err := client.RemoveCopy(t.Context(), of); err == nil || !strings.Contains(err.Error(), string(of.Standing)) {
			t.Errorf("remove from the %s index: %v", of.Standing, err)
		}
	}
	if err := client.RemoveCopy(t.Context(), want[2]); err != nil {
		t.Fatal(err)
	}
	if err := client.RemoveCopy(t.Context(), want[2]); err != nil {
		t.Errorf("remove it once more: %v", err)
	}
	if got, err = client.Copies(t.Context(), want[0].Key); err != nil || cmp.Diff(want[:2], got) != "" {
		t.Errorf("after the removal: %v %v", got, err)
	}

	call[any](t, client, http.MethodPost, "/"+kept+"/_close", "")
	if got, err = client.Copies(t.Context(), want[0].Key); err == nil || !strings.Contains(err.Error(), kept) || len(got) != 2 {
		t.Errorf("want the closed index named beside two copies: %v %v", got, err)
	}
}
