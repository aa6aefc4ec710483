package pipeline_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// What the machine counts for the records in flight is what they take: it bounds
// the memory of the process by that.
func TestMemoryIsCountedInFull(t *testing.T) {
	t.Run("records kept", func(t *testing.T) { countMemory(t, 20_000, true) })
	t.Run("records let go", func(t *testing.T) { countMemory(t, 1, false) })
}

func countMemory(t *testing.T, maxEvents int, keep bool) {
	const count, chunk = 20_000, 500
	records, starts := inventedRecords(t, count, 12)
	cfg := pipeline.Config{MaxEvents: maxEvents, MaxBytes: 50 << 20, MaxWait: time.Minute, Concurrency: 4, Shutdown: time.Second}
	mux := handlers.NewMux("")
	machine := pipeline.NewMachine(cfg, rand.New(rand.NewPCG(1, 1)), func(pipeline.Ending) {}, keep)
	now := time.Now()
	machine.Step(now, assigned(starts))
	before := heap()
	for first := 0; first < count; first += chunk {
		var part []record.Record
		for _, r := range records[first : first+chunk] {
			r.Value = append([]byte(nil), r.Value...) // as the client hands it over
			part = append(part, r)
		}
		for _, effect := range machine.Step(now, pipeline.Receive{Records: part}) {
			if p, ok := effect.(pipeline.Prepare); ok {
				machine.Step(now, prepare(mux, p))
			}
		}
	}
	took, counted := heap()-before, machine.Snapshot().Bytes
	t.Logf("%d bytes a record, counted %d", took/count, counted/count)
	if took > counted+counted/10 || took < counted/2 {
		t.Errorf("%d records take %d bytes, counted as %d", count, took, counted)
	}
	runtime.KeepAlive(machine)
	runtime.KeepAlive(records)
}

func prepare(mux *handlers.Mux, p pipeline.Prepare) pipeline.Prepared {
	done := pipeline.Prepared{Batch: p.Batch}
	for _, r := range p.Records {
		event, change, rejection := mux.Decode(r)
		done.Results = append(done.Results, pipeline.Preparation{Event: event, Change: change, Rejection: rejection})
	}
	return done
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func assigned(starts []stream.Start) pipeline.Assign {
	var in pipeline.Assign
	for _, s := range starts {
		in.Partitions = append(in.Partitions, pipeline.Start{Partition: s.Partition})
	}
	return in
}
