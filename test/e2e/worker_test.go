package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// worker is one running `indexer run`.
type worker struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string // of its HTTP server
	log     string // path of the file with all that it prints
	ended   chan struct{}
	books   *books
}

// start runs a worker until stop, kill or the end of the test. It does not wait
// until the worker is ready.
func (x *indexer) start() *worker {
	x.t.Helper()
	w := &worker{
		t: x.t, address: freeAddress(x.t), log: filepath.Join(x.t.TempDir(), "worker.log"), ended: make(chan struct{}),
	}
	file, err := os.Create(w.log)
	if err != nil {
		x.t.Fatal(err)
	}
	w.cmd = x.with("HTTP_ADDR="+w.address).command(context.WithoutCancel(x.t.Context()), "run")
	w.cmd.Stdout, w.cmd.Stderr = file, file
	if err := w.cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	go func() {
		_ = w.cmd.Wait() // the exit code is what the tests look at
		_ = file.Close()
		close(w.ended)
	}()
	w.books = watchBooks(w)
	x.t.Cleanup(w.cleanUp)
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

// stop ends the worker with SIGTERM: it must drain and end with exit code 0.
func (w *worker) stop() {
	w.t.Helper()
	w.books.stop()
	w.end(syscall.SIGTERM)
	if code := w.cmd.ProcessState.ExitCode(); code != 0 {
		w.t.Errorf("exit code %d after SIGTERM\n%s", code, w.tail())
	}
	w.checkLog()
}

// kill ends the worker with SIGKILL.
func (w *worker) kill() {
	w.t.Helper()
	w.books.stop()
	w.end(syscall.SIGKILL)
	w.checkLog()
}

func (w *worker) end(signal syscall.Signal) {
	w.t.Helper()
	select {
	case <-w.ended:
		w.t.Fatalf("the worker ended by itself: %s\n%s", w.cmd.ProcessState, w.tail())
	default:
	}
	if err := w.cmd.Process.Signal(signal); err != nil {
		w.t.Fatal(err)
	}
	select {
	case <-w.ended:
	case <-time.After(deadline):
		w.t.Fatalf("the worker does not end after %s\n%s", signal, w.tail())
	}
}

// cleanUp leaves no process behind, and shows the log of a failed test.
func (w *worker) cleanUp() {
	w.books.stop()
	select {
	case <-w.ended:
	default:
		_ = w.cmd.Process.Kill()
		<-w.ended
	}
	if w.t.Failed() {
		w.t.Logf("the end of the worker's log:\n%s", w.tail())
	}
}

// alive fails the test where the worker has ended.
func (w *worker) alive() {
	w.t.Helper()
	select {
	case <-w.ended:
		w.t.Fatalf("the worker ended by itself: %s\n%s", w.cmd.ProcessState, w.tail())
	default:
	}
}

func (w *worker) text() string {
	w.t.Helper()
	text, err := os.ReadFile(w.log)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *worker) tail() string {
	const lines = 30
	all := strings.Split(strings.TrimSpace(w.text()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// checkLog fails the test where the worker's log is wrong.
func (w *worker) checkLog() {
	w.t.Helper()
	for _, wrong := range CheckLog(w.text()) {
		w.t.Error(wrong)
	}
}

// logged waits for a line of the log that holds all of parts, letter case aside.
func (x *indexer) logged(w *worker, parts ...string) {
	x.t.Helper()
	x.await(func() bool {
		w.alive()
		for line := range strings.Lines(strings.ToLower(w.text())) {
			found := true
			for _, part := range parts {
				found = found && strings.Contains(line, strings.ToLower(part))
			}
			if found {
				return true
			}
		}
		return false
	}, func() string { return "a line of the log with " + strings.Join(parts, ", ") + "\n" + w.tail() })
}

// get asks the worker's HTTP server; status 0 where it does not answer.
func (w *worker) get(path string) (status int, body []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+path, http.NoBody)
	if err != nil {
		return 0, nil
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, bytes.TrimSpace(body)
}

// awaitReady waits until /readyz says yes.
func (x *indexer) awaitReady(w *worker) {
	x.t.Helper()
	var status int
	var body []byte
	x.await(func() bool {
		w.alive()
		status, body = w.get("/readyz")
		return status == http.StatusOK
	}, func() string { return "/readyz to be 200: " + http.StatusText(status) + " " + string(body) })
}
