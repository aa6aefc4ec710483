//go:build image

// Package image runs the program out of the image's own root file system, as the
// image's user, on the real services. scripts/image-check builds that file system and
// starts these tests (make image-check); without it they are not compiled.
package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
	"github.com/search-indexer/search-indexer/test/stack"
)

// patience is how long anything may take that must come; no measure of speed.
const patience = 3 * time.Minute

const events = 500

// The commands of an installation, in their order: setup, a worker with events, its
// probes and its end, a rebuild.
func TestProgramOfTheImage(t *testing.T) {
	c := newContainer(t)
	if err := os.WriteFile(filepath.Join(c.root, "tmp", "x"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("the image's root can be written: %v", err)
	}
	if out := c.run("version"); !strings.Contains(out, c.version) {
		t.Errorf("version does not say %q:\n%s", c.version, out)
	}
	c.run("setup", "--partitions", "3", "--replication-factor", "1")
	w := c.startWorker()
	c.run("produce", "--count", fmt.Sprint(events))
	await(t, "/readyz to be 200", func() bool { return w.get("/readyz", nil) == http.StatusOK })
	await(t, "the events to end", func() bool { return w.metrics().Sum("indexer_events_total") == events })
	m := w.metrics()
	if m.Sum("indexer_events_total", `outcome="dead"`) > 0 || m.Unbalanced() != "" {
		t.Errorf("%.0f dead letters; the books: %q", m.Sum("indexer_events_total", `outcome="dead"`), m.Unbalanced())
	}
	before := c.documents()
	if len(before) == 0 {
		t.Error("no document has been written")
	}
	w.stop()
	c.run("rebuild")
	if after := c.documents(); len(after) != len(before) {
		t.Errorf("%d documents after the rebuild, %d before", len(after), len(before))
	}
	t.Logf("%d events, %d documents, as user %d:%d", events, len(before), c.user.Uid, c.user.Gid)
}

// container is what a container engine would start: a root, a user, a command.
type container struct {
	t                *testing.T
	root, entrypoint string
	command          []string // what it runs where nothing is asked for
	version          string   // that it was stamped with
	user             syscall.Credential
	env              []string
	cluster          e2e.Cluster
	prefix           string
}

func newContainer(t *testing.T) *container {
	t.Helper()
	name := stack.Name(t)
	c := &container{
		t: t, root: given(t, "IMAGE_ROOT"), entrypoint: given(t, "IMAGE_ENTRYPOINT"), version: given(t, "IMAGE_VERSION"),
		command: strings.Fields(given(t, "IMAGE_COMMAND")), prefix: name + "-",
	}
	if _, err := fmt.Sscanf(given(t, "IMAGE_USER"), "%d:%d", &c.user.Uid, &c.user.Gid); err != nil {
		t.Fatalf("IMAGE_USER: %v", err)
	}
	urls := stack.OpenSearch(t)
	first, _, _ := strings.Cut(urls, ",")
	c.cluster = e2e.Cluster{URL: strings.TrimSuffix(first, "/")}
	c.env = []string{ // and nothing of this process's own
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"KAFKA_BROKERS=" + stack.Kafka(t), "OPENSEARCH_URLS=" + urls, "REDIS_URL=" + stack.Redis(t),
		"KAFKA_TOPIC_PREFIX=" + c.prefix, "KAFKA_GROUP_ID=" + c.prefix + "group", "KAFKA_DLQ_TOPIC=" + c.prefix + "dlq",
		"OPENSEARCH_INDEX_PREFIX=" + c.prefix, "OPENSEARCH_REPLICAS=0", "DEDUP_TTL=10m",
		"FOLD_DIR=/fold",
	}
	return c
}

func given(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: scripts/image-check starts these tests", name)
	}
	return value
}

// start starts the program with args, locked into the image's root.
func (c *container) start(ctx context.Context, out io.Writer, env []string, args ...string) *exec.Cmd {
	c.t.Helper()
	cmd := exec.CommandContext(ctx, c.entrypoint, args...)
	cmd.Dir = "/"
	cmd.Env = append(append([]string{}, c.env...), env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &c.user}
	if err := cmd.Start(); err != nil {
		c.t.Fatalf("start %s out of the image: %v", c.entrypoint, err)
	}
	return cmd
}

// run runs a command to its end, which must be a good one, and returns what it printed.
func (c *container) run(args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	var out strings.Builder
	if err := c.start(ctx, &out, nil, args...).Wait(); err != nil {
		c.t.Fatalf("indexer %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

func (c *container) documents() e2e.Snapshot {
	c.t.Helper()
	snapshot, err := c.cluster.Snapshot(c.t.Context(), c.prefix)
	if err != nil {
		c.t.Fatal(err)
	}
	return snapshot
}
