package index

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
)

// someOrigin has every member set.
func someOrigin(previous string) Origin {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	place := record.Position{Partition: record.Partition{Topic: "post.created", ID: 3}, TopicID: "AAA", Next: 1<<53 + 1}
	return Origin{
		State: OriginLoading, Owner: "host ё", Previous: previous, Began: at, Swapped: at.Add(time.Second), Finished: at.Add(time.Minute),
		Joined: []record.Position{place}, Committed: []record.Position{place, {Partition: record.Partition{Topic: "post.deleted"}, TopicID: "B"}},
	}
}

// nextAt makes an index of posts on its way, named after that many seconds past a
// fixed time.
func nextAt(t *testing.T, c *Client, seconds int64, previous string) Next {
	t.Helper()
	next, err := c.CreateNext(t.Context(), document.Post, time.Unix(1_900_000_000+seconds, 0), someOrigin(previous))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestNextGoesLive follows one index from its making to the end of its rebuild.
func TestNextGoesLive(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	before := behind(t, client, n.Write)
	mustWrite(t, client, post("old", 1, `{"title":"old"}`))

	next := nextAt(t, client, 0, before)
	want := Next{
		Entity: document.Post, Index: n.Index(time.Unix(1_900_000_000, 0)), UUID: next.UUID,
		Alias: n.Read + "-next-20300317-174640", Origin: someOrigin(before),
	}
	if diff := cmp.Diff(want, next); diff != "" || next.UUID == "" {
		t.Fatalf("made: %s", diff)
	}
	wantUnfinished(t, client, next)
	if report, err := client.Setup(t.Context()); err != nil || len(report.Problems) > 0 {
		t.Errorf("setup beside it: %v %q", err, report.Problems)
	}
	if got := behind(t, client, n.Write); got != before {
		t.Errorf("setup moved the aliases to %s", got)
	}

	actions := []Action{post("1", 1, `{"title":"one"}`), deleted("2", 2), post("3", 1, `{"title":"three"}`)}
	wantResults(t, client.Load(t.Context(), "test", next, actions), next.Index, Written, Deleted, Written)
	actions[0] = post("1", 9, `{"title":"late"}`)
	wantResults(t, client.Load(t.Context(), "test", next, actions), next.Index, Stale, Stale, Stale)
	writer := NewWriterTo(client, map[document.Entity]string{document.Post: next.Alias})
	wantResults(t, writer.Write(t.Context(), "test", []Action{post("1", 2, `{"title":"joined"}`)}), next.Index, Written)

	if note, err := client.Serve(t.Context(), next); err != nil || note != "" {
		t.Fatalf("serve: %v %q", err, note)
	}
	if visible, tombstones, err := client.Count(t.Context(), next.Index); visible != 2 || tombstones != 1 || err != nil {
		t.Errorf("count %d and %d: %v", visible, tombstones, err)
	}
	if err := client.Swap(t.Context(), []Swap{{From: before, To: next}}); err != nil {
		t.Fatal(err)
	}
	next.Live = true
	wantUnfinished(t, client, next)
	if problems := client.Ready(t.Context()); len(problems) > 0 {
		t.Errorf("after the swap: %q", problems)
	}
	mustWrite(t, client, post("new", 1, `{"title":"new"}`))
	refresh(t, client)
	if diff := cmp.Diff([]string{"1", "new", "3"}, hits(t, client, n.Read, `{"sort":"title.exact"}`)); diff != "" {
		t.Error(diff)
	}

	if err := client.BlockWrites(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := client.Finish(t.Context(), next); err != nil {
			t.Fatal(err)
		}
	}
	wantUnfinished(t, client)
	if found, _, err := client.ownIndices(t.Context(), document.Post); err != nil || !slices.Contains(slices.Collect(maps.Keys(found)), before) {
		t.Fatalf("%v: %v", found, err)
	} else if origin, err := found[next.Index].origin(); err != nil || origin.State != OriginDone {
		t.Errorf("origin %+v: %v", origin, err)
	}
}

func wantUnfinished(t *testing.T, c *Client, want ...Next) {
	t.Helper()
	got, err := c.Unfinished(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("unfinished: %v %s", err, diff)
	}
}

func wantResults(t *testing.T, got []Outcome, index string, want ...Result) {
	t.Helper()
	var all []Outcome
	for _, result := range want {
		all = append(all, Outcome{Result: result, Index: index})
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Error(diff)
	}
}

// TestCreateNextRefuses a template that would lose data, but not a name that is taken.
func TestCreateNextRefuses(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	first := nextAt(t, client, 0, "")
	if again := nextAt(t, client, 0, ""); again.UUID != first.UUID { // as after an answer that was lost
		t.Errorf("made again: %s after %s", again.Index, first.Index)
	}
	second, err := client.CreateNext(t.Context(), document.Post, time.Unix(1_900_000_000, 0), Origin{Owner: "another"})
	if n := client.names(document.Post); err != nil || second.Index != n.Index(time.Unix(1_900_000_001, 0)) {
		t.Errorf("named %s after %s, %v", second.Index, first.Index, err)
	}
	pattern := client.names(document.Artist).Pattern
	call[any](t, client, http.MethodPut, "/_index_template/"+client.cfg.IndexPrefix+"neighbour",
		`{"index_patterns":["`+pattern+`"],"priority":900,"template":{"settings":{"index.default_pipeline":"p"}}}`)
	if _, err := client.CreateNext(t.Context(), document.Artist, time.Now(), Origin{}); err == nil || !strings.Contains(err.Error(), "index.default_pipeline is p") {
		t.Errorf("a lossy neighbour: %v", err)
	}
	wantIndices(t, client, document.Artist, 1)
}
