package e2e

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/stack"
)

// shutdownLimit is SHUTDOWN_TIMEOUT of the tests of this file, and slack what a busy
// machine under the race detector may take on top of that until the process is gone.
const shutdownLimit, slack = 4 * time.Second, 2 * time.Second

// on returns the same program on a stack of the test's own.
func (x *indexer) on(private *stack.Instance) *indexer {
	other := x.with("KAFKA_BROKERS="+private.Kafka, "OPENSEARCH_URLS="+private.OpenSearch, "REDIS_URL="+private.Redis)
	other.broker, other.cluster = Broker{private.Kafka}, Cluster{firstURL(private.OpenSearch)}
	return other
}

// stopWithin ends the worker with SIGTERM: in time and with exit code 0, whatever is
// away. Its log is to hold, or not to hold, a line with each of words.
func (w *worker) stopWithin(limit time.Duration, words map[string]bool) {
	w.t.Helper()
	w.books.stop()
	began := time.Now()
	w.end(syscall.SIGTERM)
	took := time.Since(began)
	w.t.Logf("ended %s after SIGTERM", took.Round(10*time.Millisecond))
	if code := w.cmd.ProcessState.ExitCode(); took > limit+slack || code != 0 {
		w.t.Errorf("ended %s after SIGTERM with exit code %d, want 0 within %s\n%s", took, code, limit, w.tail())
	}
	for word, want := range words {
		if got := strings.Contains(w.text(), word); got != want {
			w.t.Errorf("the log holds %q: %v, want %v\n%s", word, got, want, w.tail())
		}
	}
	w.checkLog()
}

// Whatever is away, a worker ends within SHUTDOWN_TIMEOUT and says what it leaves
// behind; another one goes on from there, and nothing is missing.
func TestShutdownWhileServicesAreAway(t *testing.T) {
	t.Parallel()
	private := stack.Private(t)
	const abandoned, uncommitted = "the time to drain is over", "commit offsets: no answer in time"
	for _, c := range []struct {
		name   string
		frozen []string
		killed string
		words  map[string]bool // of the log
	}{
		{name: "Redis silent", frozen: []string{stack.RedisService}},
		{name: "OpenSearch silent", frozen: []string{stack.OpenSearchService}, words: map[string]bool{abandoned: true, uncommitted: false}},
		{name: "all silent", frozen: []string{stack.KafkaService, stack.OpenSearchService, stack.RedisService}, words: map[string]bool{abandoned: true, uncommitted: true}},
		{name: "Kafka killed", killed: stack.KafkaService},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newIndexer(t).on(private).with("SHUTDOWN_TIMEOUT="+shutdownLimit.String(), "BATCH_MAX_EVENTS=50", "BULK_CONCURRENCY=1",
				"KAFKA_OPTIONS=group.protocol=classic,session.timeout.ms=6000") // a member that could not leave is missed soon
			s := newStream(smallPlan(uint64(len(c.name))))
			x.setup()
			places := x.publish(s.records)
			w := x.start()
			x.awaitWork(w)
			for _, service := range c.frozen {
				private.Freeze(service)
				t.Cleanup(func() { private.Thaw(service) })
			}
			if c.killed != "" {
				private.Kill(c.killed)
			}
			w.stopWithin(shutdownLimit, c.words)
			for _, service := range c.frozen {
				private.Thaw(service)
			}
			if c.killed != "" {
				private.Start(c.killed)
			}
			next := x.start()
			x.awaitReady(next)
			x.awaitCommitted(places)
			x.must(s, places, true)
			next.stop()
		})
	}
}

// A signal that comes early ends the worker as well. Before the program has come to
// its main function it ends as any program does, by the signal.
func TestSignalsInEveryPhase(t *testing.T) {
	t.Parallel()
	x := newIndexer(t).with("SHUTDOWN_TIMEOUT=" + shutdownLimit.String())
	x.setup()
	silent := silentAddress(t)
	t.Run("before its first line", func(t *testing.T) {
		for _, after := range []time.Duration{0, 20, 50, 100, 200} {
			w := x.in(t).start()
			time.Sleep(after * time.Millisecond) // any moment will do
			w.end(syscall.SIGTERM)
			status := w.cmd.ProcessState.Sys().(syscall.WaitStatus)
			if status.Signal() != syscall.SIGTERM && status.ExitStatus() != 0 {
				t.Errorf("SIGTERM %d ms after the start: %s\n%s", after, w.cmd.ProcessState, w.tail())
			}
		}
	})
	for name, settings := range map[string][]string{
		"while it joins the group":          nil,
		"while no broker is there":          {"KAFKA_BROKERS=" + freeAddress(t)},
		"while the broker is silent":        {"KAFKA_BROKERS=" + silent},
		"while OpenSearch and Redis are so": {"OPENSEARCH_URLS=http://" + silent, "REDIS_URL=redis://" + silent + "/0"},
		"while all are silent":              {"KAFKA_BROKERS=" + silent, "OPENSEARCH_URLS=http://" + silent, "REDIS_URL=redis://" + silent + "/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, after := range []time.Duration{0, 300, 1000} {
				y := x.in(t).with(append(settings, fmt.Sprintf("KAFKA_GROUP_ID=%sgroup-%d-%d", x.prefix, len(name), after))...)
				w := y.start()
				y.logged(w, "starting")
				time.Sleep(after * time.Millisecond)
				w.stopWithin(shutdownLimit, nil)
			}
		})
	}
	t.Run("again while it drains", func(t *testing.T) {
		t.Parallel()
		y := x.in(t).with("OPENSEARCH_URLS=http://"+silent, "SHUTDOWN_TIMEOUT=1m")
		y.publish(newStream(smallPlan(1)).records)
		w := y.start()
		y.awaitWork(w)
		w.books.stop()
		if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		y.logged(w, "stopping")
		w.end(syscall.SIGTERM)
		if status := w.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGTERM {
			t.Errorf("the second SIGTERM: %s", w.cmd.ProcessState)
		}
	})
}

// in returns the program for a subtest.
func (x *indexer) in(t *testing.T) *indexer {
	other := *x
	other.t = t
	return &other
}

// silentAddress is of a server that takes connections and never answers.
func silentAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String() // the system itself takes connections, up to a number
}
