package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/test/e2e"
	"github.com/search-indexer/search-indexer/test/process"
)

// The latency chapter publishes fresh events at even rates while a worker runs, and
// takes for each the time until OpenSearch has acknowledged its document (tap.go),
// and for a sample the time until a search finds it (publisher.go). Then it steps
// the rate up and down and looks at the lag (steps.go).

// latency is the chapter.
type latency struct {
	Ceiling float64 `json:"ceiling_docs_per_second"`
	Trials  []trial `json:"trials"`
	Steps   []step  `json:"steps"`
}

// trial is one rate with one refresh interval. Times are in milliseconds.
type trial struct {
	Refresh      string      `json:"refresh_interval"`
	Rate         int         `json:"events_per_second"`
	Acknowledged percentiles `json:"acknowledged_ms"`
	Found        percentiles `json:"searchable_ms"`
	Searched     int         `json:"searched"` // events that were searched for
	Cores        float64     `json:"worker_cores"`
	Server       float64     `json:"opensearch_cores"`
	Machine      float64     `json:"all_cores"` // of all processes
}

type percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

func percentilesOf(values []float64) percentiles {
	slices.Sort(values)
	at := func(p int) float64 {
		if len(values) == 0 {
			return 0
		}
		return values[(len(values)-1)*p/100]
	}
	return percentiles{at(50), at(95), at(99)}
}

func milliseconds(of []time.Duration) []float64 {
	values := make([]float64, len(of))
	for i, d := range of {
		values[i] = d.Seconds() * 1e3
	}
	return values
}

func (b *bench) runLatency(ctx context.Context) (found latency, err error) {
	if err := b.findCeiling(ctx); err != nil {
		return found, err
	}
	found.Ceiling = b.ceiling
	rates, err := ratesOf(b.options.rates, b.ceiling)
	if err != nil {
		return found, err
	}
	if found.Trials, err = b.tryRates(ctx, "", rates); err != nil {
		return found, err
	}
	if found.Steps, err = b.runSteps(ctx); err != nil {
		return found, fmt.Errorf("load steps: %w", err)
	}
	return found, nil
}

// findCeiling finds what a plain _bulk reaches, where no chapter has before.
func (b *bench) findCeiling(ctx context.Context) error {
	if b.ceiling > 0 {
		return nil
	}
	published, err := b.publish(ctx, workload{name: "ceiling", events: fresh}, b.options.count)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	c, err := b.warmUp(ctx, published)
	if err != nil {
		return fmt.Errorf("find the ceiling: %w", err)
	}
	return b.remove(ctx, c.first)
}

// ratesOf reads rates such as 100,1000,half: a quarter and half are of the ceiling.
func ratesOf(list string, ceiling float64) (rates []int, err error) {
	parts := map[string]float64{"quarter": 0.25, "half": 0.5}
	for word := range strings.SplitSeq(list, ",") {
		rate := int(ceiling * parts[word])
		if parts[word] == 0 {
			if rate, err = strconv.Atoi(word); err != nil || rate < 1 {
				return nil, fmt.Errorf("-rates: %q is no rate; use events per second, quarter or half", word)
			}
		}
		rates = append(rates, rate)
	}
	return rates, nil
}

// live is a worker behind a tap, with a publisher to its topics.
type live struct {
	*publisher
	side   side
	tap    *tap
	worker *process.Process
}

// goLive starts one with a refresh interval; empty for the program's own.
func (b *bench) goLive(ctx context.Context, interval string) (*live, error) {
	l := &live{side: b.newSide("l")}
	if interval != "" {
		l.side.env = append(l.side.env, "OPENSEARCH_REFRESH_INTERVAL="+interval)
	}
	topics := filled{prefix: l.side.prefix[:len(l.side.prefix)-1] + "."}
	err := b.setup(ctx, topics.prefix, l.side)
	if err != nil {
		return nil, err
	}
	if l.tap, err = newTap(b.cluster.URL); err != nil {
		return nil, err
	}
	if l.publisher, err = b.newPublisher(topics.prefix); err != nil {
		l.tap.Close()
		return nil, err
	}
	behind := l.side
	behind.env = append(slices.Clone(behind.env), "OPENSEARCH_URLS="+l.tap.URL)
	if l.worker, err = b.start(ctx, topics, behind); err != nil {
		l.tap.Close()
		l.close()
		return nil, err
	}
	return l, nil
}

