package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// meter sums up the CPU that OpenSearch uses between start and stop, for everybody
// who uses it: it says something on a cluster of one's own only. On a busy machine
// it says more than a rate does. A nil meter reads nothing.
type meter struct {
	cluster e2e.Cluster
	used    time.Duration
	from    time.Duration
}

func (m *meter) start(ctx context.Context) (err error) {
	if m != nil {
		m.from, err = m.read(ctx)
	}
	return err
}

func (m *meter) stop(ctx context.Context) error {
	if m == nil {
		return nil
	}
	to, err := m.read(ctx)
	m.used += to - m.from
	return err
}

// read returns the CPU of all nodes since they began. A node reads it once a
// second only (3.8.0), so that of a moment ago is waited out.
func (m *meter) read(ctx context.Context) (time.Duration, error) {
	old, _, err := m.ask(ctx)
	for err == nil {
		var used time.Duration
		var at int64
		if at, used, err = m.ask(ctx); at != old {
			return used, err
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return 0, fmt.Errorf("read OpenSearch's CPU: %w", err)
}

// ask returns what the nodes tell, and the time of their readings.
func (m *meter) ask(ctx context.Context) (at int64, used time.Duration, err error) {
	var answer struct {
		Nodes map[string]struct {
			Process struct {
				Timestamp int64 `json:"timestamp"`
				CPU       struct {
					Millis int64 `json:"total_in_millis"`
				} `json:"cpu"`
			} `json:"process"`
		} `json:"nodes"`
	}
	err = m.cluster.Do(ctx, http.MethodGet, "/_nodes/stats/process", "", &answer)
	for _, node := range answer.Nodes {
		at = max(at, node.Process.Timestamp)
		used += time.Duration(node.Process.CPU.Millis) * time.Millisecond
	}
	return at, used, err
}
