package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// filled is a set of topics with events in them.
type filled struct {
	prefix string
	events int
}

// load is a workload in its topics, published once: every run of the worker reads
// the same records.
type load struct {
	workload
	before   filled // no events where the workload has none
	measured filled
	want     *want
}

// publish makes topics and fills them with a workload.
func (b *bench) publish(ctx context.Context, w workload, count int) (l load, err error) {
	l = load{workload: w, want: newWant()}
	if w.times > 0 {
		count *= w.times
	}
	size := w.size
	if size == 0 {
		size = usualSize
	}
	v, err := newInventor(b.options.seed, size)
	if err != nil {
		return l, err
	}
	if w.before != nil {
		if l.before, err = b.fill(ctx, w, "-before", w.before(v, count), l.want); err != nil {
			return l, err
		}
	}
	if l.measured = l.before; w.events != nil {
		l.measured, err = b.fill(ctx, w, "", w.events(v, count), l.want)
	}
	return l, err
}

// fill makes topics and publishes events to them.
func (b *bench) fill(ctx context.Context, w workload, phase string, events iter.Seq[event], into *want) (filled, error) {
	to := filled{prefix: b.name + "-" + w.name + phase + "."}
	s := b.newSide("fill")
	s.partitions = w.partitions
	if err := b.setup(ctx, to.prefix, s); err != nil {
		return to, err
	}
	if err := b.remove(ctx, s); err != nil {
		return to, err
	}
	lines, in := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		n, err := writeLines(in, events, into)
		to.events = n
		_ = in.CloseWithError(err)
		wrote <- err
	}()
	publish := b.command(ctx, to.prefix, s, "produce")
	publish.Stdin = lines
	err := finish(publish)
	_ = lines.Close() // lets the writer end where produce has ended early
	err = errors.Join(err, <-wrote)
	return to, err
}

func writeLines(to io.Writer, events iter.Seq[event], into *want) (count int, err error) {
	for e := range events {
		if err := into.take(e); err != nil {
			return count, err
		}
		line, err := lineOf(e)
		if err != nil {
			return count, fmt.Errorf("write an event: %w", err)
		}
		if _, err := to.Write(append(line, '\n')); err != nil {
			return count, fmt.Errorf("hand over events: %w", err)
		}
		count++
	}
	return count, nil
}

// lineOf is an event as `indexer produce` reads it.
func lineOf(e event) ([]byte, error) {
	value, err := json.Marshal(e)
	if err != nil || e.key == "" {
		return value, err
	}
	return json.Marshal(struct {
		Topic string         `json:"topic"`
		Key   string         `json:"key"`
		Value jsontext.Value `json:"value"`
	}{e.Type, e.key, value})
}
