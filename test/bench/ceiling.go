package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// The ceiling is what this OpenSearch takes of these documents at most, from a
// client that has nothing to do but send. It is the same for both sides:
//
//   - the documents: ids and _source, byte for byte, as the worker left them,
//     _sync and tombstones included, so that both sides store and index the same;
//   - the indices: made by the same `indexer setup`, empty at the begin, with the
//     same refresh interval and number of copies;
//   - the server, and the part of the day: the sides take turns.
//
// It differs in all that the worker is for: each document is written once, in its
// last state, by a plain "index" action and not by a script; request bodies are
// built before the time begins, and the answer says no more than whether there
// was an error; nothing is read from Kafka, decoded, joined or remembered in
// Redis. Size and number of the requests are the best of a few tried before.

// doc is one document to write.
type doc struct {
	entity string // post or artist
	id     string
	source jsontext.Value
}

// bulkShape is how documents are put into requests.
type bulkShape struct {
	Documents int `json:"documents"` // of one request
	InFlight  int `json:"in_flight"` // requests under way at once
}

// ceilingRun is the plain bulk of one round.
type ceilingRun struct {
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"docs_per_second"`
	Passes  int     `json:"passes"` // times that all documents were written, each into new indices
}

// shortest is how long a measurement should last at least: with fewer documents
// the plain bulk is done in a second, which says little.
const (
	shortest  = 3 * time.Second
	maxPasses = 5
)

// runCeiling writes all documents into new indices, again and again until it has
// written for long enough.
func (b *bench) runCeiling(ctx context.Context, docs []doc, shape bulkShape) (ceilingRun, error) {
	var run ceilingRun
	for run.Seconds < shortest.Seconds() && run.Passes < maxPasses {
		took, err := b.pass(ctx, docs, shape)
		if err != nil {
			return run, err
		}
		run.Seconds += took.Seconds()
		run.Passes++
	}
	run.Rate = float64(len(docs)*run.Passes) / run.Seconds
	return run, nil
}

// tune finds the shape for the ceiling on a part of the documents: the best size
// at a middling number of requests, then the best number at that size.
func (b *bench) tune(ctx context.Context, docs []doc) error {
	docs = docs[:min(len(docs), 20_000)]
	best, bestRate := bulkShape{}, 0.0
	try := func(shape bulkShape) error {
		took, err := b.pass(ctx, docs, shape)
		if err != nil {
			return err
		}
		rate := float64(len(docs)) / took.Seconds()
		b.say("plain _bulk, %d documents a request, %d at once: %.0f docs/s", shape.Documents, shape.InFlight, rate)
		if rate > bestRate {
			best, bestRate = shape, rate
		}
		return nil
	}
	for _, size := range []int{500, 1000, 2000, 4000} {
		if err := try(bulkShape{size, 4}); err != nil {
			return err
		}
	}
	for _, inFlight := range []int{2, 8} {
		if err := try(bulkShape{best.Documents, inFlight}); err != nil {
			return err
		}
	}
	b.shape = best
	return nil
}

// pass writes all documents once into new indices, and tells how long the requests
// took.
func (b *bench) pass(ctx context.Context, docs []doc, shape bulkShape) (time.Duration, error) {
	s := b.newSide("c")
	if err := b.setup(ctx, b.name+".", s); err != nil {
		return 0, err
	}
	bodies := bulkBodies(docs, e2e.Aliases(s.prefix), shape.Documents)
	began := time.Now()
	if err := b.send(ctx, bodies, shape.InFlight); err != nil {
		return 0, err
	}
	took := time.Since(began)
	count, err := b.countDocuments(ctx, s)
	if err != nil {
		return 0, err
	}
	if count != len(docs) {
		return 0, fmt.Errorf("%d documents are there, of %d written", count, len(docs))
	}
	return took, b.remove(ctx, s)
}

func bulkBodies(docs []doc, aliases map[string]string, size int) []string {
	var bodies []string
	var body strings.Builder
	for i, d := range docs {
		fmt.Fprintf(&body, `{"index":{"_index":"%s-write","_id":%q}}`+"\n%s\n", aliases[d.entity], d.id, d.source)
		if (i+1)%size == 0 || i == len(docs)-1 {
			bodies = append(bodies, body.String())
			body.Reset()
		}
	}
	return bodies
}

// send posts all bodies, some at once.
func (b *bench) send(ctx context.Context, bodies []string, inFlight int) error {
	transport := &http.Transport{MaxIdleConnsPerHost: inFlight}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range inFlight {
		group.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(bodies)); i = next.Add(1) - 1 {
				if err := b.post(ctx, client, bodies[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (b *bench) post(ctx context.Context, client *http.Client, body string) error {
	url := b.cluster.URL + "/_bulk?require_alias=true&filter_path=errors"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("send bulk request: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read bulk response: %w", err)
	}
	var answer struct {
		Errors *bool `json:"errors"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || resp.StatusCode != http.StatusOK || answer.Errors == nil || *answer.Errors {
		return fmt.Errorf("bulk request: status %d: %.500s", resp.StatusCode, text)
	}
	return nil
}

