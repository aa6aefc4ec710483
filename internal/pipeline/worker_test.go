package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// slowGroup is a place in a group whose brokers take long for a commit.
type slowGroup struct {
	records    chan []record.Record
	rebalances chan stream.Rebalance
	mu         sync.Mutex
	calls      []string
}

func (g *slowGroup) call(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, name)
}

func (g *slowGroup) Records() <-chan []record.Record        { return g.records }
func (g *slowGroup) Rebalances() <-chan stream.Rebalance    { return g.rebalances }
func (g *slowGroup) Store(map[record.Partition]int64) error { g.call("store"); return nil }
func (g *slowGroup) Commit() error                          { time.Sleep(time.Minute); return nil }
func (g *slowGroup) Pause(...record.Partition) error        { return nil }
func (g *slowGroup) Resume(...record.Partition) error       { return nil }
func (g *slowGroup) Close() error                           { return nil }

// Nothing may be stored for a partition after it was handed over: when it has come
// back in the meantime, that would take the group back to an offset of the former
// ownership. Found by the simulation.
func TestNothingIsStoredAfterTheHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &slowGroup{records: make(chan []record.Record), rebalances: make(chan stream.Rebalance)}
		w := NewWorker(Config{MaxEvents: 1, MaxBytes: 1024, Concurrency: 1, Shutdown: 5 * time.Second}, Parts{
			Group: g, Decoder: handlers.NewMux(""), Memory: &fakeMemory{}, Catalog: &fakeCatalog{},
			Deliver: func(_ Letter, done func(error)) { done(nil) }, Observe: func(Ending) {},
		})
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = w.Run(ctx) }()
		parts := []stream.Start{{Partition: tp}}
		g.rebalances <- stream.Rebalance{Kind: stream.Assigned, Partitions: parts, Done: func() {}}
		for offset := range int64(2) {
			g.records <- []record.Record{{Partition: tp, Offset: offset, Value: []byte("{")}}
			time.Sleep(2 * time.Second) // the commit of the first is under way for a minute
		}
		g.rebalances <- stream.Rebalance{Kind: stream.Revoked, Partitions: parts, Done: func() { g.call("done") }}
		time.Sleep(3 * time.Minute)
		stop()
		synctest.Wait()
		g.mu.Lock()
		defer g.mu.Unlock()
		if want := []string{"store", "store", "done"}; !slices.Equal(g.calls, want) {
			t.Errorf("calls: %v, want %v", g.calls, want)
		}
	})
}

// hangingWriter answers only when it is given up.
type hangingWriter struct{}

func (hangingWriter) Write(ctx context.Context, _ string, actions []index.Action) []index.Outcome {
	<-ctx.Done()
	return make([]index.Outcome, len(actions)) // retry
}

// A bulk request that hangs must not hold up a shutdown: Kubernetes would kill the
// worker, and its offsets would not be committed.
func TestShutdownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &slowGroup{records: make(chan []record.Record), rebalances: make(chan stream.Rebalance)}
		w := NewWorker(Config{MaxEvents: 1, MaxBytes: 1024, Concurrency: 1, Shutdown: 5 * time.Second}, Parts{
			Group: g, Decoder: handlers.NewMux(""), Memory: &fakeMemory{}, Catalog: &fakeCatalog{}, Writer: hangingWriter{},
			Observe: func(e Ending) { g.call(string(e.Result)) },
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		g.rebalances <- stream.Rebalance{Kind: stream.Assigned, Partitions: []stream.Start{{Partition: tp}}, Done: func() {}}
		g.records <- []record.Record{{Partition: record.Partition{Topic: tp.Topic, ID: tp.ID}, Value: []byte(`{"post_id":"1"}`)}}
		time.Sleep(time.Second)
		stop()
		began := time.Now()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("shutdown took %s, SHUTDOWN_TIMEOUT is 5s", took)
		}
		if want := []string{"abandoned"}; !slices.Equal(g.calls[:1], want) {
			t.Errorf("calls: %v, want %v first", g.calls, want)
		}
		time.Sleep(3 * time.Minute) // the commit that nobody waited for
	})
}

// A revoke that is being drained when the signal comes does not count twice.
func TestShutdownDuringARevokeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &slowGroup{records: make(chan []record.Record), rebalances: make(chan stream.Rebalance)}
		w := NewWorker(Config{MaxEvents: 1, MaxBytes: 1024, Concurrency: 1, Shutdown: 5 * time.Second}, Parts{
			Group: g, Decoder: handlers.NewMux(""), Memory: &fakeMemory{}, Catalog: &fakeCatalog{}, Writer: hangingWriter{},
			Observe: func(e Ending) { g.call(string(e.Result)) },
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		other := record.Partition{Topic: tp.Topic, ID: tp.ID + 1}
		g.rebalances <- stream.Rebalance{Kind: stream.Assigned, Partitions: []stream.Start{{Partition: tp}, {Partition: other}}, Done: func() {}}
		for _, p := range []record.Partition{tp, other} {
			g.records <- []record.Record{{Partition: p, Value: []byte(`{"post_id":"1"}`)}}
		}
		g.rebalances <- stream.Rebalance{Kind: stream.Revoked, Partitions: []stream.Start{{Partition: tp}}, Done: func() { g.call("done") }}
		time.Sleep(3 * time.Second)
		stop()
		began := time.Now()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("shutdown took %s, SHUTDOWN_TIMEOUT is 5s", took)
		}
		if want := []string{"abandoned", "store", "done", "abandoned", "store"}; !slices.Equal(g.calls, want) {
			t.Errorf("calls: %v, want %v", g.calls, want)
		}
		time.Sleep(3 * time.Minute) // the commit that nobody waited for
	})
}

// rebalancingGroup is a place in a group that is between two generations: it refuses
// commits until the member has taken part in the rebalance that is under way.
type rebalancingGroup struct {
	slowGroup
	renewed bool
}

func (g *rebalancingGroup) Commit() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.renewed {
		g.calls = append(g.calls, "refused")
		return errors.New("Specified group generation id is not valid")
	}
	g.calls = append(g.calls, "committed")
	return nil
}

// A worker that is stopped while its group rebalances, as in any rolling restart,
// commits what it has done: it lets the rebalance through and tries again. Found by
// the rolling restart of test/e2e.
func TestShutdownDuringARebalanceCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &rebalancingGroup{slowGroup: slowGroup{records: make(chan []record.Record), rebalances: make(chan stream.Rebalance)}}
		w := NewWorker(Config{MaxEvents: 1, MaxBytes: 1024, Concurrency: 1, Shutdown: 5 * time.Second}, Parts{
			Group: g, Decoder: handlers.NewMux(""), Memory: &fakeMemory{}, Catalog: &fakeCatalog{}, Observe: func(Ending) {},
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		parts := []stream.Start{{Partition: tp}}
		g.rebalances <- stream.Rebalance{Kind: stream.Assigned, Partitions: parts, Done: func() {}}
		stop()
		synctest.Wait()
		g.mu.Lock()
		g.renewed = true // with its part in the new generation it may commit again
		g.mu.Unlock()
		g.rebalances <- stream.Rebalance{Kind: stream.Revoked, Partitions: parts, Done: func() { g.call("done") }}
		began := time.Now()
		if err := <-ended; err != nil || time.Since(began) > time.Second {
			t.Errorf("ended with %v %s after the rebalance", err, time.Since(began))
		}
		if want := []string{"store", "refused", "committed", "done"}; !slices.Equal(g.calls, want) {
			t.Errorf("calls: %v, want %v", g.calls, want)
		}
	})
}
