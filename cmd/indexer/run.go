package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
	"github.com/search-indexer/search-indexer/internal/tracing"
	"github.com/search-indexer/search-indexer/internal/web"
)

func (p *program) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Index events until SIGTERM or SIGINT",
		Long: `run joins the consumer group and keeps the index up to date. Start as many as
there are partitions to share. It waits for whatever is missing (Kafka,
OpenSearch, an alias) and loses nothing meanwhile. At SIGTERM it stops reading,
writes what is under way, commits and leaves the group, within SHUTDOWN_TIMEOUT
and with exit code 0, whoever does not answer; a second signal ends it at once.
Nothing is lost either way.`,
		Example: `  indexer run
  KAFKA_BROKERS=kafka:9092 OPENSEARCH_URLS=https://search:9200 indexer run
  LOG_LEVEL=debug LOG_FORMAT=console indexer run     # a line for each event`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(new(settings).all()...),
		RunE: func(c *cobra.Command, _ []string) error {
			var s settings
			if err := p.load(c.Context(), s.all()...); err != nil {
				return err
			}
			defer p.limitMemory(s)()
			said := &errorLog{}
			version, _ := buildVersion()
			tracer, err := tracing.Start(c.Context(), p.env.Lookup, version)
			if err != nil {
				return misused(err, "correct the OTEL_* variables; docs/operations.md tells which turn traces on")
			}
			w, err := newWorker(s, s.Log.logger(p.stderr, said), said, tracer)
			if err != nil {
				return err
			}
			return w.run(c.Context())
		},
	}
}

// limitMemory has Go collect its garbage when its memory comes near what may be in use
// at most, and not before: neither doubles a full backlog what it takes, nor is garbage
// collected hundreds of times a second while little is in use. An operator's GOGC or
// GOMEMLIMIT stands. It returns what undoes it.
func (p *program) limitMemory(s settings) (undo func()) {
	_, percent := p.env.Lookup("GOGC")
	_, limit := p.env.Lookup("GOMEMLIMIT")
	if percent || limit {
		return func() {}
	}
	// Chunks on their way, answers, metrics and the runtime take 8 MiB; the rest is for
	// garbage, of which a full backlog makes 200 MB a second. With 8 MiB alone it was
	// collected 40 times a second, which took two thirds of the worker's CPU.
	const rest = 36 << 20
	wasPercent, wasLimit := debug.SetGCPercent(-1), debug.SetMemoryLimit(int64(s.Batch.Memory())+rest)
	return func() {
		debug.SetGCPercent(wasPercent)
		debug.SetMemoryLimit(wasLimit)
	}
}

// worker is one running `indexer run`.
type worker struct {
	settings settings
	log      zerolog.Logger
	consumer *stream.Consumer
	client   *index.Client
	catalog  *index.Catalog
	memory   *dedup.Memory
	producer *stream.Producer
	letters  *dlq.Sender
	pipeline *pipeline.Worker
	registry *prometheus.Registry
	tracer   *tracing.Tracer              // nil where nobody asks for traces
	health   func(context.Context) health // looks at most once a second
	drift    atomic.Pointer[[]string]     // how indices differ from their templates, as last looked up
	// silence is how long the poll loop may stand still until the process is dead: a
	// drain may hold it for as long as a shutdown.
	silence time.Duration

	// For /status.
	started time.Time
	errors  *errorLog
	dead    latest[letterPlace]
	history *history
	upkeep  *upkeep
}

