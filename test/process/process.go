// Package process runs `indexer run` itself for programs that measure it: its
// address, its metrics, its memory, the end of its log. It is not for tests of the
// worker's packages, which start them directly.
package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// EndWait is how long a process may take to end by itself once it is told to.
const EndWait = 40 * time.Second

// Process is a running worker. Its methods are for one goroutine.
type Process struct {
	cmd     *exec.Cmd
	address string
	ended   chan error

	mu    sync.Mutex
	lines []string // the last ones of the log
}

// Start starts a worker that logs JSON at level info, and waits until it tells its
// HTTP address. Only Stop ends it, so the command's own context should not: a second
// SIGTERM would cut its drain short, and leave it in its group.
func Start(ctx context.Context, cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, ended: make(chan error, 1)}
	out, in := io.Pipe()
	cmd.Stderr = in
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	addresses := make(chan string, 1)
	go p.follow(out, addresses)
	go func() {
		p.ended <- cmd.Wait()
		_ = in.Close()
	}()
	select {
	case p.address = <-addresses:
		return p, nil
	case err := <-p.ended:
		p.ended <- err
		return nil, p.explain(p.own(err))
	case <-ctx.Done():
		return nil, p.Stop(ctx.Err())
	}
}

// own returns err as the end of a worker that nobody has told to end.
func (p *Process) own(err error) error {
	return fmt.Errorf("the worker ended by itself: %w", errors.Join(err, errors.New("its log is below")))
}

// Wait lets d pass. It returns an error early where ctx or the worker ends.
func (p *Process) Wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-p.ended:
		p.ended <- err
		return p.own(err)
	case <-time.After(d):
		return nil
	}
}

// Scrape reads the worker's metrics.
func (p *Process) Scrape(ctx context.Context) (e2e.Metrics, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/metrics", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept-Encoding", "identity") // or the worker would pack each answer
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

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Peak is the most memory that was resident, in bytes, as Linux counts it; 0 once
// the worker has ended.
func (p *Process) Peak() uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
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

// Stop ends the worker as an operator does. It returns err with that of the end and
// with the end of the log, nil where neither is an error.
func (p *Process) Stop(err error) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case code := <-p.ended:
		p.ended <- code
		if code != nil {
			err = errors.Join(err, fmt.Errorf("end the worker: %w", code))
		}
	case <-time.After(EndWait):
		_ = p.cmd.Process.Kill()
		err = errors.Join(err, fmt.Errorf("end the worker: it did not end by itself: %w", <-p.ended))
	}
	return p.explain(err)
}

// explain adds the end of the log to an error.
func (p *Process) explain(err error) error {
	if err == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("%w\n%s", err, strings.Join(p.lines, "\n"))
}

// follow reads the log to its end, and hands over the HTTP address once.
func (p *Process) follow(out io.Reader, addresses chan<- string) {
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line struct {
			HTTP string `json:"http"`
		}
		if err := json.Unmarshal(scanner.Bytes(), &line); err == nil && line.HTTP != "" {
			select {
			case addresses <- line.HTTP:
			default: // it is known
			}
		}
		const most = 10
		p.mu.Lock()
		p.lines = append(p.lines, scanner.Text())
		p.lines = p.lines[max(0, len(p.lines)-most):]
		p.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, out) // after a line too long, so that the worker can go on
}
