package simulate

import (
	"container/heap"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/search-indexer/search-indexer/internal/pipeline"
)

// Limits of one run, in virtual time.
const (
	drainLimit   = 6 * time.Minute // from the last fault until all is committed
	lookInterval = time.Second     // how often the end is looked for
)

// world is everything there is in one run.
type world struct {
	rand    *rand.Rand
	now     time.Duration // since the beginning
	queue   happenings
	added   uint64
	steps   int
	trace   trace
	seed    uint64
	cfg     pipeline.Config
	faults  faults
	log     *kafkaLog
	group   *coordinator
	cluster *cluster
	redis   *redis
	letters *letters
	slots   []*slot // one for each worker that ought to run
	checks  *checks
}

// Result is what a run that found nothing wrong has to tell.
type Result struct {
	Print uint64         // equal for equal runs
	Took  time.Duration  // of virtual time
	Steps int            // things that happened
	Seen  map[string]int // what happened, by kind
}

// epoch is when virtual time begins.
func epoch() time.Time { return time.Unix(1_750_000_000, 0) }

// Run simulates one seed. The error says which promise was broken; every line of
// the trace goes to out, unless that is nil.
func Run(seed uint64, out io.Writer) (result Result, err error) {
	w := newWorld(seed, out)
	defer w.stop()
	defer func() {
		switch thrown := recover().(type) {
		case nil:
		case violation:
			w.say("check", "BROKEN: %s", thrown.what)
			err = fmt.Errorf("seed %d at %s: %s", seed, w.now, thrown.what)
		default: // the machine's own, or ours
			err = fmt.Errorf("seed %d at %s: panic: %v\n%s", seed, w.now, thrown, debug.Stack())
		}
	}()
	w.course()
	return Result{Print: w.trace.sum, Took: w.now, Steps: w.steps, Seen: w.checks.seen}, nil
}

func newWorld(seed uint64, out io.Writer) *world {
	w := &world{seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), trace: trace{out: out}}
	w.checks = newChecks(w)
	w.faults = drawFaults(w)
	w.cfg = drawConfig(w)
	w.log = newLog(w)
	w.group = newCoordinator(w)
	w.cluster = newCluster(w)
	w.redis = newRedis(w)
	w.letters = newLetters(w)
	return w
}

// drawConfig picks settings small enough that every limit is reached.
func drawConfig(w *world) pipeline.Config {
	return pipeline.Config{
		MaxEvents:   1 + w.rand.IntN(12),
		MaxBytes:    4096 << w.rand.IntN(6),
		MaxWait:     time.Duration(w.rand.IntN(4)) * 50 * time.Millisecond,
		Concurrency: 1 + w.rand.IntN(4),
		Guard:       []int{0, 0, 2, 5}[w.rand.IntN(4)],
		Shutdown:    time.Duration(1+w.rand.IntN(10)) * time.Second,
	}
}

// course is the plan of every run: faults, then calm, then the comparison.
func (w *world) course() {
	w.say("world", "settings %+v", w.cfg)
	w.say("world", "faults %+v", w.faults)
	w.log.publishAll()
	for i := range 1 + w.rand.IntN(3) {
		w.slots = append(w.slots, &slot{world: w, number: i + 1})
		w.slots[i].start()
	}
	w.faults.schedule()
	w.until(func() bool { return w.now >= w.faults.end })
	w.say("world", "no more faults")
	w.calm()
	deadline := w.now + drainLimit
	look := w.now
	w.until(func() bool {
		if w.now > deadline {
			w.checks.notDrained()
		}
		if w.now < look {
			return false
		}
		look = w.now + lookInterval
		w.override()
		return w.checks.drained()
	})
	w.replay()
	w.checks.end()
}

// until lets things happen, one after the other, until done.
func (w *world) until(done func() bool) {
	for !done() {
		next, _ := heap.Pop(&w.queue).(happening)
		w.now = next.at
		w.steps++
		next.do()
	}
}

// after lets something happen later.
func (w *world) after(d time.Duration, do func()) {
	w.added++
	heap.Push(&w.queue, happening{at: w.now + d, number: w.added, do: do})
}

// every repeats something at random intervals around d, for as long as it returns
// true.
func (w *world) every(d time.Duration, do func() bool) {
	w.after(d/2+w.upTo(d), func() {
		if do() {
			w.every(d, do)
		}
	})
}

// chance is true in one of n cases; never where n is 0.
func (w *world) chance(n int) bool { return n > 0 && w.rand.IntN(n) == 0 }

// upTo returns a random duration below d.
func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rand.Int64N(int64(d))) }

func (w *world) clock() time.Time { return epoch().Add(w.now) }

func (w *world) say(who, format string, args ...any) { w.trace.say(w.now, who, format, args...) }

// calm ends all trouble; what is on its way stays so.
func (w *world) calm() {
	w.cluster.down, w.cluster.hidden, w.cluster.wrong = false, map[string]bool{}, map[string]bool{}
	w.redis.down, w.letters.down, w.group.down = false, false, false
}

// stop ends the coroutines that are left.
func (w *world) stop() {
	for _, s := range w.slots {
		for _, p := range s.all {
			p.stopJobs()
		}
	}
}

// happening is something that will be.
type happening struct {
	at     time.Duration
	number uint64 // what is at the same time happens in the order of planning
	do     func()
}

type happenings []happening

func (h happenings) Len() int { return len(h) }
func (h happenings) Less(i, j int) bool {
	if h[i].at == h[j].at {
		return h[i].number < h[j].number
	}
	return h[i].at < h[j].at
}
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *happenings) Push(x any)   { *h = append(*h, x.(happening)) } //nolint:forcetypeassert // only happenings are pushed
func (h *happenings) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = happening{}
	*h = (*h)[:len(*h)-1]
	return last
}
