package chaos

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
	"github.com/search-indexer/search-indexer/test/stack"
)

const (
	partitions = 12
	prefix     = "chaos-"
	group      = "chaos-group"
	letters    = "chaos-dlq"
	// recovery is how long all may take to be as it should once the faults are over.
	// Delays between attempts grow to 10 s, a dead member is missed after 10 s, and
	// what was held back has to be written.
	recovery = 4 * time.Minute
)

// run is one chaos run: services, the links to them, workers, and what was
// published.
type run struct {
	t        *testing.T
	seed     uint64
	duration time.Duration
	dir      string // binary and logs; kept where the test fails
	// An instance each, since what is done to one instance waits for its turn.
	kafka, opensearch, redis *stack.Instance

	cluster e2e.Cluster
	broker  e2e.Broker
	search  *link // workers to refuser, which stands before OpenSearch
	memory  *link // workers to Redis
	refuser *refuser
	crew    *crew
	ledger  *ledger
	tally   *tally

	// calm is held for reading while a fault is on, and for writing by what needs
	// all else to be in order.
	calm sync.RWMutex
	// publishing is held while records are being published.
	publishing sync.Mutex
}

func newRun(t *testing.T, seed uint64, duration time.Duration) *run {
	t.Helper()
	r := &run{t: t, seed: seed, duration: duration, ledger: newLedger(), tally: newTally()}
	r.makeFolder()
	out, err := exec.Command("go", "build", "-race", "-o", r.binary(), "../../cmd/indexer").CombinedOutput()
	if err != nil {
		t.Fatalf("build cmd/indexer: %v\n%s", err, out)
	}
	r.opensearch = stack.Private(t, stack.OpenSearchService)
	r.kafka = stack.Private(t, stack.KafkaService)
	r.redis = stack.Private(t, stack.RedisService)
	r.cluster, r.broker = e2e.Cluster{URL: r.opensearch.OpenSearch}, e2e.Broker{Addresses: r.kafka.Kafka}
	r.refuser = newRefuser(t, r.cluster.URL)
	r.search = newLink(t, "opensearch", strings.TrimPrefix(r.refuser.url, "http://"))
	r.memory = newLink(t, "redis", strings.TrimSuffix(strings.TrimPrefix(r.redis.Redis, "redis://"), "/0"))
	r.crew = &crew{run: r}
	t.Cleanup(r.crew.cleanUp)
	r.setup()
	return r
}

func (r *run) makeFolder() {
	dir, err := os.MkdirTemp("", fmt.Sprintf("chaos-%d-", r.seed))
	if err != nil {
		r.t.Fatal(err)
	}
	r.dir = dir
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("seed %d; the workers' logs are in %s", r.seed, dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
}

func (r *run) binary() string { return filepath.Join(r.dir, "indexer") }

// consumerProtocol says which of Kafka's two group protocols the seed stands for.
func (r *run) consumerProtocol() bool { return r.seed%2 == 1 }

// sessionTimeout is after what a silent worker loses its partitions. That of the
// consumer protocol is the broker's, in scripts/stack.d.
func (r *run) sessionTimeout() time.Duration {
	if r.consumerProtocol() {
		return 10 * time.Second
	}
	return 6 * time.Second
}

// command is the program, reaching OpenSearch and Redis by the given addresses.
func (r *run) command(opensearch, redis string, args ...string) *exec.Cmd {
	options := "topic.metadata.refresh.interval.ms=3000,"
	if r.consumerProtocol() {
		options += "group.protocol=consumer"
	} else {
		options += "group.protocol=classic,heartbeat.interval.ms=1000,session.timeout.ms=6000"
	}
	cmd := exec.Command(r.binary(), args...)
	cmd.Env = append(os.Environ(),
		"KAFKA_BROKERS="+r.broker.Addresses, "KAFKA_TOPIC_PREFIX="+prefix, "KAFKA_TOPICS="+strings.Join(e2e.Topics, ","),
		"KAFKA_GROUP_ID="+group, "KAFKA_DLQ_TOPIC="+letters, "KAFKA_OPTIONS="+options,
		"OPENSEARCH_URLS="+opensearch, "OPENSEARCH_INDEX_PREFIX="+prefix, "OPENSEARCH_REPLICAS=0",
		"REDIS_URL="+redis, "LOG_FORMAT=json", "BATCH_MAX_EVENTS=200", fmt.Sprintf("SHUTDOWN_TIMEOUT=%s", shutdown),
	)
	return cmd
}

// setup runs `indexer setup` straight at the services, until it works: Kafka may be
// away just now.
func (r *run) setup() {
	r.t.Helper()
	r.await(func() string {
		out, err := r.command(r.cluster.URL, r.redis.Redis, "setup", "--partitions", strconv.Itoa(partitions)).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%v\n%s", err, out)
		}
		return ""
	}, "`indexer setup` to work")
}

