package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/stack"
)

// program is the binary under test. It is built by the first test that needs it,
// once, with the race detector unless E2E_RACE is off.
type program struct {
	dir   string
	build func() error
}

var built program

// TestMain keeps a folder for the binary. The build itself waits for a test that
// needs it, so that unit tests start at once.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "indexer-e2e-")
	if err != nil {
		panic(err)
	}
	built = program{dir: dir}
	built.build = sync.OnceValue(func() error {
		build := []string{"build", "-race", "-o", built.path(), "../../cmd/indexer"}
		if os.Getenv("E2E_RACE") == "off" { // it makes the program five times as slow and as large
			build = slices.Delete(build, 1, 2)
		}
		out, err := exec.Command("go", build...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("build cmd/indexer: %w\n%s", err, out)
		}
		return nil
	})
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func (p *program) path() string { return filepath.Join(p.dir, "indexer") }

// deadline is how long a test waits for anything that must come. It is generous:
// the race detector and a shared machine are slow.
const deadline = 3 * time.Minute

// indexer is the program with one test's settings and the services that it runs
// on. Its names are the test's own.
type indexer struct {
	t       *testing.T
	env     map[string]string
	cluster Cluster
	broker  Broker
	prefix  string // of topics
	index   string // prefix of indices
	// patience is how long to wait for anything that must come.
	patience time.Duration
}

// newIndexer returns the program on the shared stack. What it makes there is
// removed when the test ends.
func newIndexer(t *testing.T) *indexer {
	t.Helper()
	x := &indexer{t: t, broker: Broker{stack.Kafka(t)}, cluster: Cluster{firstURL(stack.OpenSearch(t))}, patience: deadline}
	name := stack.Name(t)
	x.prefix, x.index = name+"-", name+"-"
	x.env = map[string]string{
		"KAFKA_BROKERS":           x.broker.Addresses,
		"KAFKA_TOPIC_PREFIX":      x.prefix,
		"KAFKA_TOPICS":            strings.Join(Topics, ","),
		"KAFKA_GROUP_ID":          name + "-group",
		"KAFKA_DLQ_TOPIC":         name + "-dlq",
		"OPENSEARCH_URLS":         x.cluster.URL,
		"OPENSEARCH_INDEX_PREFIX": x.index,
		"OPENSEARCH_REPLICAS":     "0",
		"REDIS_URL":               stack.Redis(t),
		"LOG_FORMAT":              "json",
		"GORACE":                  "atexit_sleep_ms=0", // or the race detector ends a second later
	}
	if err := built.build(); err != nil {
		t.Fatal(err)
	}
	return x
}

func firstURL(urls string) string {
	first, _, _ := strings.Cut(urls, ",")
	return strings.TrimSuffix(first, "/")
}

// with returns the same program with some settings changed.
func (x *indexer) with(settings ...string) *indexer {
	other := *x
	other.env = maps.Clone(x.env)
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		other.env[name] = value
	}
	return &other
}

func (x *indexer) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, built.path(), args...)
	cmd.Env = os.Environ()
	for name, value := range x.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// run runs a command to its end, and returns its exit code and all it printed.
func (x *indexer) run(args ...string) (code int, output string) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), x.patience)
	defer cancel()
	cmd := x.command(ctx, args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		x.t.Fatalf("indexer %s: %v", strings.Join(args, " "), err)
	}
	if ctx.Err() != nil {
		x.t.Fatalf("indexer %s does not end:\n%s", strings.Join(args, " "), out)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// setupPartitions is how many each topic of a test has.
const setupPartitions = 12

// setup runs `indexer setup`, which must work.
func (x *indexer) setup() {
	x.t.Helper()
	if code, out := x.run("setup", "--partitions", strconv.Itoa(setupPartitions)); code != 0 {
		x.t.Fatalf("indexer setup: exit code %d\n%s", code, out)
	}
}

// publish writes records under the test's prefix.
func (x *indexer) publish(records []Record) []Place {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), x.patience)
	defer cancel()
	places, err := x.broker.Publish(ctx, x.prefix, records)
	if err != nil {
		x.t.Fatal(err)
	}
	return places
}

// snapshot reads the indices as they stand.
func (x *indexer) snapshot() Snapshot {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), x.patience)
	defer cancel()
	got, err := x.cluster.Snapshot(ctx, x.index)
	if err != nil {
		x.t.Fatal(err)
	}
	return got
}

// letters reads the dead-letter topic.
func (x *indexer) letters() []Letter {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), x.patience)
	defer cancel()
	letters, err := x.broker.Letters(ctx, x.env["KAFKA_DLQ_TOPIC"])
	if err != nil {
		x.t.Fatal(err)
	}
	return letters
}

// must compares indices and dead letters with what must come of a stream whose
// records stand at places.
func (x *indexer) must(s *stream, places []Place, repeatedLetters bool) {
	x.t.Helper()
	got := x.snapshot()
	if report := Report("documents", Compare(s.want, got)); report != "" {
		x.t.Error(report)
	}
	if report := Report("dead letters", CompareLetters(s.records, places, x.letters(), repeatedLetters)); report != "" {
		x.t.Error(report)
	}
	s.sameInEveryRun(x.t, got)
}

// ends are the offsets that a group has to commit to have done with places.
func ends(places []Place) map[Place]int64 {
	ends := make(map[Place]int64)
	for _, p := range places {
		at := Place{Topic: p.Topic, Partition: p.Partition}
		ends[at] = max(ends[at], p.Offset+1)
	}
	return ends
}

// lag counts the records of places that the group has not committed, and names
// a partition with some.
func (x *indexer) lag(places []Place) (records int64, where Place) {
	x.t.Helper()
	committed, err := x.broker.Committed(x.t.Context(), x.env["KAFKA_GROUP_ID"])
	if err != nil {
		x.t.Logf("try again: %v", err) // a coordinator that moves
		return -1, Place{}
	}
	for at, end := range ends(places) {
		if behind := end - max(committed[at], 0); behind > 0 {
			records, where = records+behind, at
			where.Offset = end - behind
		}
	}
	return records, where
}

// awaitCommitted waits until the group has committed all of places.
func (x *indexer) awaitCommitted(places []Place) {
	x.t.Helper()
	var lag int64
	var where Place
	x.await(func() bool {
		lag, where = x.lag(places)
		return lag == 0
	}, func() string {
		return "the group to commit all; behind by " + show(lag) + " records, as in " + show(where)
	})
}

// await waits for a condition and fails the test, saying what for, where it
// does not come.
func (x *indexer) await(condition func() bool, what func() string) {
	x.t.Helper()
	for end := time.Now().Add(x.patience); !condition(); time.Sleep(50 * time.Millisecond) {
		if x.t.Context().Err() != nil || time.Now().After(end) {
			x.t.Fatalf("waited in vain for %s", what())
		}
	}
}
