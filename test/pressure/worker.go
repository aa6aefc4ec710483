package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// worker is one `indexer run` that is scraped until it is stopped.
type worker struct {
	cmd     *exec.Cmd
	address string
	ended   chan error
	log     bytes.Buffer // read once the worker has ended
	found   *result
}

func (s *stand) start(ctx context.Context, opensearch string, found *result) (*worker, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	w := &worker{address: listener.Addr().String(), ended: make(chan error, 1), found: found}
	if err := listener.Close(); err != nil {
		return nil, fmt.Errorf("free the port: %w", err)
	}
	w.cmd = s.command(context.WithoutCancel(ctx), opensearch, "run")
	w.cmd.Env = append(w.cmd.Env, "HTTP_ADDR="+w.address)
	w.cmd.Stderr = &w.log
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	go func() { w.ended <- w.cmd.Wait() }()
	return w, nil
}

// until scrapes the worker until done says so. Each scrape must balance.
func (w *worker) until(ctx context.Context, done func(e2e.Metrics) bool) error {
	const limit = 30 * time.Minute
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.ended:
			w.ended <- err
			return fmt.Errorf("the worker ended by itself: %w", errors.Join(err, errors.New("its log is below")))
		case <-tick.C:
		}
		m, err := w.scrape(ctx)
		if err != nil {
			continue // it is starting
		}
		if wrong := m.Unbalanced(); wrong != "" {
			return fmt.Errorf("the books: %s", wrong)
		}
		w.found.scrapes++
		w.found.paused = max(w.found.paused, m.Sum("indexer_partitions_paused"))
		w.found.rebalances = m.Sum("indexer_rebalances_total")
		if done(m) {
			return nil
		}
	}
	return fmt.Errorf("not done after %s", limit)
}

func ended(m e2e.Metrics) float64 { return m.Sum("indexer_events_total") }

// all is done once that many events have ended.
func all(n int) func(e2e.Metrics) bool {
	return func(m e2e.Metrics) bool { return ended(m) >= float64(n) }
}

func (w *worker) scrape(ctx context.Context) (e2e.Metrics, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+"/metrics", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("scrape the worker: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("scrape the worker: %w", err)
	}
	return e2e.ParseMetrics(string(text))
}

// stop notes the peak of the memory, ends the worker as an operator does, and tells
// what its log complains of where err is not nil.
func (w *worker) stop(err error) error {
	w.found.peak = w.highWater()
	_ = w.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	const wait = 40 * time.Second
	select {
	case code := <-w.ended:
		err = errors.Join(err, code)
	case <-time.After(wait):
		_ = w.cmd.Process.Kill()
		err = errors.Join(err, fmt.Errorf("the worker did not end by itself: %w", <-w.ended))
	}
	if err != nil {
		lines := slices.Collect(strings.Lines(w.log.String()))
		err = fmt.Errorf("%w\n%s", err, strings.Join(lines[max(0, len(lines)-5):], ""))
	}
	return err
}

// highWater is the most memory that was resident, in bytes, as Linux counts it.
func (w *worker) highWater() uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kib uint64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}
