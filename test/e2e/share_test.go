package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// fairShares has each worker take its part of each topic (docs/operations.md, Scaling).
const fairShares = "group.protocol=consumer,group.remote.assignor=range"

// Whoever joins takes load off the others whichever topic it is in: each worker has
// as many partitions of every topic as the next one, give or take one. The way there
// leads through a group without members, the way back does not.
func TestWorkersShareEachTopic(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	fair := x.with("KAFKA_OPTIONS=" + fairShares)
	s := ofRecords(t, newStream(smallPlan(36)).records)
	x.setup()
	half := len(s.records) / 2
	places := x.publish(s.records[:half])
	var before []*worker
	for range 2 { // a group that no second one has joined could be taken over
		before = append(before, x.start())
		x.awaitReady(before[len(before)-1])
	}
	early := fair.with("SHUTDOWN_TIMEOUT=4s").start()
	early.awaitRefusal("must all have left")
	x.awaitCommitted(places)
	for _, w := range before {
		w.stop()
	}

	var workers []*worker
	for range 4 {
		workers = append(workers, fair.start())
		x.awaitFairShares(workers)
	}
	workers[1].kill()
	workers = slices.Delete(workers, 1, 2)
	x.awaitFairShares(workers)

	places = append(places, x.publish(s.records[half:])...)
	back := x.start()
	x.awaitReady(back)
	for _, w := range workers {
		w.stop()
	}
	x.awaitFairShares([]*worker{back})
	x.awaitCommitted(places)
	x.must(s, places, true)
	back.stop()
}

// awaitRefusal waits until the worker has ended by itself, for a reason in words.
func (w *worker) awaitRefusal(words string) {
	w.t.Helper()
	w.books.stop()
	select {
	case <-w.ended:
	case <-time.After(deadline):
		w.t.Fatalf("the worker does not end\n%s", w.tail())
	}
	if code := w.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(w.tail(), words) {
		w.t.Fatalf("exit code %d\n%s", code, w.tail())
	}
}

// awaitFairShares waits until the workers own all partitions, each as many of every
// topic as the next one, give or take one.
func (x *indexer) awaitFairShares(workers []*worker) {
	x.t.Helper()
	var shares []map[string]int
	x.await(func() bool {
		shares = shares[:0]
		for _, w := range workers {
			w.alive()
			shares = append(shares, w.share())
		}
		return x.fair(shares)
	}, func() string { return fmt.Sprintf("a fair share for each of %d workers: %v", len(workers), shares) })
}

func (x *indexer) fair(shares []map[string]int) bool {
	for _, topic := range Topics {
		var each []int
		total := 0
		for _, share := range shares {
			n := share[x.prefix+topic]
			each, total = append(each, n), total+n
		}
		if total != setupPartitions || slices.Max(each)-slices.Min(each) > 1 {
			return false
		}
	}
	return true
}

// share counts the partitions of each topic that a worker owns; nil where it does not tell.
func (w *worker) share() map[string]int {
	w.t.Helper()
	_, body := w.get("/status")
	var status struct {
		Partitions []struct {
			Topic string `json:"topic"`
		} `json:"partitions"`
	}
	if json.Unmarshal(body, &status) != nil {
		return nil
	}
	share := map[string]int{}
	for _, p := range status.Partitions {
		share[p.Topic]++
	}
	return share
}
