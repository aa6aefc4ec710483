package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

const (
	crewSize = 3
	shutdown = 15 * time.Second // SHUTDOWN_TIMEOUT of the workers
	// grace is what a worker may take to end on top of that, on a busy machine under
	// the race detector.
	grace = 10 * time.Second
)

// crew is the workers that run. It is for any goroutine.
type crew struct {
	run *run

	mu      sync.Mutex
	workers []*worker
	started int
	wrong   []string // of the books of workers that have ended
	scrapes int
}

// worker is one `indexer run`.
type worker struct {
	name    string
	run     *run
	cmd     *exec.Cmd
	address string
	log     string
	ended   chan struct{}

	watched chan struct{} // closed when the books are no longer looked at
	halt    func()
	scrapes int
	wrong   []string
}

// fill starts workers until the crew is complete.
func (c *crew) fill() {
	for len(c.now()) < crewSize {
		c.start()
	}
}

func (c *crew) now() []*worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.workers)
}

func (c *crew) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started++
	t := c.run.t
	name := fmt.Sprintf("worker-%d", c.started)
	done := make(chan struct{})
	w := &worker{
		name: name, run: c.run, address: freeAddress(t.Fatal), log: filepath.Join(c.run.dir, name+".log"),
		ended: make(chan struct{}), watched: make(chan struct{}), halt: sync.OnceFunc(func() { close(done) }),
	}
	file, err := os.Create(w.log)
	if err != nil {
		t.Fatal(err)
	}
	w.cmd = c.run.command("http://"+c.run.search.address(), "redis://"+c.run.memory.address()+"/0", "run")
	w.cmd.Env = append(w.cmd.Env, "HTTP_ADDR="+w.address)
	w.cmd.Stdout, w.cmd.Stderr = file, file
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = w.cmd.Wait() // its exit code is looked at by stop
		_ = file.Close()
		close(w.ended)
	}()
	go w.watch(done)
	c.workers = append(c.workers, w)
}

func freeAddress(fatal func(...any)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// remove takes a worker that has ended out of the crew and keeps what is wrong
// with its books and log.
func (c *crew) remove(w *worker) {
	w.halt()
	<-w.watched
	text, err := os.ReadFile(w.log)
	if err != nil {
		c.run.t.Error(err)
	}
	for _, wrong := range e2e.CheckLog(string(text)) {
		c.run.t.Errorf("%s: %s", w.name, wrong)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workers = slices.DeleteFunc(c.workers, func(other *worker) bool { return other == w })
	c.wrong = append(c.wrong, w.wrong...)
	c.scrapes += w.scrapes
}

// kill ends a worker with SIGKILL.
func (c *crew) kill(w *worker) {
	w.signal(syscall.SIGKILL)
	<-w.ended
	c.remove(w)
}

// stop ends a worker with SIGTERM: in time and with exit code 0, whatever is away.
func (c *crew) stop(w *worker) {
	w.awaitBegun()
	began := time.Now()
	w.signal(syscall.SIGTERM)
	select {
	case <-w.ended:
		if code := w.cmd.ProcessState.ExitCode(); code != 0 {
			c.run.t.Errorf("%s: exit code %d after SIGTERM", w.name, code)
		}
	case <-time.After(shutdown + grace):
		c.run.t.Errorf("%s does not end %s after SIGTERM; goroutines are in %s", w.name, time.Since(began).Round(time.Second), w.log)
		_ = w.cmd.Process.Signal(syscall.SIGQUIT)
		<-w.ended
	}
	c.remove(w)
}

// stopAll stops every worker, all at once.
func (c *crew) stopAll() {
	var work sync.WaitGroup
	for _, w := range c.now() {
		work.Go(func() { c.stop(w) })
	}
	work.Wait()
}

func (c *crew) wrongBooks() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong
}

func (c *crew) cleanUp() {
	for _, w := range c.now() {
		w.halt()
		_ = w.cmd.Process.Kill()
		<-w.ended
	}
}

// signal tells a worker to stop, go on or end. It must not have ended by itself.
func (w *worker) signal(s syscall.Signal) {
	select {
	case <-w.ended:
		w.run.t.Errorf("%s ended by itself: %s", w.name, w.cmd.ProcessState)
		return
	default:
	}
	if err := w.cmd.Process.Signal(s); err != nil {
		w.run.t.Errorf("%s: %v", w.name, err)
	}
}

// awaitBegun waits until the worker has logged something. Before a process has come
// to its main function, SIGTERM ends it as it ends any.
func (w *worker) awaitBegun() {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if info, err := os.Stat(w.log); err == nil && info.Size() > 0 {
			return
		}
	}
}

// watch looks at the worker's books until done, and once more then.
func (w *worker) watch(done <-chan struct{}) {
	defer close(w.watched)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-w.ended:
			return
		case <-tick.C:
			w.scrape()
		}
	}
}

// scrape looks once. A worker that does not answer, since it is starting, frozen or
// dead, is no error.
func (w *worker) scrape() {
	status, body := w.get("/metrics")
	if status != http.StatusOK {
		return
	}
	w.scrapes++
	m, err := e2e.ParseMetrics(string(body))
	wrong := m.Unbalanced()
	if err != nil {
		wrong = err.Error()
	}
	if wrong != "" {
		w.wrong = append(w.wrong, fmt.Sprintf("%s, scrape %d: %s", w.name, w.scrapes, wrong))
	}
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
	if body, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil
	}
	return resp.StatusCode, bytes.TrimSpace(body)
}
