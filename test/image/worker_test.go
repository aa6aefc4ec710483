//go:build image

package image

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// worker is the image's own command, running.
type worker struct {
	t   *testing.T
	cmd *exec.Cmd
	log string // path
	url string
}

// startWorker starts what the image runs by itself, and waits for its address.
func (c *container) startWorker() *worker {
	c.t.Helper()
	w := &worker{t: c.t, log: filepath.Join(c.t.TempDir(), "log")}
	log, err := os.Create(w.log)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the process has its own handle
	w.cmd = c.start(c.t.Context(), log, []string{"HTTP_ADDR=127.0.0.1:0"}, c.command...)
	c.t.Cleanup(func() {
		if c.t.Failed() {
			text, _ := os.ReadFile(w.log)
			c.t.Logf("the worker's log:\n%s", text)
		}
	})
	await(c.t, "the worker to tell its address", func() bool { w.url = address(w.log); return w.url != "" })
	return w
}

// address finds the HTTP address that a worker's log begins with.
func address(path string) string {
	log, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = log.Close() }()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var line struct{ HTTP string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.HTTP != "" {
			return "http://" + line.HTTP
		}
	}
	return ""
}

// get asks the worker, and returns the status code; 0 where it does not answer.
func (w *worker) get(path string, body *string) int {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0
	}
	if body != nil {
		*body = string(text)
	}
	return response.StatusCode
}

func (w *worker) metrics() e2e.Metrics {
	w.t.Helper()
	var text string
	if code := w.get("/metrics", &text); code != http.StatusOK {
		w.t.Fatalf("/metrics answers %d", code)
	}
	m, err := e2e.ParseMetrics(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// stop ends the worker as Kubernetes does, and wants exit code 0 before it would kill.
func (w *worker) stop() {
	w.t.Helper()
	const grace = 30 * time.Second
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	late := time.AfterFunc(grace, func() { _ = w.cmd.Process.Kill() })
	defer late.Stop()
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("the worker ended with %v, within %v of SIGTERM", err, grace)
	}
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("waited %v for %s", patience, what)
		case <-tick.C:
		}
	}
}
