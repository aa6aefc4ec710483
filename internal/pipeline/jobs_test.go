package pipeline

import (
	"context"
	"testing"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// fakeWriter takes every action into one index.
type fakeWriter struct {
	index string
	calls int
}

func (w *fakeWriter) Write(_ context.Context, _ string, actions []index.Action) []index.Outcome {
	w.calls++
	outcomes := make([]index.Outcome, len(actions))
	for i := range outcomes {
		outcomes[i] = index.Outcome{Result: index.Written, Index: w.index}
	}
	return outcomes
}

// targets is a catalog that knew one target and reads another.
type targets struct{ last, now index.Targets }

func (c targets) Last() index.Targets                            { return c.last }
func (c targets) Refresh(context.Context) (index.Targets, error) { return c.now, nil }

func at1(name, loss string) index.Targets {
	return index.Targets{document.Post: {Index: name, UUID: "uuid-of-" + name, Loss: loss}}
}

// TestAWriteCountsOnlyInAnIndexThatKeepsIt covers where the alias leads before the
// request and which index takes it.
func TestAWriteCountsOnlyInAnIndexThatKeepsIt(t *testing.T) {
	const loss = "_source is disabled"
	for name, tt := range map[string]struct {
		last, now index.Targets
		takes     string // index that takes the request
		sent      int
		want      index.Result
		space     string
	}{
		"the known index":                {at1("a", ""), at1("a", ""), "a", 1, index.Written, "uuid-of-a"},
		"set up a moment ago":            {nil, at1("a", ""), "a", 1, index.Written, "uuid-of-a"},
		"the alias moved":                {at1("a", ""), at1("b", ""), "b", 1, index.Written, ""},
		"the alias moved twice":          {at1("a", ""), at1("c", ""), "b", 1, index.Retry, ""},
		"the index would lose data":      {at1("a", loss), at1("a", loss), "a", 0, index.Retry, ""},
		"it was mended":                  {at1("a", loss), at1("b", ""), "b", 1, index.Written, "uuid-of-b"},
		"the alias moved to a bad one":   {at1("a", ""), at1("b", loss), "b", 1, index.Retry, ""},
		"set up just now, and a bad one": {nil, at1("a", loss), "a", 0, index.Retry, ""},
	} {
		t.Run(name, func(t *testing.T) {
			writer := &fakeWriter{index: tt.takes}
			jobs := Jobs{Writer: writer, Catalog: targets{tt.last, tt.now}}
			action := index.Action{Key: document.Key{Entity: document.Post, ID: "1"}}
			got := jobs.Write(t.Context(), Write{ID: 7, Actions: []index.Action{action, action}})
			if writer.calls != tt.sent || len(got.Outcomes) != 2 || got.Write != 7 {
				t.Fatalf("%d requests, want %d; %+v", writer.calls, tt.sent, got)
			}
			for _, out := range got.Outcomes {
				if out.Result != tt.want || out.Space != tt.space {
					t.Errorf("%+v, want %v under %q", out, tt.want, tt.space)
				}
				if tt.want == index.Retry && out.Reason != index.ReasonUnsafe {
					t.Errorf("reason %q", out.Reason)
				}
			}
		})
	}
}
