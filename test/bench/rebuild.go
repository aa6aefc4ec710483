package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
	"github.com/search-indexer/search-indexer/test/e2e"
)

// The rebuild chapter measures `indexer rebuild` beside the least that it has to do,
// and beside the other way to the same end. All of it in one run, on the same log:
//
//	d: a worker with a new group writes all events into new, empty indices
//	a: the log is only read, by the reader that the rebuild has
//	c: indexer rebuild, which replaces the indices of d
//	b: a plain _bulk of the documents of c into new, empty indices (ceiling.go), with
//	   refresh off and no replicas, as a rebuild loads
//
// c leaves the index of d aside, so that all their documents are compared.

// part is one measurement. What could not be told is 0.
type part struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"program_cpu_seconds"` // user and system
	Server  float64 `json:"opensearch_cpu_seconds"`
	Peak    float64 `json:"peak_rss_bytes"`
}

// rebuildRound is one measurement of a, b and c.
type rebuildRound struct {
	Read    part               `json:"read"`
	Bulk    part               `json:"plain_bulk"`
	Rebuild part               `json:"rebuild"`
	Phases  map[string]float64 `json:"rebuild_phases_seconds"`
	Fold    float64            `json:"fold_bytes"`
}

// rebuildResult is the whole run.
type rebuildResult struct {
	Shape      bulkShape      `json:"plain_bulk"`
	Events     int            `json:"events"`
	EventBytes int64          `json:"event_bytes"` // of all
	Documents  int            `json:"documents"`
	Live       part           `json:"live"`
	Rounds     []rebuildRound `json:"rounds"`
}

// runRebuild measures everything, the live path once and the rest in rounds.
func (b *bench) runRebuild(ctx context.Context) (rebuildResult, error) {
	var r rebuildResult
	b.ceilingEnv = []string{"OPENSEARCH_REFRESH_INTERVAL=1h"}
	versions := b.options.count / b.options.entities
	published, err := b.publish(ctx, workload{name: "rebuild", events: updates(versions)}, b.options.count)
	if err != nil {
		return r, fmt.Errorf("publish: %w", err)
	}
	topics := published.measured
	b.say("%d events of %d documents are in the log", topics.events, topics.events/versions)
	live := b.newSide("r")
	run, err := b.runWorker(ctx, topics, live)
	if err != nil {
		return r, fmt.Errorf("run the worker: %w", err)
	}
	events := float64(topics.events)
	r.Events = topics.events
	r.Live = part{Seconds: run.Seconds, CPU: run.CPU * events / 1e6, Server: run.Server * events / 1e6, Peak: run.Peak}
	b.say("live path: %.1f s", r.Live.Seconds)
	until := time.Now().Add(b.options.budget)
	for n := range b.options.rounds {
		began := time.Now()
		one, err := b.rebuildRound(ctx, &r, topics, live)
		if err != nil {
			return r, err
		}
		r.Rounds = append(r.Rounds, one)
		b.say("%d/%d: read %.1f s, plain _bulk %.1f s, rebuild %.1f s", n+1, b.options.rounds, one.Read.Seconds, one.Bulk.Seconds, one.Rebuild.Seconds)
		if time.Now().Add(time.Since(began)).After(until) {
			break
		}
	}
	r.Shape = b.shape
	return r, nil
}

func (b *bench) rebuildRound(ctx context.Context, r *rebuildResult, topics filled, live side) (one rebuildRound, err error) {
	if one.Read, r.EventBytes, err = b.readLog(ctx, topics); err != nil {
		return one, fmt.Errorf("read the log: %w", err)
	}
	var replaced []string
	if one.Rebuild, replaced, err = b.rebuild(ctx, topics, live, &one); err != nil {
		return one, err
	}
	docs, err := b.documents(ctx, live)
	if err != nil {
		return one, err
	}
	if err := b.sameDocuments(ctx, docs, replaced); err != nil {
		return one, err
	}
	r.Documents = len(docs)
	if b.shape == (bulkShape{}) {
		if err := b.tune(ctx, docs); err != nil {
			return one, fmt.Errorf("tune the plain bulk: %w", err)
		}
	}
	cpu := meter{cluster: b.cluster}
	took, err := b.pass(ctx, docs, b.shape, &cpu)
	if err != nil {
		return one, fmt.Errorf("run the plain bulk: %w", err)
	}
	one.Bulk = part{Seconds: took.Seconds(), Server: cpu.used.Seconds()}
	return one, nil
}

// readLog reads all records and does nothing with them.
func (b *bench) readLog(ctx context.Context, topics filled) (part, int64, error) {
	cfg := stream.Config{
		Brokers: strings.Split(b.broker.Addresses, ","), GroupID: b.name + "-reader",
		Topics: e2e.Topics, TopicPrefix: topics.prefix, SecurityProtocol: "PLAINTEXT",
	}
	reader, err := stream.NewReader(cfg, zerolog.Nop())
	if err != nil {
		return part{}, 0, err
	}
	defer reader.Close()
	began, cpu := time.Now(), ownCPU()
	ranges, err := reader.Ranges(ctx, cfg.FullTopics())
	if err != nil {
		return part{}, 0, err
	}
	n, bytes := 0, int64(0)
	err = reader.Read(ctx, ranges, func(r record.Record) error {
		n, bytes = n+1, bytes+int64(len(r.Value))
		return nil
	})
	if err == nil && n != topics.events {
		err = fmt.Errorf("%d records are there, of %d published", n, topics.events)
	}
	return part{Seconds: time.Since(began).Seconds(), CPU: (ownCPU() - cpu).Seconds()}, bytes, err
}

// rebuild runs `indexer rebuild` and returns the indices that it has replaced.
func (b *bench) rebuild(ctx context.Context, topics filled, live side, one *rebuildRound) (part, []string, error) {
	cmd := b.command(ctx, topics.prefix, live, "rebuild", "--json")
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	server := meter{cluster: b.cluster}
	if err := server.start(ctx); err != nil {
		return part{}, nil, err
	}
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err := errors.Join(err, server.stop(ctx)); err != nil {
		return part{}, nil, fmt.Errorf("indexer rebuild: %w: %s", err, log.String())
	}
	var report struct {
		Seconds map[string]float64 `json:"seconds"`
		Fold    float64            `json:"fold_bytes"`
		Indices []struct {
			From string `json:"from"`
		} `json:"indices"`
	}
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		return part{}, nil, fmt.Errorf("read the report of rebuild: %w", err)
	}
	one.Phases, one.Fold = report.Seconds, report.Fold
	var replaced []string
	for _, index := range report.Indices {
		if index.From == "" {
			return part{}, nil, errors.New("the rebuild has not replaced the worker's indices")
		}
		replaced = append(replaced, index.From)
	}
	used := part{Seconds: took.Seconds(), CPU: cpuOf(cmd.ProcessState).Seconds(), Server: server.used.Seconds()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		used.Peak = float64(usage.Maxrss << 10) // Linux counts in KiB
	}
	return used, replaced, nil
}

// sameDocuments compares the documents of the new indices with those replaced.
func (b *bench) sameDocuments(ctx context.Context, docs []doc, replaced []string) error {
	before := map[string]doc{}
	for _, index := range replaced {
		old, err := b.scroll(ctx, "", index)
		if err != nil {
			return fmt.Errorf("read the documents of %s: %w", index, err)
		}
		for _, d := range old {
			before[d.id] = d
		}
	}
	if len(before) == 0 || len(before) != len(docs) {
		return fmt.Errorf("the rebuild has made %d documents, the worker %d", len(docs), len(before))
	}
	for _, d := range docs {
		same, err := e2e.SameJSON(d.source, before[d.id].source)
		if err != nil {
			return fmt.Errorf("compare document %q: %w", d.id, err)
		}
		if !same {
			return fmt.Errorf("document %q is not what the worker made of it", d.id)
		}
	}
	return nil
}

func cpuOf(p *os.ProcessState) time.Duration { return p.UserTime() + p.SystemTime() }

// ownCPU is what this process has used.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // documented to fail for wrong arguments only
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