// newWorker makes all parts. None of them needs its server to answer yet.
func newWorker(s settings, log zerolog.Logger, said *errorLog, tracer *tracing.Tracer) (*worker, error) {
	w := &worker{
		settings: s, log: log, tracer: tracer, registry: prometheus.NewRegistry(), started: time.Now().UTC(), errors: said, history: newHistory(),
		upkeep:  &upkeep{patience: max(2*s.Index.LockTTL, time.Minute)},
		silence: s.Batch.Shutdown + time.Minute,
	}
	w.health = web.Cached(time.Second, w.look)
	var err error
	if w.client, err = index.NewClient(s.Index); err != nil {
		return nil, err
	}
	if w.memory, err = dedup.New(s.Dedup, log); err != nil {
		return nil, err
	}
	if w.producer, err = stream.NewProducer(s.Kafka, log); err != nil {
		return nil, err
	}
	w.letters = dlq.NewSender(w.producer, s.Kafka.DLQTopic)
	if w.consumer, err = stream.NewConsumer(s.Kafka, log); err != nil {
		return nil, err
	}
	w.catalog = index.NewCatalog(w.client)
	metrics := pipeline.NewMetrics(s.Kafka.FullTopics(), w.consumer.Watermarks, w.memory.Up)
	bulk := index.NewWriter(w.client)
	bulk.Observe = func(bytes int, took time.Duration) {
		metrics.ObserveBulk(bytes, took)
		w.history.bulk(took)
	}
	writer, trace := pipeline.Writer(bulk), func(pipeline.Ending) {}
	if tracer != nil {
		writer, trace = tracer.Writer(bulk), tracer.Observe
	}
	reread := pipeline.Log(stream.NewFetcher(s.Kafka, log))
	if tracer != nil || log.GetLevel() <= zerolog.DebugLevel {
		reread = nil // each record is named when it ends, so it is kept until then
	}
	w.pipeline = pipeline.NewWorker(s.Batch, pipeline.Parts{
		Group:   w.consumer,
		Decoder: handlers.NewMux(s.Kafka.TopicPrefix),
		Memory:  w.memory,
		Catalog: w.catalog,
		Writer:  writer,
		Reread:  reread,
		Deliver: w.deliver,
		Observe: func(e pipeline.Ending) {
			metrics.Observe(e)
			logEnding(log, e)
			trace(e)
			if e.Result == pipeline.Dead {
				w.dead.add(letterPlaceOf(e))
			}
		},
		Log: log,
	})
	metrics.Follow(w.pipeline)
	w.registry.MustRegister(metrics, w.upkeep, buildInfo(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return w, nil
}

// run works until ctx ends or something fails for good. It returns within
// SHUTDOWN_TIMEOUT after ctx has ended.
func (w *worker) run(ctx context.Context) error {
	server, err := web.Listen(context.WithoutCancel(ctx), w.settings.Web, web.Views{
		Alive: w.alive, Ready: w.ready, Status: web.Cached(time.Second, w.status), Page: true, Metrics: w.registry, Pause: w.pause,
	})
	if err != nil {
		return err
	}
	profiles, err := web.ListenPprof(context.WithoutCancel(ctx), w.settings.Web)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	w.log.Info().Str("http", server.Addr()).Strs("topics", w.settings.Kafka.FullTopics()).
		Str("group", w.settings.Kafka.GroupID).Msg("starting")
	ended := make(chan error, 1)
	go func() { ended <- w.work(ctx, append(profiles, server)) }()
	select {
	case err = <-ended:
	case <-w.timeIsUp(ctx):
		w.log.Warn().Msg("connections are still open: ending all the same, nothing is lost")
	}
	w.log.Info().Msg("stopped")
	return err
}

// timeIsUp ends when SHUTDOWN_TIMEOUT has nearly passed since ctx ended: the process
// needs a moment to go.
func (w *worker) timeIsUp(ctx context.Context) <-chan struct{} {
	limit, up := w.settings.Batch.Shutdown, make(chan struct{})
	context.AfterFunc(ctx, func() {
		time.AfterFunc(limit-limit/40, func() { close(up) })
	})
	return up
}

// work runs all parts until ctx ends, and closes them.
func (w *worker) work(ctx context.Context, servers []*web.Server) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, server := range servers {
		group.Go(server.Serve)
	}
	w.readAliases(ctx)
	polling, stopPolling := context.WithCancel(context.WithoutCancel(ctx)) // until the pipeline has drained
	group.Go(func() error { return w.consumer.Run(polling) })
	group.Go(func() error {
		defer func() {
			for _, server := range servers {
				_ = server.Close()
			}
		}()
		defer stopPolling()
		return w.pipeline.Run(ctx)
	})
	group.Go(func() error { w.watch(ctx); return nil })
	group.Go(func() error { w.history.follow(ctx, w.pipeline.Snapshot); return nil })
	err := group.Wait()
	if w.tracer != nil {
		w.closeTraces(ctx)
	}
	return errors.Join(err, w.producer.Close(), w.memory.Close())
}

// closeTraces gives the collector a moment for the last spans.
func (w *worker) closeTraces(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := w.tracer.Close(ctx); err != nil {
		w.log.Warn().Err(err).Msg("traces")
	}
}

// readAliases lets the first events be looked up among those written before, where
// OpenSearch answers soon: one that hangs must not keep the worker from its group.
func (w *worker) readAliases(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if _, err := w.catalog.Refresh(ctx); err != nil {
		w.log.Debug().Err(err).Msg("read aliases; looked up again with the first write")
	}
}

// pause heeds /admin/pause and /admin/resume.
func (w *worker) pause(ctx context.Context, topic string, partition int32, on bool) (web.Paused, error) {
	if topics := w.settings.Kafka.FullTopics(); !slices.Contains(topics, topic) {
		return web.Paused{}, fmt.Errorf("%w: topic %q is none of %s", web.ErrNoSuchPartition, topic, strings.Join(topics, ", "))
	}
	p := record.Partition{Topic: topic, ID: partition}
	w.log.Warn().Str("topic", topic).Int32("partition", partition).Bool("pause", on).Msg("an operator pauses or resumes a partition")
	owned := slices.ContainsFunc(w.pipeline.Snapshot().Partitions, func(s pipeline.PartitionSnapshot) bool { return s.Partition == p })
	return web.Paused{Topic: topic, Partition: partition, Paused: on, Owned: owned}, w.pipeline.Hold(ctx, p, on)
}

// deliver hands a letter to the dead-letter topic.
func (w *worker) deliver(l pipeline.Letter, done func(error)) {
	w.letters.Send(context.Background(), letterOf(l), done)
}

// logEnding writes a line for an event: at debug, or at info where it has become
// a letter. It never holds contents of the event.
func logEnding(log zerolog.Logger, e pipeline.Ending) {
	line := log.Debug()
	if e.Result == pipeline.Dead {
		line = log.Info().Str("reason", e.Reason)
	}
	line.Str("correlation_id", e.Event.CorrelationID).Str("event_id", e.Event.ID).
		Str("event_type", e.Event.Type).Str("topic", e.Record.Topic).
		Int32("partition", e.Record.ID).Int64("offset", e.Record.Offset).
		Str("status", string(e.Result)).Msg("event")
}

func buildInfo() prometheus.Collector {
	number, hash := buildVersion()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "indexer_build_info", Help: "Always 1; the labels tell what is running.",
		ConstLabels: prometheus.Labels{"version": number, "commit": hash, "librdkafka": stream.LibraryVersion()},
	})
	info.Set(1)
	return info
}
