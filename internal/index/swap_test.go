package index

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

// TestSwapsAtOnce: of rebuilds that finish together exactly one gets through, for
// all entities or none.
func TestSwapsAtOnce(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	const rivals = 3
	offers := make([][]Swap, rivals)
	for i := range offers {
		for _, entity := range Entities() {
			next, err := client.CreateNext(t.Context(), entity, time.Unix(1_900_000_000+int64(i), 0), Origin{})
			if err != nil {
				t.Fatal(err)
			}
			offers[i] = append(offers[i], Swap{From: behind(t, client, client.names(entity).Write), To: next})
		}
	}
	errs := make([]error, rivals)
	var group sync.WaitGroup
	for i := range offers {
		group.Go(func() { errs[i] = client.Swap(t.Context(), offers[i]) })
	}
	group.Wait()
	winner := slices.Index(errs, nil)
	if winner < 0 {
		t.Fatal(errs)
	}
	for i, err := range errs {
		if i != winner && !errors.Is(err, ErrMoved) {
			t.Errorf("rival %d: %v, want ErrMoved", i, err)
		}
	}
	for _, swap := range offers[winner] {
		n := client.names(swap.To.Entity)
		if read, write := behind(t, client, n.Read), behind(t, client, n.Write); read != swap.To.Index || write != read {
			t.Errorf("%s is read and %s written, want %s", read, write, swap.To.Index)
		}
	}
	if found := client.Ready(t.Context()); len(found) > 0 {
		t.Error(found)
	}
	if err := client.Swap(t.Context(), offers[winner]); err != nil {
		t.Errorf("the same once more, as after a lost answer: %v", err)
	}
}

func TestSwapRefuses(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	before := behind(t, client, client.names(document.Post).Write)
	next := nextAt(t, client, 0, before)
	for from, what := range map[string]string{
		"":                             "an index stands after all",
		before + "1":                   "no such index",
		nextAt(t, client, 1, "").Index: "an index that never was live",
	} {
		if err := client.Swap(t.Context(), []Swap{{From: from, To: next}}); !errors.Is(err, ErrMoved) {
			t.Errorf("%s: %v, want ErrMoved", what, err)
		}
	}
	if err := client.DropNext(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if err := client.Swap(t.Context(), []Swap{{From: before, To: next}}); err == nil || errors.Is(err, ErrMoved) || !strings.Contains(err.Error(), next.Index) {
		t.Errorf("to an index that is gone: %v", err)
	}
	if found := client.Ready(t.Context()); len(found) > 0 {
		t.Error(found)
	}
}

// TestSwapWhereNoneStands: no setup has made an index.
func TestSwapWhereNoneStands(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	next := nextAt(t, client, 0, "")
	if err := client.Swap(t.Context(), []Swap{{To: next}}); err != nil {
		t.Fatal(err)
	}
	if got := behind(t, client, client.names(document.Post).Read); got != next.Index {
		t.Errorf("searches see %s", got)
	}
}

// TestSearchesAndWritesDuringSwaps: none fails, no search finds less than all.
func TestSearchesAndWritesDuringSwaps(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	before := behind(t, client, n.Write)
	ends := []Next{{Entity: document.Post, Index: before, Alias: n.next(before)}, nextAt(t, client, 0, before)}
	if err := client.updateAliases(t.Context(), addAlias(before, n.next(before))); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, client, posts(20)...)
	for _, o := range client.Load(t.Context(), "", ends[1], posts(20)) {
		if o.Result != Written {
			t.Fatal(o)
		}
	}
	refresh(t, client)

	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var searches, writes atomic.Int64
	for range 3 {
		group.Go(func() {
			for ctx.Err() == nil {
				found, err := client.count(t.Context(), n.Read)
				if err != nil || found != 20 {
					t.Errorf("found %d: %v", found, err)
				}
				searches.Add(1)
			}
		})
	}
	group.Go(func() {
		for writer := NewWriter(client); ctx.Err() == nil; writes.Add(1) {
			if got := writer.Write(t.Context(), "", posts(1))[0]; got.Result != Stale {
				t.Errorf("write: %+v", got)
			}
		}
	})
	for i := range 50 {
		if err := client.Swap(t.Context(), []Swap{{From: ends[i%2].Index, To: ends[1-i%2]}}); err != nil {
			t.Error(err)
		}
	}
	stop()
	group.Wait()
	if searches.Load() < 50 || writes.Load() == 0 {
		t.Errorf("%d searches and %d writes", searches.Load(), writes.Load())
	}
}

