package fold

import (
	"context"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// Log reads stretches of the log; [stream.Reader] is one.
type Log interface {
	Read(ctx context.Context, ranges []stream.Range, fn func(record.Record) error) error
}

// Decoder reads an event; [handlers.Mux] is one. It is called from several
// goroutines at a time.
type Decoder interface {
	Decode(r *record.Record) (handlers.Event, handlers.Change, *handlers.Rejection)
}

// Options says what of the log is joined, and who is told. All may be left out.
type Options struct {
	// Only names the entities whose events are joined; none names all.
	Only []document.Entity
	// Skip leaves a record out where it returns true. It is called from one goroutine.
	Skip func(*record.Record) bool
	// Bad is told each event that its publisher has to mend, of the entities asked
	// for or of none that could be told. It is called by one goroutine at a time.
	Bad func(*record.Record, *handlers.Rejection)
	// Progress is told, every some hundred records, how many records and bytes have
	// been read since the last time. It is called from one goroutine.
	Progress func(records, bytes int)
}

// Read joins the events of the ranges into f: it reads them in one goroutine and
// decodes and joins in as many as there are processors. It returns when all is
// joined, or with the first error, ctx's among them; then part of the events may
// have been joined, and joining them again does no harm.
func (f *Fold) Read(ctx context.Context, log Log, ranges []stream.Range, decoder Decoder, o Options) error {
	group, ctx := errgroup.WithContext(ctx)
	r := &reading{fold: f, decoder: decoder, options: o, seed: maphash.MakeSeed()}
	lanes := runtime.GOMAXPROCS(0)
	limit := f.memory / 4 / lanes
	for range lanes {
		l := &lane{reading: r, chunks: make(chan []record.Record, 2), states: make(map[string]document.Packed), limit: limit}
		r.lanes = append(r.lanes, l)
		group.Go(func() error { return l.run(ctx) })
	}
	group.Go(func() error {
		defer r.close()
		if err := log.Read(ctx, ranges, func(rec record.Record) error { return r.take(ctx, rec) }); err != nil {
			return err
		}
		return r.handOver(ctx)
	})
	return group.Wait()
}

// reading is one Read under way.
type reading struct {
	fold    *Fold
	decoder Decoder
	options Options
	seed    maphash.Seed
	lanes   []*lane

	records, bytes int // since Progress was last told
	bad            sync.Mutex
}

// take gives a record to a lane. Records of equal keys go to the same one: the
// events of a document mostly have one key, and then meet there.
func (r *reading) take(ctx context.Context, rec record.Record) error {
	const often = 512
	size := rec.Size()
	r.records, r.bytes = r.records+1, r.bytes+size
	if r.records == often {
		r.tell()
	}
	if r.options.Skip != nil && r.options.Skip(&rec) {
		r.fold.skipped.Add(1)
		return nil
	}
	l := r.lanes[maphash.Bytes(r.seed, rec.Key)%uint64(len(r.lanes))]
	return l.take(ctx, rec, size)
}

func (r *reading) tell() {
	r.fold.records.Add(int64(r.records))
	r.fold.bytes.Add(int64(r.bytes))
	if r.options.Progress != nil {
		r.options.Progress(r.records, r.bytes)
	}
	r.records, r.bytes = 0, 0
}

// handOver gives the lanes the last records.
func (r *reading) handOver(ctx context.Context) error {
	r.tell()
	for _, l := range r.lanes {
		if err := l.send(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) close() {
	for _, l := range r.lanes {
		close(l.chunks)
	}
}

// wants tells whether events of the entity are to be joined. An empty entity is
// one that could not be told.
func (r *reading) wants(entity document.Entity) bool {
	return entity == "" || len(r.options.Only) == 0 || slices.Contains(r.options.Only, entity)
}
