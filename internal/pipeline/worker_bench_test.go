package pipeline_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/produce"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// BenchmarkWorker runs the real worker and decoder between a Kafka, an OpenSearch
// and a Redis that take no time: what remains is what our own code can do at most.
// One operation is one event.
func BenchmarkWorker(b *testing.B) {
	const partitions = 12
	records, starts := inventedRecords(b, 100_000, partitions)
	cfg := pipeline.Config{MaxEvents: 1000, MaxBytes: 5 << 20, MaxWait: 20 * time.Millisecond, Concurrency: 4, Shutdown: 10 * time.Second}
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= len(records) {
		some := records[:min(left, len(records))]
		group := newReplay(some, starts)
		ctx, cancel := context.WithCancel(b.Context())
		var ended atomic.Int64
		worker := pipeline.NewWorker(cfg, pipeline.Parts{
			Group: group, Decoder: handlers.NewMux(""), Memory: noMemory{}, Catalog: oneIndex{}, Writer: takesAll{},
			Deliver: func(_ pipeline.Letter, done func(error)) { done(nil) },
			Observe: func(pipeline.Ending) {
				if ended.Add(1) == int64(len(some)) {
					cancel()
				}
			},
			Log: zerolog.Nop(),
		})
		if err := worker.Run(ctx); err != nil {
			b.Fatal(err)
		}
		cancel()
		if n := ended.Load(); n != int64(len(some)) {
			b.Fatalf("%d of %d events have ended", n, len(some))
		}
	}
}

// inventedRecords are events as `produce --count` makes them, spread over partitions.
func inventedRecords(b testing.TB, count int, partitions int32) ([]record.Record, []stream.Start) {
	b.Helper()
	invention := produce.Invention{Seed: 1, Count: count, Now: func() time.Time { return time.UnixMilli(1_767_225_600_000) }}
	records := make([]record.Record, 0, count)
	next := map[record.Partition]int64{}
	for r, err := range invention.Records() {
		if err != nil {
			b.Fatal(err)
		}
		r.ID = int32(len(records)) % partitions
		r.Timestamp = 1_767_225_600_000
		r.Offset = next[r.Partition]
		next[r.Partition]++
		records = append(records, *r)
	}
	starts := make([]stream.Start, 0, len(next))
	for p := range next {
		starts = append(starts, stream.Start{Partition: p})
	}
	return records, starts
}

// replay is a group that owns all partitions and reads records as fast as they are taken.
type replay struct {
	records    chan []record.Record
	rebalances chan stream.Rebalance
}

func newReplay(records []record.Record, starts []stream.Start) replay {
	const chunk = 512 // as a consumer hands them over
	g := replay{make(chan []record.Record), make(chan stream.Rebalance)}
	go func() {
		g.rebalances <- stream.Rebalance{Kind: stream.Assigned, Partitions: starts, Done: func() {}}
		for len(records) > 0 {
			n := min(chunk, len(records))
			g.records <- records[:n]
			records = records[n:]
		}
	}()
	return g
}

func (g replay) Records() <-chan []record.Record        { return g.records }
func (g replay) Rebalances() <-chan stream.Rebalance    { return g.rebalances }
func (g replay) Store(map[record.Partition]int64) error { return nil }
func (g replay) Commit() error                          { return nil }
func (g replay) Pause(...record.Partition) error        { return nil }
func (g replay) Resume(...record.Partition) error       { return nil }
func (g replay) Close() error                           { return nil }

type noMemory struct{}

func (noMemory) Seen(_ context.Context, entries []dedup.Entry) []bool {
	return make([]bool, len(entries))
}
func (noMemory) Mark(context.Context, []dedup.Entry) {}

type oneIndex struct{}

func (c oneIndex) Refresh(context.Context) (index.Targets, error) { return c.Last(), nil }
func (oneIndex) Last() index.Targets {
	uuid := strings.Repeat("u", 22)
	return index.Targets{
		document.Post:   {Index: string(document.Post), UUID: uuid},
		document.Artist: {Index: string(document.Artist), UUID: uuid},
	}
}

type takesAll struct{}

func (takesAll) Write(_ context.Context, _ string, actions []index.Action) []index.Outcome {
	outcomes := make([]index.Outcome, len(actions))
	for i, a := range actions {
		outcomes[i] = index.Outcome{Result: index.Written, Index: string(a.Entity)}
	}
	return outcomes
}
