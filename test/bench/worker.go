package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// workerRun is one run of the worker through all the events of a workload.
//
// Its time begins when the worker has taken its first records from Kafka, so that
// joining the group does not count, and ends when the last event has ended: its
// write is acknowledged. The commit follows within a second, without holding
// anything up, and is checked afterwards.
type workerRun struct {
	Seconds  float64           `json:"seconds"`
	Rate     float64           `json:"events_per_second"`
	CPU      float64           `json:"cpu_us_per_event"` // user and system, of the process, in that time
	Server   float64           `json:"opensearch_cpu_us_per_event"`
	Peak     float64           `json:"peak_rss_bytes"` // the highest of all scrapes
	Outcomes map[string]uint64 `json:"outcomes"`
	Writes   int               `json:"writes"` // documents that bulk requests held; fewer than events where they were joined
}

const (
	// A scrape costs the worker about 1 ms of CPU, so they are close together only
	// where the begin and the end of the time are to be seen.
	scrapeOften = 20 * time.Millisecond
	scrapeElse  = 200 * time.Millisecond
)

// runWorker makes a side's indices and lets a worker fill them.
func (b *bench) runWorker(ctx context.Context, topics filled, s side) (workerRun, error) {
	if err := b.setup(ctx, topics.prefix, s); err != nil {
		return workerRun{}, err
	}
	cpu := meter{cluster: b.cluster}
	if err := cpu.start(ctx); err != nil {
		return workerRun{}, err
	}
	w, err := b.start(ctx, topics.prefix, s)
	if err != nil {
		return workerRun{}, err
	}
	run, err := w.watch(ctx, topics.events)
	read := cpu.stop(ctx)
	run.Server = float64(cpu.used.Microseconds()) / float64(topics.events)
	if err := errors.Join(err, read, w.stop()); err != nil {
		return run, fmt.Errorf("%w\n%s", err, w.log.tail())
	}
	if run.Writes, err = b.countWrites(ctx, s); err != nil {
		return run, err
	}
	return run, b.checkCommitted(ctx, s, topics.events)
}

// process is a running worker.
type process struct {
	cmd     *exec.Cmd
	address string
	log     *logTail
	ended   chan error
}

// start starts a worker and waits until it tells its HTTP address. Only stop ends
// it, not ctx: a second SIGTERM would cut its drain short, and leave it in its group.
func (b *bench) start(ctx context.Context, topics string, s side) (*process, error) {
	w := &process{cmd: b.command(context.WithoutCancel(ctx), topics, s, "run"), log: &logTail{}, ended: make(chan error, 1)}
	out, in := io.Pipe()
	w.cmd.Stderr = in
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	addresses := make(chan string, 1)
	go w.log.follow(out, addresses)
	go func() {
		w.ended <- w.cmd.Wait()
		_ = in.Close()
	}()
	select {
	case w.address = <-addresses:
		return w, nil
	case err := <-w.ended:
		return nil, fmt.Errorf("the worker ended by itself: %w\n%s", err, w.log.tail())
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), w.stop())
	}
}

// watch scrapes the worker until all events have ended.
func (w *process) watch(ctx context.Context, events int) (workerRun, error) {
	var first, last sample
	peak := 0.0
	for last.ended() < uint64(events) {
		wait := scrapeOften
		if n := last.ended(); n > 0 && n < uint64(events)*9/10 {
			wait = scrapeElse
		}
		select {
		case <-ctx.Done():
			return workerRun{}, fmt.Errorf("%w: %d of %d events have ended", ctx.Err(), last.ended(), events)
		case err := <-w.ended:
			w.ended <- err
			return workerRun{}, errors.New("the worker ended by itself")
		case <-time.After(wait):
		}
		var err error
		if last, err = w.scrape(ctx); err != nil {
			return workerRun{}, err
		}
		peak = max(peak, last.resident)
		if first.consumed == 0 {
			first = last
		}
	}
	for _, unwanted := range []string{"dead", "duplicate", "abandoned"} {
		if n := last.outcomes[unwanted]; n > 0 {
			return workerRun{}, fmt.Errorf("%d events ended as %s: that is another work than the one to measure", n, unwanted)
		}
	}
	seconds := last.at.Sub(first.at).Seconds()
	return workerRun{
		Seconds: seconds, Rate: float64(events) / seconds, Peak: peak, Outcomes: last.outcomes,
		CPU: (last.cpu - first.cpu) * 1e6 / float64(events),
	}, nil
}

// stop ends the worker as an operator does.
func (w *process) stop() error {
	_ = w.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case err := <-w.ended:
		if err != nil {
			return fmt.Errorf("end the worker: %w", err)
		}
		return nil
	case <-time.After(endWait):
		_ = w.cmd.Process.Kill()
		return fmt.Errorf("end the worker: it did not end by itself: %w", <-w.ended)
	}
}

// sample is one scrape.
type sample struct {
	at       time.Time
	consumed uint64
	outcomes map[string]uint64
	cpu      float64 // seconds since the process began
	resident float64 // bytes
}

func (s sample) ended() (n uint64) {
	for _, count := range s.outcomes {
		n += count
	}
	return n
}

func (w *process) scrape(ctx context.Context) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+"/metrics", http.NoBody)
	if err != nil {
		return sample{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept-Encoding", "identity") // or the worker would pack each answer
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return sample{}, fmt.Errorf("scrape the worker: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return sample{}, fmt.Errorf("read metrics: %w", err)
	}
	s := sample{at: time.Now(), outcomes: map[string]uint64{}}
	for _, m := range families["indexer_events_consumed_total"].GetMetric() {
		s.consumed += uint64(m.GetCounter().GetValue())
	}
	for _, m := range families["indexer_events_total"].GetMetric() {
		s.outcomes[label(m, "outcome")] += uint64(m.GetCounter().GetValue())
	}
	for _, m := range families["process_cpu_seconds_total"].GetMetric() {
		s.cpu = m.GetCounter().GetValue()
	}
	for _, m := range families["process_resident_memory_bytes"].GetMetric() {
		s.resident = m.GetGauge().GetValue()
	}
	return s, nil
}

func label(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// checkCommitted compares the group's offsets with the events: topics begin at 0
// and have no holes, as nothing but `produce` writes there.
func (b *bench) checkCommitted(ctx context.Context, s side, events int) error {
	committed, err := b.broker.Committed(ctx, s.group)
	if err != nil {
		return err
	}
	var sum int64
	for _, offset := range committed {
		sum += max(offset, 0)
	}
	if sum != int64(events) {
		return fmt.Errorf("the worker has committed %d of %d events", sum, events)
	}
	return nil
}

// logTail keeps the last lines of a worker's log, for errors.
type logTail struct {
	mu    sync.Mutex
	lines []string
}

// follow reads the log to its end, and hands over the HTTP address once.
func (l *logTail) follow(out io.Reader, addresses chan<- string) {
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line struct {
			HTTP string `json:"http"`
		}
		if err := json.Unmarshal(bytes.Clone(scanner.Bytes()), &line); err == nil && line.HTTP != "" {
			addresses <- line.HTTP
		}
		const most = 10
		l.mu.Lock()
		l.lines = append(l.lines, scanner.Text())
		l.lines = l.lines[max(0, len(l.lines)-most):]
		l.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, out) // after a line too long, so that the worker can go on
}

func (l *logTail) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
