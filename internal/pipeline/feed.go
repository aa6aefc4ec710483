package pipeline

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// A chunk is handed to the worker once it has this many records or bytes.
const (
	chunkRecords = 500
	chunkBytes   = 1 << 20
)

// Source gives each record once to add, which blocks while the worker
// has no room and fails when ctx ends.
type Source func(ctx context.Context, add func(*record.Record) error) error

// Process takes the records of source the way that a worker takes those of its
// consumer group, but for looking them up and committing: they are decoded, joined,
// written, retried and, where they must, handed to parts.Deliver. It returns when
// each has ended, which parts.Observe is told, or with the source's error; what is
// under way when ctx ends is ended within Config.Shutdown or abandoned, and the error is
// then the cause of that end: nil says that nothing was left.
//
// parts.Group, parts.Memory and parts.Reread are not used; partitions are those of the records.
func Process(ctx context.Context, cfg Config, parts Parts, partitions []record.Partition, source Source) error {
	f := &feed{records: make(chan []record.Record), rebalances: make(chan stream.Rebalance)}
	observe := parts.Observe
	parts.Group, parts.Memory, parts.Reread = f, noMemory{}, nil
	parts.Log = parts.Log.Level(max(parts.Log.GetLevel(), zerolog.WarnLevel)) // not of a group that it leaves
	parts.Observe = func(e Ending) {
		observe(e)
		f.flying.Done()
	}
	worker := NewWorker(cfg, parts)
	working, stop := context.WithCancel(ctx)
	defer stop()
	fed := make(chan error, 1)
	go func() {
		fed <- f.feed(working, partitions, source)
		stop()
	}()
	err := errors.Join(worker.Run(working), <-fed)
	if ctx.Err() != nil { // whether anything was abandoned or not
		return context.Cause(ctx)
	}
	return err
}

// feed is the Group of Process: it hands over one assignment and then what the
// source gives. There are no offsets to commit, and nobody to hold partitions up for.
type feed struct {
	records    chan []record.Record
	rebalances chan stream.Rebalance
	chunk      []record.Record
	bytes      int
	flying     sync.WaitGroup // records that have not ended
}

func (f *feed) Records() <-chan []record.Record      { return f.records }
func (f *feed) Rebalances() <-chan stream.Rebalance  { return f.rebalances }
func (*feed) Store(map[record.Partition]int64) error { return nil }
func (*feed) Commit() error                          { return nil }
func (*feed) Pause(...record.Partition) error        { return nil }
func (*feed) Resume(...record.Partition) error       { return nil }
func (*feed) Close() error                           { return nil }

// feed gives the worker all records and waits until each has ended.
func (f *feed) feed(ctx context.Context, partitions []record.Partition, source Source) error {
	if len(partitions) == 0 {
		return nil
	}
	if err := f.assign(ctx, partitions); err != nil {
		return err
	}
	add := func(r *record.Record) error { return f.add(ctx, r) }
	if err := source(ctx, add); err != nil {
		return err
	}
	if err := f.flush(ctx); err != nil {
		return err
	}
	f.flying.Wait()
	return nil
}

func (f *feed) assign(ctx context.Context, partitions []record.Partition) error {
	starts := make([]stream.Start, len(partitions))
	for i, p := range partitions {
		starts[i] = stream.Start{Partition: p}
	}
	slices.SortFunc(starts, func(a, b stream.Start) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
	})
	select {
	case f.rebalances <- stream.Rebalance{Kind: stream.Assigned, Partitions: starts, Done: func() {}}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add puts a record into the chunk, and hands the chunk over once it is full.
func (f *feed) add(ctx context.Context, r *record.Record) error {
	f.chunk = append(f.chunk, *r)
	f.bytes += r.Size()
	if len(f.chunk) < chunkRecords && f.bytes < chunkBytes {
		return nil
	}
	return f.flush(ctx)
}

// flush hands the chunk over as soon as the worker has room for it.
func (f *feed) flush(ctx context.Context) error {
	if len(f.chunk) == 0 {
		return nil
	}
	f.flying.Add(len(f.chunk))
	select {
	case f.records <- f.chunk:
		f.chunk, f.bytes = nil, 0
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// noMemory knows of no write: whoever feeds records is there to write them.
type noMemory struct{}

// Seen answers no.
func (noMemory) Seen(_ context.Context, entries []dedup.Entry) []bool {
	return make([]bool, len(entries))
}

// Mark does nothing.
func (noMemory) Mark(context.Context, []dedup.Entry) {}