// TestWritesAcrossSwapAndBlock: each is in the old index by the time that the block
// stands, or refused there and in the new one when it was tried again.
func TestWritesAcrossSwapAndBlock(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	before := behind(t, client, client.names(document.Post).Write)
	next := nextAt(t, client, 0, before)
	// Half of the writes go to the old index for ever, as those do that were routed
	// before the swap and held up on their way.
	held := next.Alias + "-held"
	if err := client.updateAliases(t.Context(), addAlias(before, held)); err != nil {
		t.Fatal(err)
	}
	ways := []*Writer{NewWriter(client), NewWriterTo(client, map[document.Entity]string{document.Post: held})}

	ctx, stop := context.WithCancel(t.Context())
	const writers = 4
	took := make([]map[string]int, writers) // by index, of each writer
	var rounds, blocked atomic.Int64
	var group sync.WaitGroup
	for w := range writers {
		took[w] = map[string]int{}
		group.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				blocked.Add(writeUntilTaken(t, client, ways[w%2], took[w], fmt.Sprintf("%d-%d-", w, round)))
				rounds.Add(1)
			}
		})
	}
	await := func(more int64) {
		for target := rounds.Load() + more; rounds.Load() < target && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
	await(writers)
	if err := errors.Join(client.Swap(t.Context(), []Swap{{From: before, To: next}}), client.BlockWrites(t.Context(), before)); err != nil {
		t.Error(err)
	}
	frozen, _, err := client.Count(t.Context(), before)
	for blocked.Load() == 0 && !t.Failed() {
		await(1)
	}
	stop()
	group.Wait()

	want := map[string]int{}
	for _, counts := range took {
		for index, n := range counts {
			want[index] += n
		}
	}
	old, _, oldErr := client.Count(t.Context(), before)
	now, _, newErr := client.Count(t.Context(), next.Index)
	if diff := cmp.Diff(want, map[string]int{before: int(old), next.Index: int(now)}); diff != "" || errors.Join(err, oldErr, newErr) != nil {
		t.Errorf("acknowledged (-), there (+): %v %s", errors.Join(err, oldErr, newErr), diff)
	}
	if blocked.Load() == 0 {
		t.Error("no write was refused by the block")
	}
	if frozen != old {
		t.Errorf("%d documents when the block stood, %d at the end", frozen, old)
	}
}

// writeUntilTaken writes 100 new documents until each is in an index, and counts
// them by that: first by the given writer, what a block refuses by the write alias.
// It returns how many were refused.
func writeUntilTaken(t *testing.T, c *Client, writer *Writer, took map[string]int, stem string) (blocked int64) {
	var actions []Action
	for i := range 100 {
		actions = append(actions, post(fmt.Sprint(stem, i), 1, `{"title":"t"}`))
	}
	for ; len(actions) > 0 && !t.Failed(); writer = NewWriter(c) {
		var left []Action
		for i, o := range writer.Write(t.Context(), "", actions) {
			switch {
			case o.Result == Written:
				took[o.Index]++
			case o.Result == Retry && o.Reason == ReasonBlocked:
				blocked++
				left = append(left, actions[i])
			default:
				t.Errorf("write: %+v", o)
			}
		}
		actions = left
	}
	return blocked
}

// TestBlockWaitsAlsoWhereOneStands: OpenSearch itself waits for nothing then.
func TestBlockWaitsAlsoWhereOneStands(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	next := nextAt(t, client, 0, "")
	for range 2 {
		if err := client.BlockWrites(t.Context(), next.Index); err != nil {
			t.Fatal(err)
		}
		if got := client.Load(t.Context(), "", next, posts(1))[0]; got.Result != Retry || got.Reason != ReasonBlocked {
			t.Errorf("write: %+v", got)
		}
	}
	for range 2 {
		if err := client.UnblockWrites(t.Context(), next.Index); err != nil {
			t.Fatal(err)
		}
	}
	wantResults(t, client.Load(t.Context(), "", next, posts(1)), next.Index, Written)
	if err := client.BlockWrites(t.Context(), next.Index+"1"); err != nil {
		t.Errorf("no such index takes no writes either, got %v", err)
	}
}

// TestSwapThatNotEveryNodeKnows waits until the cluster manager is through with it.
func TestSwapThatNotEveryNodeKnows(t *testing.T) {
	t.Parallel()
	asked := 0
	server := newFakeServer(t, nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/_aliases":
			_, _ = fmt.Fprint(w, `{"acknowledged":false}`)
		case r.URL.Path == "/_cluster/health" && r.URL.Query().Get("wait_for_events") == "languid":
			asked++
			w.WriteHeader(map[bool]int{true: http.StatusRequestTimeout, false: http.StatusOK}[asked == 1])
			_, _ = fmt.Fprintf(w, `{"timed_out":%t}`, asked == 1)
		default:
			t.Errorf("request %s", r.URL)
		}
	})
	client := mustClient(t, server.config())
	if err := client.Swap(t.Context(), []Swap{{To: Next{Entity: document.Post, Index: "i"}}}); err != nil || asked != 2 {
		t.Errorf("%v after %d questions", err, asked)
	}
}
