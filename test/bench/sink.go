package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// sink stands before the real OpenSearch and answers _bulk by itself: each action
// has done what it asked for. All else is passed on, so that a worker finds its
// indices, aliases, templates and script. What is left of a worker's time is then
// its own, and that of Kafka and Redis.
//
// It reads a body without keeping it and looks at the first bytes of each action
// only. Answers name the concrete index and hold what filter_path asks for.
type sink struct {
	cluster e2e.Cluster
	pass    http.Handler
	buffers sync.Pool

	mu      sync.RWMutex
	indices map[string]string // by alias

	requests, actions, size atomic.Int64
}

// sinkCounts is what a sink has taken.
type sinkCounts struct {
	Requests int64 `json:"requests"`
	Actions  int64 `json:"actions"`
	Bytes    int64 `json:"bytes"`
	CPU      int64 `json:"cpu_us"` // of its process
}

// sinkCountsPath answers with sinkCounts.
const sinkCountsPath = "/_bench/sink"

func newSink(upstream string) (*sink, error) {
	address, err := url.Parse(upstream)
	if err != nil {
		return nil, fmt.Errorf("read the address of OpenSearch: %w", err)
	}
	return &sink{
		indices: map[string]string{},
		cluster: e2e.Cluster{URL: upstream},
		pass:    httputil.NewSingleHostReverseProxy(address),
		buffers: sync.Pool{New: func() any { return newLines(nil) }},
	}, nil
}

// ServeHTTP implements [http.Handler].
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	alias, isBulk := strings.CutSuffix(r.URL.Path, "/_bulk")
	var answer []byte
	var err error
	switch {
	case isBulk:
		answer, err = s.bulk(r, strings.TrimPrefix(alias, "/"))
	case r.URL.Path == sinkCountsPath:
		answer, err = json.Marshal(sinkCounts{s.requests.Load(), s.actions.Load(), s.size.Load(), ownCPU().Microseconds()})
	default:
		s.pass.ServeHTTP(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // who has gone needs no answer
}

// bulk takes a request in and returns its answer. alias is that of the path.
func (s *sink) bulk(r *http.Request, alias string) ([]byte, error) {
	body, err := unpacked(r.Header, r.Body)
	if err != nil {
		return nil, err
	}
	lines := s.buffers.Get().(*bufio.Reader)
	defer s.buffers.Put(lines)
	lines.Reset(body)
	shown := asked(r.URL.Query().Get("filter_path"))
	var items []byte
	actions := 0
	size, err := readActions(lines, func(operation string, line []byte) error {
		actions++
		if shown == 0 {
			return nil
		}
		index, err := s.target(r.Context(), line, alias)
		items = appendItem(items, operation, index, shown)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.requests.Add(1)
	s.actions.Add(int64(actions))
	s.size.Add(int64(size))
	if shown == 0 {
		return []byte(`{"took":1,"errors":false}`), nil
	}
	return fmt.Appendf(nil, `{"took":1,"errors":false,"items":[%s]}`, bytes.TrimSuffix(items, []byte(","))), nil
}

// target returns the index that an action is for.
func (s *sink) target(ctx context.Context, line []byte, alias string) (string, error) {
	if named := member(line, `"_index":"`); named != nil {
		return s.index(ctx, named)
	}
	return s.index(ctx, []byte(alias))
}

// index returns the index behind an alias as it was when first asked for.
func (s *sink) index(ctx context.Context, alias []byte) (string, error) {
	s.mu.RLock()
	known := s.indices[string(alias)]
	s.mu.RUnlock()
	if known != "" {
		return known, nil
	}
	var behind map[string]any
	if err := s.cluster.Do(ctx, http.MethodGet, "/_alias/"+string(alias), "", &behind); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for index := range behind {
		s.indices[string(alias)] = index
		return index, nil
	}
	return "", fmt.Errorf("nothing is behind alias %q", alias)
}

// Members of an item that an answer may show.
const (
	showIndex = 1 << iota
	showStatus
	showResult
	showAll = showIndex | showStatus | showResult
)

// asked returns what of an item a filter_path lets through.
func asked(filter string) (shown int) {
	if filter == "" || strings.Contains(filter, "**") {
		return showAll
	}
	for path := range strings.SplitSeq(filter, ",") {
		switch path {
		case "items", "items.*", "items.*.*":
			shown = showAll
		case "items.*._index":
			shown |= showIndex
		case "items.*.status":
			shown |= showStatus
		case "items.*.result":
			shown |= showResult
		}
	}
	return shown
}

// appendItem appends an item with a comma behind it.
func appendItem(dst []byte, operation, index string, shown int) []byte {
	status, result := "200", "updated"
	switch operation {
	case "create", "index":
		status, result = "201", "created"
	case "delete":
		result = "deleted"
	}
	dst = append(append(append(dst, `{"`...), operation...), `":{`...)
	if shown&showIndex != 0 {
		dst = append(append(append(dst, `"_index":"`...), index...), `",`...)
	}
	if shown&showResult != 0 {
		dst = append(append(append(dst, `"result":"`...), result...), `",`...)
	}
	if shown&showStatus != 0 {
		dst = append(append(append(dst, `"status":`...), status...), ',')
	}
	return append(bytes.TrimSuffix(dst, []byte(",")), `}},`...)
}
