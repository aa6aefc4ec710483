package index

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

func results(outcomes []Outcome) []string {
	var list []string
	for _, o := range outcomes {
		list = append(list, o.Result.String()+" "+o.Reason)
	}
	return list
}

func read(t *testing.T, c *Client, index string, ids ...string) []Stored {
	t.Helper()
	found, err := c.Documents(t.Context(), index, document.Post, ids)
	if err != nil || len(found) != len(ids) {
		t.Fatalf("%d documents for %v: %v", len(found), ids, err)
	}
	return found
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	index := behind(t, client, client.names(document.Post).Write)
	const odd = "../a\"b?c ё"
	actions := []Action{post(odd, 3, `{"title":"<т>"}`), deleted("gone", 2)}
	mustWrite(t, client, actions...) // no refresh follows
	call[any](t, client, http.MethodPost, "/_bulk", `{"index":{"_index":"`+index+`","_id":"newer"}}
{"_sync":{"format":2}}
{"index":{"_index":"`+index+`","_id":"foreign"}}
{"title":"by hand"}
`)
	found := read(t, client, index, "newer", odd, "none", "gone", odd, "foreign")
	for i, want := range map[int]Action{1: actions[0], 3: actions[1], 4: actions[0]} {
		if got := found[i]; got.Key != want.Key || !got.Found || got.Err != nil || got.PrimaryTerm != 1 || !document.Equal(got.State, want.State.Unpack()) {
			t.Errorf("answer %d: %+v", i, got)
		}
	}
	if found[1].SeqNo == found[3].SeqNo {
		t.Errorf("two writes are both %d", found[1].SeqNo)
	}
	if diff := cmp.Diff(Stored{Key: document.Key{Entity: document.Post, ID: "none"}}, found[2]); diff != "" {
		t.Error(diff)
	}
	if d := found[0]; !d.Found || d.Err == nil || d.Source == nil {
		t.Errorf("of a newer program: %+v", d)
	}
	if d := found[5]; !d.Found || d.Err != nil || !d.State.Seen.IsZero() || len(d.State.Fields) != 1 {
		t.Errorf("written by hand: %+v", d)
	}
	if none, err := client.Documents(t.Context(), index, document.Post, nil); len(none) != 0 || err != nil {
		t.Errorf("no ids: %v %v", none, err)
	}
	if _, err := client.Documents(t.Context(), index+"9", document.Post, []string{"1"}); err == nil {
		t.Error("an index that does not exist has documents")
	}
}

func TestAmend(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	index := behind(t, client, client.names(document.Post).Write)
	mustWrite(t, client, post("altered", 1, `{"title":"a"}`), post("orphan", 1, `{}`), post("raced", 1, `{}`), post("raced-orphan", 1, `{}`), deleted("tombstone", 1))
	seen := read(t, client, index, "altered", "orphan", "raced", "raced-orphan", "tombstone")
	mustWrite(t, client, post("raced", 2, `{"title":"newer"}`), post("raced-orphan", 2, `{}`))

	amend := func(kind AmendKind, d Stored, s document.State) Amendment {
		return Amendment{Key: d.Key, Kind: kind, State: s, SeqNo: d.SeqNo, PrimaryTerm: d.PrimaryTerm}
	}
	key := func(id string) document.Key { return document.Key{Entity: document.Post, ID: id} }
	right := created(1, `{"title":"right"}`)
	list := []Amendment{
		amend(Replace, seen[0], right),
		amend(Remove, seen[1], document.State{}),
		amend(Replace, seen[2], right),
		amend(Remove, seen[3], document.State{}),
		amend(Remove, seen[4], document.State{}),
		{Key: key("missing"), Kind: Create, State: right},
		{Key: key("missing tombstone"), Kind: Create, State: deleted("", 3).State.Unpack()},
		{Key: key("raced"), Kind: Create, State: right},
		{Key: key("unfit"), Kind: Create, State: created(1, `{"title":{"an":"object"}}`)},
		{Key: key("never there"), Kind: Remove, SeqNo: 0, PrimaryTerm: 1},
	}
	want := []string{
		"indexed ", "deleted ", "retry conflict", "retry conflict", "deleted ", "indexed ", "deleted ", "retry conflict",
		"rejected rejected_by_index", "retry conflict",
	}
	if diff := cmp.Diff(want, results(client.Amend(t.Context(), index, list))); diff != "" {
		t.Error(diff)
	}
	after := read(t, client, index, "altered", "orphan", "raced", "raced-orphan", "tombstone", "missing", "missing tombstone", "unfit")
	for i, want := range []document.State{right, {}, document.Join(created(1, `{}`), created(2, `{"title":"newer"}`)), created(2, `{}`), {}, right, deleted("", 3).State.Unpack(), {}} {
		if got := after[i]; !document.Equal(got.State, want) || got.Found != !want.IsZero() {
			t.Errorf("%s is %s, want %s", got.ID, got.State, want)
		}
	}
	// Once more: what was done is seen as somebody's write.
	for i, got := range results(client.Amend(t.Context(), index, list[:2])) {
		if got != "retry conflict" {
			t.Errorf("%s again: %s", list[i].ID, got)
		}
	}
}

// TestAmendTooMuch: a request that the server finds too large goes in parts.
func TestAmendTooMuch(t *testing.T) {
	server := newFakeServer(t, func(w http.ResponseWriter, body string) {
		if len(body) > 700 {
			refuse(http.StatusRequestEntityTooLarge, "")(w, body)
			return
		}
		acceptAll(w, body)
	})
	var list []Amendment
	for i := range 9 {
		list = append(list, Amendment{Key: document.Key{Entity: document.Post, ID: fmt.Sprint(i)}, Kind: Create, State: created(1, `{"title":"t"}`)})
	}
	for i, o := range mustClient(t, server.config()).Amend(t.Context(), "posts-1", list) {
		if o.Result != Written {
			t.Errorf("%d: %+v", i, o)
		}
	}
	if none := mustClient(t, server.config()).Amend(t.Context(), "posts-1", nil); len(none) != 0 {
		t.Errorf("outcomes of nothing: %v", none)
	}
}
