package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// patience is how long anything may take that must come. It is no measure of
// speed: a loaded machine is slow, and a demo that fails must end too.
const patience = 30 * time.Second

// outcomes counts events by how they ended: indexed, deleted, stale, duplicate,
// dead, abandoned.
type outcomes map[string]int

// String returns such as "18 indexed, 1 deleted".
func (o outcomes) String() string {
	var parts []string
	for _, name := range []string{"indexed", "deleted", "stale", "duplicate", "dead", "abandoned"} {
		if o[name] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", o[name], name))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func (o outcomes) total() (total int) {
	for _, n := range o {
		total += n
	}
	return total
}

// minus returns what has been added to before.
func (o outcomes) minus(before outcomes) outcomes {
	added := outcomes{}
	for name, n := range o {
		if n > before[name] {
			added[name] = n - before[name]
		}
	}
	return added
}

// worker is a running `indexer run`.
type worker struct {
	*process
	url string // of its HTTP server
}

// workerStatus is what a worker's /status says, as far as the demo needs it.
type workerStatus struct {
	Problems []string       `json:"problems"`
	InFlight int            `json:"in_flight_events"`
	Consumed map[string]int `json:"consumed"`
	Outcomes outcomes       `json:"outcomes"`
}

// startWorker starts `indexer run` and waits until it tells its address.
func (s *stage) startWorker(ctx context.Context) (*worker, error) {
	p, err := s.start("run")
	if err != nil {
		return nil, err
	}
	w := &worker{process: p}
	err = p.await(ctx, "the worker to tell its HTTP address", func() bool {
		w.url = addressIn(p.log)
		return w.url != ""
	})
	return w, err
}

// addressIn finds the HTTP address that a worker's log begins with.
func addressIn(path string) string {
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

// status asks the worker how it is.
func (w *worker) status(ctx context.Context) (status workerStatus, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/status", http.NoBody)
	if err != nil {
		return status, fmt.Errorf("ask the worker: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return status, fmt.Errorf("ask the worker: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
		return status, fmt.Errorf("read the worker's status: %w", err)
	}
	return status, nil
}

// settle waits until that many events in all have ended, and returns how.
func (w *worker) settle(ctx context.Context, events int) (outcomes, error) {
	var last workerStatus
	var failure error
	err := w.await(ctx, fmt.Sprintf("%d events to be settled", events), func() bool {
		var now workerStatus
		if now, failure = w.status(ctx); failure == nil {
			last = now
		}
		return failure == nil && last.InFlight == 0 && last.Outcomes.total() >= events
	})
	if err != nil {
		for _, problem := range last.Problems {
			err = fmt.Errorf("%w\n%s", err, problem)
		}
		return nil, fmt.Errorf("%w\nsettled: %s", err, last.Outcomes)
	}
	return last.Outcomes, nil
}

// await polls until a condition holds. It gives up when the process ends.
func (p *process) await(ctx context.Context, what string, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-p.ended:
			return p.over()
		case <-tick.C:
		}
	}
	return nil
}
