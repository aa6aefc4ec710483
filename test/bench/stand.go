package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/search-indexer/search-indexer/test/e2e"
	"github.com/search-indexer/search-indexer/test/process"
)

// bench is one run of this command on the servers that the environment names.
type bench struct {
	options    options
	stderr     io.Writer
	broker     e2e.Broker
	cluster    e2e.Cluster
	redis      string
	name       string // in front of everything that the run makes
	made       int    // sides so far
	groups     []string
	spaces     []string  // UUIDs of indices, under which Redis remembers events
	shape      bulkShape // the best for a plain bulk; none until it is tuned
	ceiling    float64   // documents per second that it reached then
	ceilingEnv []string  // settings of the indices of the plain bulk, where not the worker's
}

const usualPartitions = 12

func newBench(o options, stderr io.Writer) (*bench, error) {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // documented to never fail
	b := &bench{options: o, stderr: stderr, name: "bench-" + hex.EncodeToString(random)}
	var wrong []string
	address := func(name string) string {
		value := os.Getenv(name)
		if value == "" {
			wrong = append(wrong, name)
		}
		return value
	}
	b.broker.Addresses = address("KAFKA_BROKERS")
	b.cluster.URL, _, _ = strings.Cut(address("OPENSEARCH_URLS"), ",")
	b.cluster.URL = strings.TrimSuffix(b.cluster.URL, "/")
	b.redis = address("REDIS_URL")
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%s not set: run `make bench`, or eval \"$(scripts/stack env)\" before", strings.Join(wrong, ", "))
	}
	if _, err := os.Stat(o.indexer); err != nil {
		return nil, fmt.Errorf("no program to measure; run `make build` before: %w", err)
	}
	return b, nil
}

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.stderr, format+"\n", args...)
}

// side is a place to write into: indices under a prefix of their own, made by
// `indexer setup`, and a consumer group that has read nothing.
type side struct {
	prefix string // of indices, aliases and templates
	group  string
	env    []string // NAME=value, over the settings of all
	// partitions of each topic that is made for it; 0 for usualPartitions.
	partitions int
}

// newSide names a side; kind tells it apart in the server's logs.
func (b *bench) newSide(kind string) side {
	b.made++
	name := b.name + "-" + kind + strconv.Itoa(b.made)
	b.groups = append(b.groups, name)
	return side{prefix: name + "-", group: name}
}

// sameSide is a side with another group, which has read nothing.
func (b *bench) sameSide(s side) side {
	b.made++
	s.group = b.name + "-g" + strconv.Itoa(b.made)
	b.groups = append(b.groups, s.group)
	return s
}

// settings are those of the environment that change how the worker works, so that
// a report says what was measured. All others have their defaults.
func (b *bench) settings() map[string]string {
	set := map[string]string{"OPENSEARCH_REPLICAS": "0"} // a second copy has no place on a single node
	for _, name := range []string{
		"BATCH_MAX_EVENTS", "BATCH_MAX_BYTES", "BATCH_MAX_WAIT", "BULK_CONCURRENCY", "DEDUP_ENABLED", "KAFKA_OPTIONS",
		"OPENSEARCH_REFRESH_INTERVAL", "OPENSEARCH_REPLICAS", "OPENSEARCH_SHARDS", "OPENSEARCH_TEMPLATE_DIR", "GOMAXPROCS", "GOGC", "GOMEMLIMIT",
	} {
		if value, ok := os.LookupEnv(name); ok {
			set[name] = value
		}
	}
	return set
}

// command is the program on topics with one side's names. It ends with ctx, by
// SIGTERM at first.
func (b *bench) command(ctx context.Context, topics string, s side, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.options.indexer, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = process.EndWait
	cmd.Env = os.Environ()
	for name, value := range b.settings() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env,
		"KAFKA_TOPIC_PREFIX="+topics, "KAFKA_TOPICS="+strings.Join(e2e.Topics, ","), "KAFKA_DLQ_TOPIC="+topics+"dlq",
		"KAFKA_GROUP_ID="+s.group, "OPENSEARCH_INDEX_PREFIX="+s.prefix,
		"HTTP_ADDR=127.0.0.1:0", "LOG_LEVEL=info", "LOG_FORMAT=json")
	cmd.Env = append(cmd.Env, s.env...)
	return cmd
}

// finish runs a command to its end; what it printed is for the error only.
func finish(cmd *exec.Cmd) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("indexer %s: %w: %s", cmd.Args[1], err, strings.TrimSpace(out.String()))
	}
	return nil
}

// setup makes a side's indices, and the topics where they do not exist.
func (b *bench) setup(ctx context.Context, topics string, s side) error {
	partitions := s.partitions
	if partitions == 0 {
		partitions = usualPartitions
	}
	if err := finish(b.command(ctx, topics, s, "setup", "--partitions", strconv.Itoa(partitions))); err != nil {
		return err
	}
	for _, alias := range e2e.Aliases(s.prefix) {
		var indices map[string]struct {
			Settings struct {
				UUID string `json:"index.uuid"`
			} `json:"settings"`
		}
		if err := b.cluster.Do(ctx, "GET", "/"+alias+"/_settings?flat_settings=true", "", &indices); err != nil {
			return fmt.Errorf("read the indices made: %w", err)
		}
		for _, index := range indices {
			b.spaces = append(b.spaces, index.Settings.UUID)
		}
	}
	return nil
}