// end stops everything and removes the indices.
func (b *bench) end(ctx context.Context, l *live, err error) error {
	l.close()
	err = l.worker.Stop(err)
	l.tap.Close()
	return errors.Join(err, b.remove(ctx, l.side))
}

// tryRates measures all rates with one refresh interval, one after the other. A
// first one is not counted: it warms up.
func (b *bench) tryRates(ctx context.Context, interval string, rates []int) (trials []trial, err error) {
	l, err := b.goLive(ctx, interval)
	if err != nil {
		return nil, err
	}
	defer func() { err = b.end(ctx, l, err) }()
	if interval, err = b.refreshOf(ctx, l.side); err != nil {
		return nil, err
	}
	if _, err = b.try(ctx, l, 1000, 3*time.Second); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	for _, rate := range rates {
		one, err := b.try(ctx, l, rate, b.options.step)
		if err != nil {
			return trials, fmt.Errorf("%d events/s: %w", rate, err)
		}
		one.Refresh = interval
		trials = append(trials, one)
		b.say("latency, refresh %s, %d events/s: acknowledged p50 %.0f p95 %.0f ms, searchable p50 %.0f p95 %.0f ms", one.Refresh, rate,
			one.Acknowledged.P50, one.Acknowledged.P95, one.Found.P50, one.Found.P95)
	}
	return trials, b.checkLive(ctx, l)
}

// checkLive waits until all events have ended, and counts the documents.
func (b *bench) checkLive(ctx context.Context, l *live) error {
	for {
		now, err := read(ctx, []*process.Process{l.worker})
		if err != nil {
			return err
		}
		if now.ended() >= uint64(l.sent) {
			return b.checkCount(ctx, e2e.Aliases(l.side.prefix)["post"], l.sent)
		}
		if err := l.worker.Wait(ctx, scrapeElse); err != nil {
			return fmt.Errorf("%w: %d of %d events have ended", err, now.ended(), l.sent)
		}
	}
}

// refreshOf reads the refresh interval that a side's indices have.
func (b *bench) refreshOf(ctx context.Context, s side) (string, error) {
	var indices map[string]struct {
		Settings map[string]any `json:"settings"`
	}
	alias := e2e.Aliases(s.prefix)["post"]
	if err := b.cluster.Do(ctx, http.MethodGet, "/"+alias+"/_settings?flat_settings=true", "", &indices); err != nil {
		return "", err
	}
	for _, index := range indices {
		return fmt.Sprint(index.Settings["index.refresh_interval"]), nil
	}
	return "", fmt.Errorf("alias %s stands for no index", alias)
}

// try measures one rate and waits until all that it has published is found.
func (b *bench) try(ctx context.Context, l *live, rate int, long time.Duration) (trial, error) {
	events := newTimeline()
	l.tap.follow(events)
	server := meter{cluster: b.cluster}
	from, err := read(ctx, []*process.Process{l.worker})
	if err := errors.Join(err, server.start(ctx)); err != nil {
		return trial{}, err
	}
	searching, done := context.WithCancel(ctx)
	defer done()
	var group errgroup.Group
	group.Go(func() error { return b.search(searching, e2e.Aliases(l.side.prefix)["post"], events) })
	group.Go(func() error {
		defer done()
		if err := l.publish(ctx, rate, long, events); err != nil {
			return err
		}
		return awaitAll(ctx, l.worker, events)
	})
	if err := group.Wait(); err != nil {
		return trial{}, err
	}
	to, err := read(ctx, []*process.Process{l.worker})
	err = errors.Join(err, server.stop(ctx))
	seconds := to.at.Sub(from.at).Seconds()
	return trial{
		Rate: rate, Acknowledged: percentilesOf(milliseconds(events.acknowledged)), Found: percentilesOf(milliseconds(events.found)),
		Searched: len(events.found), Cores: (to.cpu - from.cpu) / seconds,
		Server: server.used.Seconds() / seconds, Machine: (to.machine - from.machine) / seconds,
	}, err
}

// awaitAll waits until every event is acknowledged and every sampled one found.
func awaitAll(ctx context.Context, worker *process.Process, events *timeline) error {
	const patience = time.Minute
	for began := time.Now(); ; {
		unacknowledged, unfound := events.left()
		if unacknowledged <= 0 && unfound == 0 {
			return nil
		}
		if time.Since(began) > patience {
			return fmt.Errorf("%s later, %d events are not acknowledged, and %d of the sample not found", patience, unacknowledged, unfound)
		}
		if err := worker.Wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}
