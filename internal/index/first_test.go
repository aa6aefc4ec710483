package index

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/document"
)

// neverFirst makes a writer take each document for one that is there.
func neverFirst(w *Writer) *Writer {
	for _, entity := range Entities() {
		for version := range int64(3) {
			for _, visible := range []bool{true, false} {
				w.firsts.there[kind{entity, version, visible}] = 1
			}
		}
	}
	return w
}

// cluster answers bulk requests as an index would that holds the documents of there.
type cluster struct {
	there  map[string]bool
	status map[string]int // of ids that fail
}

func (c *cluster) answer(w http.ResponseWriter, body string) {
	var items []string
	for line := range strings.SplitSeq(body, "\n") {
		var action map[string]struct {
			ID string `json:"_id"`
		}
		if json.Unmarshal([]byte(line), &action) != nil || action["create"].ID+action["update"].ID == "" {
			continue // the second line of an action
		}
		for operation, a := range action {
			items = append(items, c.item(operation, a.ID))
		}
	}
	_, _ = fmt.Fprintf(w, `{"items":[%s]}`, strings.Join(items, ","))
}

func (c *cluster) item(operation, id string) string {
	status, said := 201, `"result":"created"`
	switch there := c.there[id]; {
	case c.status[id] != 0:
		status, said = c.status[id], `"error":{"type":"some_exception"}`
	case there && operation == "create":
		status, said = 409, `"error":{"type":"version_conflict_engine_exception"}`
	case there:
		status, said = 200, `"result":"updated"`
	}
	if status < 300 {
		c.there[id] = true
	}
	return fmt.Sprintf(`{%q:{"_index":"posts-1","status":%d,%s}}`, operation, status, said)
}

// TestCreateFirst: what comes of an action is the same whether it goes as a create,
// as a script, or as both one after the other.
func TestCreateFirst(t *testing.T) {
	index := &cluster{}
	server := newFakeServer(t, index.answer)
	client := mustClient(t, server.config())
	rapid.Check(t, func(rt *rapid.T) {
		index.there, index.status = map[string]bool{}, map[string]int{}
		actions := posts(rapid.IntRange(1, 8).Draw(rt, "actions"))
		before := len(server.requests())
		writer := NewWriter(client)
		scripts := rapid.Bool().Draw(rt, "scripts")
		if scripts {
			neverFirst(writer)
		}
		refusedCreates := false
		want := make([]Outcome, len(actions))
		for i, a := range actions {
			index.there[a.ID] = rapid.Bool().Draw(rt, "there")
			want[i] = Outcome{Result: Written, Index: "posts-1"}
			if status := rapid.SampledFrom([]int{0, 0, 0, 409, 429, 503}).Draw(rt, "status"); status != 0 {
				index.status[a.ID] = status
				want[i] = refused(status, fault{Type: "some_exception"})
			}
			refusedCreates = refusedCreates || !scripts && (index.status[a.ID] == 409 || index.status[a.ID] == 0 && index.there[a.ID])
		}
		if diff := cmp.Diff(want, writer.Write(t.Context(), "x", actions)); diff != "" {
			rt.Fatal(diff)
		}
		requests := 1
		if refusedCreates {
			requests = 2
		}
		if sent := len(server.requests()) - before; sent != requests {
			rt.Fatalf("%d requests, want %d", sent, requests)
		}
	})
}

// TestSecondRequestLost: what the first request wrote counts all the same.
func TestSecondRequestLost(t *testing.T) {
	index := &cluster{there: map[string]bool{"id-1": true}}
	sent := 0
	server := newFakeServer(t, func(w http.ResponseWriter, body string) {
		if sent++; sent > 1 {
			refuse(http.StatusTooManyRequests, `{}`)(w, body)
			return
		}
		index.answer(w, body)
	})
	got := server.writer(t).Write(t.Context(), "x", posts(3))
	for i, want := range []Result{Written, Retry, Written} {
		if got[i].Result != want {
			t.Errorf("action %d: %+v, want %s", i, got[i], want)
		}
	}
	if got[1].Reason != ReasonThrottled {
		t.Errorf("got %+v", got[1])
	}
}

// TestGuessFollowsWhatIsThere: creates end soon once documents are there, and begin
// again once they are not, for that kind of actions alone.
func TestGuessFollowsWhatIsThere(t *testing.T) {
	index := &cluster{there: map[string]bool{}}
	server := newFakeServer(t, index.answer)
	writer := server.writer(t)
	write := func(ids string, version int64) (creates int) {
		actions := posts(benchBatch)
		for i := range actions {
			actions[i].ID = fmt.Sprint(ids, i)
			actions[i].State = document.Upsert(document.UpsertOrder(version, 1, 1), nil).Pack()
		}
		before := len(server.requests())
		for i, o := range writer.Write(t.Context(), "x", actions) {
			if o.Result != Written {
				t.Fatalf("action %d: %+v", i, o)
			}
		}
		return strings.Count(strings.Join(server.requests()[before:], ""), `{"create":`)
	}
	for step, want := range []struct {
		ids     string
		version int64
		creates int
	}{
		{"a", 1, benchBatch},
		{"a", 2, benchBatch}, // all refused
		{"a", 3, 0},
		{"b", 1, benchBatch},
		{"b", 2, 0},
	} {
		if got := write(want.ids, want.version); got != want.creates {
			t.Errorf("step %d, %s at version %d: %d creates, want %d", step, want.ids, want.version, got, want.creates)
		}
	}
	for n := range 10 { // new ones, with a version as if they were not
		if write(fmt.Sprint("c", n, "-"), 7) == benchBatch {
			return
		}
	}
	t.Error("no creates, though all documents are new")
}
