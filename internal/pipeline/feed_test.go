package pipeline

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
)

// What was abandoned must not pass for done: a rebuild would go on behind it.
func TestAnInterruptedProcessTellsWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		cause := errors.New("the new index is gone")
		var ended []Result
		go func() {
			time.Sleep(time.Second)
			stop(cause)
		}()
		err := Process(ctx, Config{MaxEvents: 1, MaxBytes: 1024, Concurrency: 1, Shutdown: 5 * time.Second}, Parts{
			Decoder: handlers.NewMux(""), Catalog: &fakeCatalog{}, Writer: hangingWriter{},
			Observe: func(e Ending) { ended = append(ended, e.Result) },
		}, []record.Partition{tp}, func(_ context.Context, add func(*record.Record) error) error {
			return add(&record.Record{Partition: tp, Value: []byte(`{"post_id":"1"}`)})
		})
		if !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
		if len(ended) != 1 || ended[0] != Abandoned {
			t.Errorf("ended: %v", ended)
		}
		time.Sleep(3 * time.Minute) // the request that nobody waited for
	})
}
