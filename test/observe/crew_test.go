package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/stack"
)

const (
	deadline   = 2 * time.Minute
	adminToken = "0123456789abcdef"
)

var binary struct {
	dir   string
	build func() error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "indexer-observe-")
	if err != nil {
		panic(err)
	}
	binary.dir = dir
	binary.build = sync.OnceValue(func() error {
		cmd := exec.Command("go", "build", "-o", binaryPath(), "./cmd/indexer")
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build cmd/indexer: %w\n%s", err, out)
		}
		return nil
	})
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func binaryPath() string { return filepath.Join(binary.dir, "indexer") }

// crew is the program with one test's names, behind valves to OpenSearch and Redis.
type crew struct {
	*testing.T
	env    map[string]string
	name   string
	search *searchValve
	redis  *tcpValve
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	name := stack.Name(t)
	c := &crew{T: t, name: name, search: newSearchValve(t, stack.OpenSearch(t)), redis: newTCPValve(t, redisAddress(stack.Redis(t)))}
	c.env = map[string]string{
		"KAFKA_BROKERS": stack.Kafka(t), "KAFKA_TOPIC_PREFIX": name + "-", "KAFKA_GROUP_ID": name + "-group",
		"KAFKA_TOPICS": "post.created,post.updated,post.deleted,artist.created,artist.updated", "KAFKA_DLQ_TOPIC": name + "-dlq",
		"OPENSEARCH_URLS": c.search.url, "OPENSEARCH_INDEX_PREFIX": name + "-", "OPENSEARCH_REPLICAS": "0",
		"REDIS_URL": "redis://" + c.redis.address + "/0", "ADMIN_TOKEN": adminToken, "LOG_LEVEL": "debug",
	}
	if err := binary.build(); err != nil {
		t.Fatal(err)
	}
	c.must("", "setup", "--partitions", "2")
	return c
}

func (c *crew) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binaryPath(), args...)
	cmd.Env = os.Environ()
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// must runs a command to its end, and returns what it prints.
func (c *crew) must(stdin string, args ...string) string {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), deadline)
	defer cancel()
	cmd := c.command(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		c.Fatalf("indexer %s: %v\n%s", strings.Join(args, " "), err, errors.String())
	}
	return string(out)
}

// publish writes lines as `indexer produce` takes them.
func (c *crew) publish(lines ...string) {
	c.Helper()
	c.must(strings.Join(lines, "\n"), "produce")
}

// worker is one running `indexer run`.
type worker struct {
	*crew
	url   string
	log   string
	ended chan struct{}
}

// start returns a worker that has joined and is ready.
func (c *crew) start(settings ...string) *worker {
	c.Helper()
	w := c.launch(settings...)
	c.eventually("the worker to be ready", func() bool { code, _ := w.get("/readyz"); return code == http.StatusOK })
	c.eventually("all partitions", func() bool { return len(w.status().Partitions) == 10 })
	return w
}

func (c *crew) launch(settings ...string) *worker {
	c.Helper()
	address := freeAddress(c.T)
	w := &worker{crew: c, url: "http://" + address, log: filepath.Join(c.TempDir(), "worker.log"), ended: make(chan struct{})}
	file, err := os.Create(w.log)
	if err != nil {
		c.Fatal(err)
	}
	cmd := c.command(context.WithoutCancel(c.Context()), "run")
	cmd.Env = append(append(cmd.Env, "HTTP_ADDR="+address), settings...)
	cmd.Stderr = file
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		_ = file.Close()
		close(w.ended)
	}()
	c.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-w.ended
		if c.Failed() {
			text, _ := os.ReadFile(w.log)
			c.Logf("the end of the worker's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return w
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func (w *worker) get(path string) (code int, body string) {
	return w.ask(http.MethodGet, path)
}

func (w *worker) ask(method, path string) (code int, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, w.url+path, http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// status is the part of /status that tests look at.
type status struct {
	Partitions []struct {
		Topic      string  `json:"topic"`
		Partition  int     `json:"partition"`
		Lag        int     `json:"lag"`
		LagSeconds float64 `json:"lag_seconds"`
		Paused     string  `json:"paused"`
	} `json:"partitions"`
	Lag struct {
		Messages int     `json:"messages"`
		Seconds  float64 `json:"seconds"`
	} `json:"lag"`
	Consumed map[string]int    `json:"consumed"`
	Outcomes map[string]int    `json:"outcomes"`
	Stalled  map[string]string `json:"stalled"`
	RedisUp  bool              `json:"redis_up"`
	Letters  []struct {
		Reason string `json:"reason"`
	} `json:"last_dead_letters"`
	Errors []struct {
		Text string `json:"text"`
	} `json:"last_errors"`
	Upkeep struct {
		Rebuilds []string `json:"rebuilds"`
	} `json:"upkeep"`
}

func (w *worker) status() (s status) {
	w.Helper()
	if code, body := w.get("/status"); code == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			w.Fatalf("/status: %v\n%s", err, body)
		}
	}
	return s
}

func (c *crew) eventually(what string, condition func() bool) {
	c.Helper()
	for end := time.Now().Add(deadline); !condition(); time.Sleep(100 * time.Millisecond) {
		if c.Context().Err() != nil || time.Now().After(end) {
			c.Fatalf("waited in vain for %s", what)
		}
	}
}

// pause pauses a partition of post.updated, or reads it again.
func (w *worker) pause(verb string, partition int) {
	w.Helper()
	path := fmt.Sprintf("/admin/%s?topic=%s-post.updated&partition=%d", verb, w.name, partition)
	if code, body := w.ask(http.MethodPost, path); code != http.StatusAccepted {
		w.Fatalf("%s: %d %s", path, code, body)
	}
}

// updates are events of documents, from first to last.
func updates(first, last int) []string {
	var lines []string
	for i := first; i <= last; i++ {
		lines = append(lines, fmt.Sprintf(`{"event_type":"post.updated","event_id":"e%d","version":%d,"data":{"post_id":"%d","title":"t"}}`, i, i, i))
	}
	return lines
}