// documents reads all that a side holds, in an order that mixes the entities as
// the worker's requests do.
func (b *bench) documents(ctx context.Context, s side) ([]doc, error) {
	var docs []doc
	for entity, alias := range e2e.Aliases(s.prefix) {
		// The write alias, since the read alias hides tombstones.
		some, err := b.scroll(ctx, entity, alias+"-write")
		if err != nil {
			return nil, fmt.Errorf("read the documents of %s: %w", alias, err)
		}
		docs = append(docs, some...)
	}
	if len(docs) == 0 {
		return nil, errors.New("the worker left no documents")
	}
	order := rand.New(rand.NewPCG(b.options.seed, 0))
	order.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
	return docs, nil
}

func (b *bench) scroll(ctx context.Context, entity, index string) ([]doc, error) {
	if err := b.cluster.Do(ctx, http.MethodPost, "/"+index+"/_refresh", "", nil); err != nil {
		return nil, err
	}
	var page struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct {
			Hits []struct {
				ID     string         `json:"_id"`
				Source jsontext.Value `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	var docs []doc
	err := b.cluster.Do(ctx, http.MethodPost, "/"+index+"/_search?scroll=1m", `{"size":2000,"sort":["_doc"]}`, &page)
	for err == nil && len(page.Hits.Hits) > 0 {
		for _, h := range page.Hits.Hits {
			docs = append(docs, doc{entity, h.ID, h.Source})
		}
		next := `{"scroll":"1m","scroll_id":"` + page.Scroll + `"}`
		page.Hits.Hits = nil
		err = b.cluster.Do(ctx, http.MethodPost, "/_search/scroll", next, &page)
	}
	return docs, err
}

// countDocuments counts all that a side holds, tombstones included.
func (b *bench) countDocuments(ctx context.Context, s side) (int, error) {
	names := s.prefix + "posts-write," + s.prefix + "artists-write"
	if err := b.cluster.Do(ctx, http.MethodPost, "/"+names+"/_refresh", "", nil); err != nil {
		return 0, err
	}
	var answer struct{ Count int }
	err := b.cluster.Do(ctx, http.MethodGet, "/"+names+"/_count", "", &answer)
	return answer.Count, err
}

// countWrites counts the actions that OpenSearch carried out for a side, those
// that changed nothing included.
func (b *bench) countWrites(ctx context.Context, s side) (int, error) {
	var answer struct {
		All struct {
			Primaries struct {
				Indexing struct {
					Index int `json:"index_total"`
					Noop  int `json:"noop_update_total"`
				} `json:"indexing"`
			} `json:"primaries"`
		} `json:"_all"`
	}
	names := s.prefix + "posts-write," + s.prefix + "artists-write"
	err := b.cluster.Do(ctx, http.MethodGet, "/"+names+"/_stats/indexing", "", &answer)
	return answer.All.Primaries.Indexing.Index + answer.All.Primaries.Indexing.Noop, err
}
