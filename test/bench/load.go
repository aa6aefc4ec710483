package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/search-indexer/search-indexer/internal/produce"
)

// workload is what the topics are filled with.
type workload struct {
	name  string
	about string
	// events yields count events, one JSON object each; nil for those that
	// `indexer produce --count` invents by itself.
	events func(count int, seed uint64) iter.Seq2[[]byte, error]
}

func workloads() []workload {
	return []workload{
		{"produced", "as `produce --count` invents: 60% created, 35% updated, 5% deleted", nil},
		{"fresh", "created only: each event is a new document", fresh},
		{"updates", "10 full versions of each document, a version of all before the next", updates(10)},
	}
}

func workloadNames() []string {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.name)
	}
	return names
}

func chooseWorkloads(list string) ([]workload, error) {
	var chosen []workload
next:
	for name := range strings.SplitSeq(list, ",") {
		for _, w := range workloads() {
			if w.name == name {
				chosen = append(chosen, w)
				continue next
			}
		}
		return nil, fmt.Errorf("no workload named %q: use %s", name, strings.Join(workloadNames(), ", "))
	}
	return chosen, nil
}

// created yields the events of the inventor that create something.
func created(count int, seed uint64) iter.Seq2[[]byte, error] {
	now := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { now = now.Add(time.Millisecond); return now }
	return func(yield func([]byte, error) bool) {
		// The inventor takes no end: more than half of what it makes is created.
		invention := produce.Invention{Seed: seed, Count: 3*count + 1000, Now: clock}
		left := count
		for r, err := range invention.Records() {
			if err == nil && !strings.HasSuffix(r.Topic, ".created") {
				continue
			}
			if left == 0 {
				return
			}
			left--
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(r.Value, nil) {
				return
			}
		}
	}
}

func fresh(count int, seed uint64) iter.Seq2[[]byte, error] { return created(count, seed) }

// event is one of the inventor's, taken apart as far as updates has to.
type event struct {
	Type    string                    `json:"event_type"`
	Version int                       `json:"version"`
	Data    map[string]jsontext.Value `json:"data"`
	Rest    jsontext.Value            `json:",inline"`
}

// updates takes the first version of each document from the inventor, and for the
// later ones the contents of other documents.
func updates(versions int) func(count int, seed uint64) iter.Seq2[[]byte, error] {
	return func(count int, seed uint64) iter.Seq2[[]byte, error] { return versionsOf(versions, count, seed) }
}

func versionsOf(versions, count int, seed uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		posts, err := createdPosts(count/versions, seed)
		if err != nil {
			yield(nil, err)
			return
		}
		for version := range versions {
			for i, e := range posts {
				id := e.Data["post_id"]
				e.Data = maps.Clone(posts[(i+version)%len(posts)].Data)
				e.Data["post_id"] = id
				e.Version = version + 1
				if version > 0 {
					e.Type = "post.updated"
				}
				if !yield(json.Marshal(e)) {
					return
				}
			}
		}
	}
}

func createdPosts(count int, seed uint64) ([]event, error) {
	posts := make([]event, 0, count)
	for text, err := range created(2*count+100, seed) { // some of it are artists
		var e event
		if err := errors.Join(err, json.Unmarshal(text, &e)); err != nil {
			return nil, err
		}
		if e.Type == "post.created" && len(posts) < count {
			posts = append(posts, e)
		}
	}
	return posts, nil
}

// filled is a set of topics with a workload in it.
type filled struct {
	prefix string
	events int
}

// fill makes topics and publishes a workload, once: every run of the worker reads
// the same records.
func (b *bench) fill(ctx context.Context, w workload) (filled, error) {
	to := filled{prefix: b.name + "-" + w.name + ".", events: b.options.count}
	s := b.newSide("fill")
	if err := b.setup(ctx, to.prefix, s); err != nil {
		return to, err
	}
	if err := b.remove(ctx, s); err != nil {
		return to, err
	}
	seed := strconv.FormatUint(b.options.seed, 10)
	if w.events == nil {
		return to, finish(b.command(ctx, to.prefix, s, "produce", "--count", strconv.Itoa(to.events), "--seed", seed))
	}
	lines, in := io.Pipe()
	wrote := make(chan error, 1)
	to.events = 0
	go func() {
		err := writeLines(in, w.events(b.options.count, b.options.seed), &to.events)
		_ = in.CloseWithError(err)
		wrote <- err
	}()
	publish := b.command(ctx, to.prefix, s, "produce")
	publish.Stdin = lines
	err := finish(publish)
	_ = lines.Close() // lets the writer end where produce has ended early
	return to, errors.Join(err, <-wrote)
}

func writeLines(to io.Writer, events iter.Seq2[[]byte, error], count *int) error {
	for event, err := range events {
		if err != nil {
			return fmt.Errorf("invent events: %w", err)
		}
		if _, err := to.Write(append(event, '\n')); err != nil {
			return fmt.Errorf("hand over events: %w", err)
		}
		*count++
	}
	return nil
}
