package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// fault is one thing that can go wrong. hit makes it happen and sets right again
// what it broke; it draws what is open from random.
type fault struct {
	name string
	hit  func(ctx context.Context, random *rand.Rand)
}

// lane is a sequence of faults, one at a time: those of one lane would get in each
// other's way. Lanes go on side by side, so that faults of several coincide.
type lane struct {
	name   string
	faults []fault
	// pause is the mean time between two faults.
	pause time.Duration
	// alone: no fault of another lane may be on.
	alone bool
}

func (r *run) lanes() []lane {
	worlds := r.worldFaults()
	return []lane{
		{name: "workers", faults: r.workerFaults(), pause: 4 * time.Second},
		{name: "kafka", faults: r.kafkaFaults(), pause: 20 * time.Second},
		{name: "opensearch", faults: r.searchFaults(), pause: 2 * time.Second},
		{name: "redis", faults: r.memoryFaults(), pause: 2 * time.Second},
		{name: "operator", faults: worlds, pause: min(60*time.Second, r.duration/3), alone: true},
	}
}

// drive lets the lane's faults hit, each once before any comes again, until ctx
// ends. A fault that has begun is set right again even then.
func (l lane) drive(ctx context.Context, r *run, stream uint64) {
	random := rand.New(rand.NewPCG(r.seed, stream))
	for {
		for _, i := range random.Perm(len(l.faults)) {
			pause := l.pause/2 + time.Duration(random.Int64N(int64(l.pause)))
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			l.hit(ctx, r, l.faults[i], random)
		}
	}
}

func (l lane) hit(ctx context.Context, r *run, f fault, random *rand.Rand) {
	if l.alone {
		r.calm.Lock()
		defer r.calm.Unlock()
	} else {
		r.calm.RLock()
		defer r.calm.RUnlock()
	}
	if ctx.Err() != nil {
		return
	}
	began := time.Now()
	r.t.Logf("%s %-10s %s", began.Format("15:04:05"), l.name, f.name)
	f.hit(ctx, random)
	r.tally.add(l.name, f.name)
	r.t.Logf("%s %-10s %s: over after %s", time.Now().Format("15:04:05"), l.name, f.name, time.Since(began).Round(100*time.Millisecond))
}

// hold waits for a time between low and high, less where ctx ends.
func hold(ctx context.Context, random *rand.Rand, low, high time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(low + time.Duration(random.Int64N(int64(high-low)))):
	}
}

// tally counts, for the table at the end.
type tally struct {
	mu     sync.Mutex
	faults map[string]int // by lane and name
	differ map[string]int
}

func newTally() *tally { return &tally{faults: make(map[string]int), differ: make(map[string]int)} }

func (t *tally) add(lane, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults[fmt.Sprintf("%-11s %s", lane, name)]++
}

func (t *tally) differences(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.differ[what] += n
}

func (t *tally) total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	total := 0
	for _, n := range t.faults {
		total += n
	}
	return total
}

// table tells what the run did and found.
func (r *run) table() string {
	var b strings.Builder
	line := func(n int, what string) { fmt.Fprintf(&b, "%7d  %s\n", n, what) }
	r.tally.mu.Lock()
	names := make([]string, 0, len(r.tally.faults))
	total := 0
	for name, n := range r.tally.faults {
		names = append(names, name)
		total += n
	}
	slices.Sort(names)
	for _, name := range names {
		line(r.tally.faults[name], name)
	}
	line(total, "faults in all")
	records, _ := r.ledger.all()
	line(len(records), "records published")
	line(r.crew.started, "workers started")
	line(r.crew.scrapes, "scrapes of their books")
	line(int(r.refuser.spoiled.Load()), "requests to OpenSearch spoiled")
	for _, what := range []string{"documents", "dead letters", "books"} {
		line(r.tally.differ[what], "differences in "+what)
	}
	r.tally.mu.Unlock()
	fmt.Fprintf(&b, "seed %d, faults for %s", r.seed, r.duration)
	return b.String()
}
