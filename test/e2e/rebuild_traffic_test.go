package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// rebuildSize is how large TestRebuildUnderTraffic is.
type rebuildSize struct {
	large    bool
	seeds    []uint64
	entities int
	records  int           // in the log before the first rebuild
	rate     int           // records a second that are published meanwhile
	patience time.Duration // to wait for anything that must come
}

// newRebuildSize reads the size from the environment (`make rebuilds`); without
// REBUILD_RECORDS it is that of a test among others.
func newRebuildSize(t *testing.T) rebuildSize {
	t.Helper()
	if os.Getenv("REBUILD_RECORDS") == "" {
		return rebuildSize{seeds: []uint64{1, 2}, rate: 500, patience: deadline}
	}
	size := rebuildSize{large: true, patience: 20 * time.Minute}
	number := func(name string) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil || n < 1 {
			t.Fatalf("%s=%q: want a number above 0", name, os.Getenv(name))
		}
		return n
	}
	size.entities, size.records, size.rate = number("REBUILD_ENTITIES"), number("REBUILD_RECORDS"), number("REBUILD_RATE")
	for seed := range number("REBUILD_SEEDS") {
		size.seeds = append(size.seeds, uint64(number("REBUILD_FIRST_SEED")+seed))
	}
	return size
}

// stream returns the records of one seed, and how many of them are in the log before
// the first rebuild.
func (size rebuildSize) stream(seed uint64) (s *stream, before int) {
	if !size.large {
		s = streams[seed]()
		return s, len(s.records) / 2
	}
	s = newStream(Plan{Seed: seed, Entities: size.entities, Records: size.records, Partitions: partitions, Start: start()})
	return s, min(size.records, len(s.records))
}

// Rebuilds follow each other while three workers write, events come and readers
// search; workers are killed in the middle of a swap.
func TestRebuildUnderTraffic(t *testing.T) {
	t.Parallel()
	size := newRebuildSize(t)
	for _, seed := range size.seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			if !size.large { // two large ones have no room side by side
				t.Parallel()
			}
			rebuildUnderTraffic(t, size, seed)
		})
	}
}

func rebuildUnderTraffic(t *testing.T, size rebuildSize, seed uint64) {
	t.Helper()
	x := newIndexer(t).with("KAFKA_OPTIONS=group.protocol=classic,session.timeout.ms=6000")
	x.patience = size.patience
	s, half := size.stream(seed)
	x.setup()
	places := x.publish(s.records[:half])
	workers := []*worker{x.start(), x.start()}
	x.awaitCommitted(places)
	readers := []*reading{x.read("post"), x.read("artist")}
	before := x.live()
	traffic := x.keepPublishing(s.records[half:], size.rate)

	t.Log(x.okRebuild("--linger", "500ms"))
	r := x.startRebuild("--linger", "1s")
	r.awaitPhase("swap")
	workers[0].kill()
	r.wantExit(0)
	workers = append(workers[1:], x.start())

	rest, repeated := traffic()
	t.Logf("%d records before, %d meanwhile, %d of these again", half, len(rest), len(repeated))
	places = append(places, rest...)
	x.awaitCommitted(append(slices.Clone(places), repeated...))
	for _, reader := range readers {
		reader.stop()
	}
	x.must(s, places, true)
	for entity, index := range x.live() {
		if index == before[entity] {
			t.Errorf("%s: the index is still %s", entity, index)
		}
	}
	x.wantIndices()
	for _, w := range workers {
		w.stop()
	}
}

// keepPublishing writes records at a steady rate, and then the good ones of them
// again and again, until the func that it returns is called. That one waits until
// all records are there, and returns their places and those of the repetitions.
func (x *indexer) keepPublishing(records []Record, rate int) (stop func() (places, repeated []Place)) {
	x.t.Helper()
	good := slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.Reason != "" })
	halt, done := make(chan struct{}), make(chan struct{})
	var places, repeated []Place
	var failure error
	publish := func(some []Record, to *[]Place) {
		var published []Place
		if failure == nil && len(some) > 0 {
			published, failure = x.broker.Publish(x.t.Context(), x.prefix, some)
		}
		*to = append(*to, published...)
	}
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second / 2)
		defer tick.Stop()
		for began, going := time.Now(), true; going && failure == nil; {
			select {
			case <-x.t.Context().Done():
				return
			case <-halt:
				going = false
			case <-tick.C:
			}
			due := int(time.Since(began).Seconds()*float64(rate)) - len(places) - len(repeated)
			if fresh := records[len(places):]; !going {
				publish(fresh, &places)
			} else if publish(fresh[:min(due, len(fresh))], &places); due > len(fresh) {
				from := len(repeated) % len(good)
				publish(good[from:min(from+due-len(fresh), len(good))], &repeated)
			}
		}
	}()
	return func() (_, _ []Place) {
		x.t.Helper()
		close(halt)
		<-done
		if failure != nil {
			x.t.Fatal(failure)
		}
		return places, repeated
	}
}