// publishAndFail publishes for as long as faults go on.
func (r *run) publishAndFail() {
	ctx, cancel := context.WithTimeout(r.t.Context(), r.duration)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { r.publish(ctx) })
	for i, lane := range r.lanes() {
		work.Go(func() { lane.drive(ctx, r, uint64(i)) })
	}
	work.Wait()
}

// mustEndWell waits until all is consumed, and compares.
func (r *run) mustEndWell() {
	r.crew.fill()
	began := time.Now()
	r.await(r.settled(r.ledger.ends()), "the group to commit all that was published")
	r.await(r.allReady, "every worker to be ready, with no partition paused")
	r.t.Logf("in order again %s after the last fault", time.Since(began).Round(100*time.Millisecond))

	got, err := r.cluster.Snapshot(r.t.Context(), prefix)
	if err != nil {
		r.t.Fatal(err)
	}
	r.differ("documents", e2e.Compare(e2e.Fold(r.ledger.events()), got))
	dead, err := r.broker.Letters(r.t.Context(), letters)
	if err != nil {
		r.t.Fatal(err)
	}
	records, places := r.ledger.all()
	r.differ("dead letters", e2e.CompareLetters(records, places, dead, true))
	r.crew.stopAll()
	r.differ("books", r.crew.wrongBooks())
}

// differ fails the test with differences, and counts them for the table.
func (r *run) differ(what string, differences []string) {
	r.tally.differences(what, len(differences))
	if report := e2e.Report(what, differences); report != "" {
		r.t.Error(report)
	}
}

// settled reports whether the group has committed exactly ends.
func (r *run) settled(ends map[e2e.Place]int64) func() string {
	return func() string {
		committed, err := r.broker.Committed(r.t.Context(), group)
		if err != nil {
			return err.Error()
		}
		behind, where := 0, ""
		for at, end := range ends {
			if offset, ok := committed[at]; !ok || offset != end {
				behind++
				where = fmt.Sprintf("%s [%d] at %d (known: %v), not %d", at.Topic, at.Partition, offset, ok, end)
			}
		}
		if behind == 0 {
			return ""
		}
		return fmt.Sprintf("%d partitions are not at their ends, such as %s", behind, where)
	}
}

func (r *run) allReady() string {
	for _, w := range r.crew.now() {
		if status, body := w.get("/readyz"); status != http.StatusOK {
			return fmt.Sprintf("%s: /readyz says %d %s", w.name, status, body)
		}
		if status, body := w.get("/metrics"); status == http.StatusOK {
			m, err := e2e.ParseMetrics(string(body))
			if err == nil && m.Sum("indexer_partitions_paused") > 0 {
				return w.name + " has paused partitions"
			}
		}
	}
	return ""
}

// await waits until check has nothing to say against it, and fails the test where
// that takes too long.
func (r *run) await(check func() string, what string) {
	r.t.Helper()
	said := ""
	for end := time.Now().Add(recovery); ; time.Sleep(100 * time.Millisecond) {
		if said = check(); said == "" {
			return
		}
		if r.t.Context().Err() != nil || time.Now().After(end) {
			r.t.Fatalf("waited %s in vain for %s: %s", recovery, what, said)
		}
	}
}
