package simulate

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	oneSeed  = flag.Uint64("seed", 0, "simulate this seed alone, with its whole trace where -v is set")
	seeds    = flag.Uint64("seeds", 0, "how many seeds to simulate; 0 is 1000, or 200 with -short")
	fromSeed = flag.Uint64("from", 1, "the first of them")
)

// TestSimulation runs many seeds. One that fails is run again for its trace.
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		replay(t, *oneSeed)
		return
	}
	count := *seeds
	switch {
	case count > 0:
	case testing.Short():
		count = 200
	default:
		count = 1000
	}
	seen := map[string]int{}
	var mu sync.Mutex
	var next, steps atomic.Uint64
	var failed atomic.Bool
	next.Store(*fromSeed - 1)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for seed := next.Add(1); seed < *fromSeed+count && !failed.Load(); seed = next.Add(1) {
				result, err := Run(seed, nil)
				if err != nil && !failed.Swap(true) {
					t.Errorf("after %d seeds: %v", seed-*fromSeed+1, err)
					replay(t, seed)
				}
				steps.Add(uint64(result.Steps))
				mu.Lock()
				for what, n := range result.Seen {
					seen[what] += n
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("%d seeds, %d steps: %s", count, steps.Load(), list(seen))
	if count >= 1000 && !t.Failed() {
		everythingHappens(t, seen)
	}
}

// replay runs one seed with its trace: all of it with -v, else the end.
func replay(t *testing.T, seed uint64) {
	var end ending
	var err error
	if testing.Verbose() && *oneSeed != 0 {
		_, err = Run(seed, os.Stdout)
	} else {
		_, err = Run(seed, &end)
	}
	if err != nil {
		t.Errorf("%v\nthe end of its trace (all of it: go test ./test/simulate -run TestSimulation -seed %d -v):\n%s", err, seed, strings.Join(end.lines, ""))
	}
}

// everythingHappens fails where the simulation has lost a whole kind of trouble, and
// so proves less than it says.
func everythingHappens(t *testing.T, seen map[string]int) {
	for _, what := range []string{
		"ended dead", "ended deleted", "ended duplicate", "ended indexed", "ended stale", "ended abandoned",
		"item rejected", "item retry", "letter rejected_by_index", "letters refused", "commit failures", "whole request network",
		"whole request unavailable", "rebalances", "lost", "handovers", "handovers without a commit", "calls given up", "killed", "frozen", "paused", "stalled alias_missing", "indices made again",
		"holds", "wrong templates", "stalled rejection_flood", "guards overridden", "letters replayed", "aliases led astray",
		"stalled unsafe_index", "indices rebuilt", "topics made again", "logs cut", "cuts decided", "failed", "records read again", "refused records lost",
	} {
		if seen[what] == 0 {
			t.Errorf("never happened: %s", what)
		}
	}
}

// TestASeedReplaysExactly is what makes a seed worth noting.
func TestASeedReplaysExactly(t *testing.T) {
	for seed := range uint64(20) {
		first, err := Run(seed+1, nil)
		again, err2 := Run(seed+1, &ending{})
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if first.Print != again.Print || first.Steps != again.Steps {
			t.Fatalf("seed %d ran differently the second time: %d and %d steps", seed+1, first.Steps, again.Steps)
		}
	}
}

func list(seen map[string]int) string {
	var b strings.Builder
	for _, what := range sorted(seen) {
		fmt.Fprintf(&b, "\n  %8d %s", seen[what], what)
	}
	return b.String()
}
