package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
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
	indices sync.Map // alias to index
	buffers sync.Pool

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
	const line = 256 << 10
	return &sink{
		cluster: e2e.Cluster{URL: upstream},
		pass:    httputil.NewSingleHostReverseProxy(address),
		buffers: sync.Pool{New: func() any { return bufio.NewReaderSize(nil, line) }},
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
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fmt.Errorf("unpack the request: %w", err)
		}
		body = unpacked
	}
	lines := s.buffers.Get().(*bufio.Reader)
	defer s.buffers.Put(lines)
	lines.Reset(body)
	shown := asked(r.URL.Query().Get("filter_path"))
	answer := []byte(`{"took":1,"errors":false`)
	if shown != 0 {
		answer = append(answer, `,"items":[`...)
	}
	actions := 0
	for ; ; actions++ {
		head, n, err := readLine(lines)
		s.size.Add(int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		operation, index, bad := s.action(r.Context(), head, alias)
		if err := errors.Join(err, bad); err != nil {
			return nil, fmt.Errorf("read action %d: %w", actions+1, err)
		}
		if shown != 0 {
			if actions > 0 {
				answer = append(answer, ',')
			}
			answer = appendItem(answer, operation, index, shown)
		}
		if operation == "delete" {
			continue
		}
		_, n, err = readLine(lines)
		s.size.Add(int64(n))
		if err != nil {
			return nil, fmt.Errorf("read the document of action %d: %w", actions+1, err)
		}
	}
	s.requests.Add(1)
	s.actions.Add(int64(actions))
	if shown != 0 {
		answer = append(answer, ']')
	}
	return append(answer, '}'), nil
}

// readLine reads one line and returns its beginning, which is good until the next
// call, and how many bytes it had.
func readLine(from *bufio.Reader) (head []byte, size int, err error) {
	head, err = from.ReadSlice('\n')
	size = len(head)
	for errors.Is(err, bufio.ErrBufferFull) { // a long document: nobody looks at it
		var more []byte
		more, err = from.ReadSlice('\n')
		size += len(more)
		head = nil
	}
	return head, size, err
}

// action reads {"OPERATION":{"_index":"ALIAS", … as far as needed.
func (s *sink) action(ctx context.Context, line []byte, alias string) (operation, index string, err error) {
	_, rest, _ := bytes.Cut(line, []byte(`"`))
	name, rest, ok := bytes.Cut(rest, []byte(`"`))
	if !ok {
		return "", "", fmt.Errorf("no action: %.100q", line)
	}
	for _, known := range []string{"update", "create", "index", "delete"} {
		if string(name) == known { // without a copy of name
			operation = known
		}
	}
	if operation == "" {
		return "", "", fmt.Errorf("no operation of _bulk: %.100q", line)
	}
	named := []byte(alias)
	if _, rest, ok := bytes.Cut(rest, []byte(`"_index":"`)); ok {
		named, _, _ = bytes.Cut(rest, []byte(`"`))
	}
	index, err = s.index(ctx, string(named))
	return operation, index, err
}

// index returns the index behind an alias as it was when first asked for.
func (s *sink) index(ctx context.Context, alias string) (string, error) {
	if known, ok := s.indices.Load(alias); ok {
		return known.(string), nil
	}
	var behind map[string]any
	if err := s.cluster.Do(ctx, http.MethodGet, "/_alias/"+alias, "", &behind); err != nil {
		return "", err
	}
	for index := range behind {
		s.indices.Store(alias, index)
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
	return append(bytes.TrimSuffix(dst, []byte(",")), `}}`...)
}
