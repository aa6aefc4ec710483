package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/stack"
)

// rollingCase is one way for the workers of a group to share partitions.
type rollingCase struct {
	name, options string
	broker        string // settings of a broker of its own; empty for the shared one
}

// The developer stack's broker has groups of either protocol rebalance at once. The
// long form measures what a broker does by its own defaults as well.
const brokerDefaults = `group.initial.rebalance.delay.ms=3000
group.consumer.session.timeout.ms=45000
group.consumer.min.session.timeout.ms=45000
group.consumer.heartbeat.interval.ms=5000
group.consumer.min.heartbeat.interval.ms=5000
`

// Three workers under a steady load are stopped and started again one after the
// other, as a deployment does. Nothing may be lost or done twice, and no partition
// may stand still for long. `make rolling` gives it more rounds and a higher rate, and
// holds it to the 5 seconds; a short run on a busy machine only tells them.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	cases := []rollingCase{
		{name: "classic", options: "group.protocol=classic"},
		{name: "consumer", options: fairShares},
	}
	rounds, rate, long := 1, 300, os.Getenv("ROLLING_ROUNDS") != ""
	if long {
		rounds, rate = number(t, "ROLLING_ROUNDS"), number(t, "ROLLING_RATE")
		for _, c := range cases {
			cases = append(cases, rollingCase{c.name + "*", c.options, brokerDefaults})
		}
	}
	results := make([]rollingResult, len(cases))
	t.Cleanup(func() { t.Log("\n" + rollingTable(rounds, rate, cases, results)) }) // after the parallel ones
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !long {
				t.Parallel()
			}
			r := newRolling(t, c, rate, long)
			r.restartEach(rounds)
			results[i] = r.finish()
			if stall := results[i].stall; long && stall > 5*time.Second {
				t.Errorf("%s stood still for %s, want 5s at most", results[i].where, stall)
			}
		})
	}
}

func number(t *testing.T, variable string) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(variable))
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

const rollingWorkers, rollingTopic = 3, "post.updated"

// rolling is one rolling restart.
type rolling struct {
	*indexer
	traffic *traffic
	workers []*worker // that run
	ended   []*worker // that were stopped
	slowest time.Duration
	long    bool // nothing may go slowly
}

func newRolling(t *testing.T, c rollingCase, rate int, long bool) *rolling {
	t.Helper()
	x := newIndexer(t)
	if c.broker != "" {
		dir := t.TempDir()
		must(t, os.MkdirAll(dir+"/kafka", 0o755))
		must(t, os.WriteFile(dir+"/kafka/append", []byte(c.broker), 0o600))
		private := stack.Configured(t, dir, stack.KafkaService)
		x = x.with("KAFKA_BROKERS=" + private.Kafka)
		x.broker = Broker{private.Kafka}
	}
	// Without Redis, so that a repeat shows as a write that changes nothing.
	x = x.with("KAFKA_TOPICS="+rollingTopic, "KAFKA_OPTIONS="+c.options, "DEDUP_ENABLED=false", "LOG_LEVEL=debug")
	x.setup()
	r := &rolling{indexer: x, long: long}
	for range rollingWorkers {
		r.startOne()
	}
	r.traffic = startTraffic(t, x.broker, x.prefix+rollingTopic, rate)
	for _, w := range r.workers {
		x.awaitWork(w)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rolling) startOne() {
	r.workers = append(r.workers, r.start())
	r.awaitReady(r.workers[len(r.workers)-1])
}

// restartEach replaces the workers, the oldest first. The next one is due when the
// new one has taken up work, as a deployment waits for readiness.
func (r *rolling) restartEach(rounds int) {
	for range rounds * rollingWorkers {
		r.stopOldest()
		r.startOne()
		r.awaitWork(r.workers[len(r.workers)-1])
	}
}

func (r *rolling) stopOldest() {
	w := r.workers[0]
	r.workers = r.workers[1:]
	began := time.Now()
	w.stop() // fails the test where the exit code is not 0
	r.slowest = max(r.slowest, time.Since(began))
	if r.slowest > 25*time.Second+slack {
		r.t.Errorf("a shutdown took %s, more than SHUTDOWN_TIMEOUT", r.slowest)
	}
	r.ended = append(r.ended, w)
}

// rollingResult is a column of the table.
type rollingResult struct {
	restarts, published, consumed, again, rewritten, abandoned, refused, differences int

	slowest, stall time.Duration
	where          string // the partition that stood still for longest
}

// finish ends the load, waits until all is done, stops the workers and looks at
// what has come of it.
func (r *rolling) finish() rollingResult {
	sent := r.traffic.stop()
	places := make([]Place, len(sent))
	for i, s := range sent {
		places[i] = s.place
	}
	result := rollingResult{restarts: len(r.ended), published: len(sent)}
	r.awaitCommitted(places)
	for len(r.workers) > 0 {
		r.stopOldest()
	}
	result.slowest = r.slowest
	var events []Event
	for _, s := range sent {
		ev, bad := Read(s.record)
		if bad != nil {
			r.t.Fatalf("the traffic is wrong: %v", bad)
		}
		events = append(events, ev)
	}
	differences := Compare(Fold(events), r.snapshot())
	result.differences = len(differences)
	if report := Report("documents", differences); report != "" {
		r.t.Error(report)
	}
	h := newEndings(r.ended)
	for _, s := range sent {
		if len(h.at[s.place]) == 0 {
			r.t.Fatalf("no worker has a line for %v", s.place)
		}
	}
	result.consumed, result.abandoned = h.consumed, h.abandoned
	result.again, result.rewritten, result.refused = h.again(), h.rewritten, h.refused
	result.stall, result.where = h.longestStall(sent)
	h.check(r.t, r.long)
	return result
}

func rollingTable(rounds, rate int, cases []rollingCase, results []rollingResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Rolling restart: %d workers, %d rounds, %d partitions, %d events/s\n\n", rollingWorkers, rounds, trafficPartitions, rate)
	line := func(name string, value func(r rollingResult) string) {
		fmt.Fprintf(&b, "%-30s", name)
		for _, r := range results {
			fmt.Fprintf(&b, " %11s", value(r))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%-30s", "group.protocol")
	for _, c := range cases {
		fmt.Fprintf(&b, " %11s", c.name)
	}
	b.WriteString("\n")
	count := func(name string, value func(r rollingResult) int) {
		line(name, func(r rollingResult) string { return strconv.Itoa(value(r)) })
	}
	count("workers restarted", func(r rollingResult) int { return r.restarts })
	count("events published", func(r rollingResult) int { return r.published })
	count("events consumed", func(r rollingResult) int { return r.consumed })
	count("  more than once", func(r rollingResult) int { return r.again })
	count("  written again", func(r rollingResult) int { return r.rewritten })
	count("  abandoned", func(r rollingResult) int { return r.abandoned })
	count("commits refused and repeated", func(r rollingResult) int { return r.refused })
	count("documents that differ", func(r rollingResult) int { return r.differences })
	line("longest shutdown", func(r rollingResult) string { return fmt.Sprintf("%.1f s", r.slowest.Seconds()) })
	line("longest stall of a partition", func(r rollingResult) string { return fmt.Sprintf("%.1f s", r.stall.Seconds()) })
	if len(cases) > 2 {
		b.WriteString("\n* on a broker with its own defaults for groups\n")
	}
	return b.String()
}
