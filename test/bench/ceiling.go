package main

import (
	"context"
	"fmt"
	"io"
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
	Server  float64 `json:"opensearch_cpu_us_per_doc"`
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
	cpu := meter{cluster: b.cluster}
	for run.Seconds < shortest.Seconds() && run.Passes < maxPasses {
		took, err := b.pass(ctx, docs, shape, &cpu)
		if err != nil {
			return run, err
		}
		run.Seconds += took.Seconds()
		run.Passes++
	}
	written := float64(len(docs) * run.Passes)
	run.Rate, run.Server = written/run.Seconds, float64(cpu.used.Microseconds())/written
	return run, nil
}

// tune finds the shape for the ceiling on a part of the documents: the best size
// at a middling number of requests, then the best number at that size.
func (b *bench) tune(ctx context.Context, docs []doc) error {
	docs = docs[:min(len(docs), 50_000)]
	best, _, err := b.fastest(ctx, docs, []bulkShape{{500, 4}, {1000, 4}, {2000, 4}, {4000, 4}})
	if err != nil {
		return err
	}
	b.shape, b.ceiling, err = b.fastest(ctx, docs, []bulkShape{{best.Documents, 2}, best, {best.Documents, 8}})
	return err
}

// fastest tries each shape twice and counts the better: what else the machine
// does can only slow a try down, and the first ones also warm the server up.
func (b *bench) fastest(ctx context.Context, docs []doc, shapes []bulkShape) (best bulkShape, bestRate float64, err error) {
	for range 2 {
		for _, shape := range shapes {
			took, err := b.pass(ctx, docs, shape, nil)
			if err != nil {
				return best, 0, err
			}
			rate := float64(len(docs)) / took.Seconds()
			b.say("plain _bulk, %d documents a request, %d at once: %.0f docs/s", shape.Documents, shape.InFlight, rate)
			if rate > bestRate {
				best, bestRate = shape, rate
			}
		}
	}
	return best, bestRate, nil
}

// pass writes all documents once into new indices, and tells how long the requests
// took. The meter, where there is one, reads OpenSearch's CPU meanwhile.
func (b *bench) pass(ctx context.Context, docs []doc, shape bulkShape, cpu *meter) (time.Duration, error) {
	s := b.newSide("c")
	s.env = b.ceilingEnv
	if err := b.setup(ctx, b.name+".", s); err != nil {
		return 0, err
	}
	bodies := bulkBodies(docs, s.prefix, shape.Documents)
	if err := cpu.start(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := b.send(ctx, bodies, shape.InFlight); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if err := cpu.stop(ctx); err != nil {
		return 0, err
	}
	count, err := b.countDocuments(ctx, s)
	if err != nil {
		return 0, err
	}
	if count != len(docs) {
		return 0, fmt.Errorf("%d documents are there, of %d written", count, len(docs))
	}
	return took, b.remove(ctx, s)
}

func bulkBodies(docs []doc, prefix string, size int) []string {
	aliases := e2e.Aliases(prefix)
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
