package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// workload is what the topics are filled with.
type workload struct {
	name  string
	about string
	size  int // bytes of an event; 0 for 1 KB
	// events yields count events; nil for those that `indexer produce --count`
	// invents by itself.
	events func(v *inventor, count int) iter.Seq[event]
}

const usualSize = 1000

func workloads() []workload {
	return []workload{
		{name: "produced", about: "as `produce --count` invents: 60% created, 35% updated, 5% deleted"},
		{name: "fresh", about: "created only: each event is a new document", events: fresh},
		{name: "updates", about: "10 full versions of each document, a version of all before the next", events: updates(10)},
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

func fresh(v *inventor, count int) iter.Seq[event] {
	return func(yield func(event) bool) {
		for range count {
			if !yield(v.created(v.uuid())) {
				return
			}
		}
	}
}

// updates writes each document anew in each version, one version of all documents
// after the other.
func updates(versions int) func(v *inventor, count int) iter.Seq[event] {
	return func(v *inventor, count int) iter.Seq[event] {
		return func(yield func(event) bool) {
			ids := make([]string, count/versions)
			for version := range versions {
				for i, id := range ids {
					if version == 0 {
						ids[i] = v.uuid()
						if !yield(v.created(ids[i])) {
							return
						}
						continue
					}
					if !yield(v.updated(id, version+1)) {
						return
					}
				}
			}
		}
	}
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
	if w.events == nil {
		seed := strconv.FormatUint(b.options.seed, 10)
		return to, finish(b.command(ctx, to.prefix, s, "produce", "--count", strconv.Itoa(to.events), "--seed", seed))
	}
	size := w.size
	if size == 0 {
		size = usualSize
	}
	inventor, err := newInventor(b.options.seed, size)
	if err != nil {
		return to, err
	}
	lines, in := io.Pipe()
	wrote := make(chan error, 1)
	to.events = 0
	go func() {
		err := writeLines(in, w.events(inventor, b.options.count), &to.events)
		_ = in.CloseWithError(err)
		wrote <- err
	}()
	publish := b.command(ctx, to.prefix, s, "produce")
	publish.Stdin = lines
	err = finish(publish)
	_ = lines.Close() // lets the writer end where produce has ended early
	return to, errors.Join(err, <-wrote)
}

func writeLines(to io.Writer, events iter.Seq[event], count *int) error {
	for e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("write an event: %w", err)
		}
		if _, err := to.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("hand over events: %w", err)
		}
		*count++
	}
	return nil
}
