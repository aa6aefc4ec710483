package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/progress"
	"github.com/search-indexer/search-indexer/internal/purge"
	"github.com/search-indexer/search-indexer/internal/rebuild"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
	"github.com/search-indexer/search-indexer/internal/web"
)

// rebuilder is one running `indexer rebuild`.
type rebuilder struct {
	settings settings
	log      zerolog.Logger
	shown    *progress.Progress
	display  *rebuild.Metrics // passes on to shown
	client   *index.Client
	reader   *stream.Reader
	admin    *stream.Admin
	producer *stream.Producer
	decoder  *handlers.Mux
}

// newRebuilder makes all parts. None of them needs its server to answer yet.
func newRebuilder(s settings, log zerolog.Logger, shown *progress.Progress) (*rebuilder, error) {
	r := &rebuilder{settings: s, log: log, shown: shown, display: rebuild.NewMetrics(shown), decoder: handlers.NewMux(s.Kafka.TopicPrefix)}
	var err error
	if r.client, err = index.NewClient(s.Index); err != nil {
		return nil, err
	}
	if r.reader, err = stream.NewReader(s.Kafka, log); err != nil {
		return nil, err
	}
	if r.admin, err = stream.NewAdmin(s.Kafka, log); err != nil {
		return nil, err
	}
	r.producer, err = stream.NewProducer(s.Kafka, log)
	return r, err
}

// serve shows metrics while the rebuild runs.
func (r *rebuilder) serve(ctx context.Context, addr string) (*web.Server, error) {
	cfg := web.Config{Addr: addr}
	if err := cfg.Validate(); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "HTTP_ADDR", "--http"))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.display, buildInfo(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	server, err := web.Listen(ctx, cfg, web.Views{
		Alive: func() error { return nil }, Metrics: registry,
		Ready:  func(context.Context) web.Readiness { return web.Readiness{} },
		Status: func(context.Context) any { return map[string]string{"command": "rebuild"} },
	})
	if err != nil {
		return nil, err
	}
	go func() {
		if err := server.Serve(); err != nil {
			r.log.Error().Err(err).Msg("metrics are not served any more")
		}
	}()
	return server, nil
}

// close frees the clients, side by side as each takes up to 100 ms.
func (r *rebuilder) close() {
	var closing sync.WaitGroup
	closing.Go(func() { _ = r.producer.Close() }) // letters were waited for
	closing.Go(r.admin.Close)
	closing.Go(r.reader.Close)
	closing.Wait()
}

func (r *rebuilder) plan(ctx context.Context, flags rebuildFlags) (rebuild.Plan, error) {
	b, err := r.rebuild(flags, nil, nil)
	if err != nil {
		return rebuild.Plan{}, err
	}
	return b.Plan(ctx)
}

// run does what flags say under the lock that all share who change indices wholesale.
func (r *rebuilder) run(ctx context.Context, flags rebuildFlags) (report rebuild.Report, err error) {
	err = locked(ctx, r.client, lockRequest(r.settings.Index, rebuildCommand, r.shown), r.log, func(ctx context.Context, lock *index.Lock) error {
		letters := r.letters()
		b, err := r.rebuild(flags, lock, letters)
		if err != nil {
			return err
		}
		defer func() { report = b.Report() }()
		if !flags.abort { // which only removes indices, and so needs no Kafka
			if err := letters.Refresh(ctx); err != nil {
				return fmt.Errorf("look which events are dead letters: %w", err)
			}
		}
		switch {
		case flags.finish:
			return b.Finish(ctx)
		case flags.abort:
			return b.Abort(ctx)
		case flags.rollback:
			return b.Rollback(ctx)
		default:
			return b.Run(ctx)
		}
	})
	return report, err
}

func (r *rebuilder) rebuild(flags rebuildFlags, lock rebuild.Lock, letters rebuild.Letters) (*rebuild.Rebuild, error) {
	entities, err := entitiesNamed(flags.entity)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this run: %w", err)
	}
	topics, group := r.settings.Kafka.FullTopics(), r.settings.Kafka.GroupID
	return rebuild.New(rebuild.Parts{
		Client: r.client, Lock: lock, Log: r.reader, Decoder: r.decoder, Letters: letters,
		Committed: func(ctx context.Context) ([]record.Position, error) { return r.admin.Committed(ctx, group, topics) },
		Display:   r.display, Logger: r.log, Fold: r.settings.Fold, Batch: r.settings.Batch,
		Step: func(ctx context.Context, _ rebuild.Phase) error { return linger(ctx, flags.linger) },
	}, rebuild.Options{
		Entities: entities, Topics: topics,
		Seed: flags.seed, AcceptTruncated: flags.truncated, AcceptFewer: flags.fewer, AcceptRejected: flags.rejected,
		Keep: flags.keep, Rate: flags.rate,
		Tombstones: r.expiry,
		Owner:      fmt.Sprintf("%s/%d/%d", host, os.Getpid(), time.Now().UnixNano()),
	}), nil
}

// linger waits for a random time of up to most.
func linger(ctx context.Context, most time.Duration) error {
	if most <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(most)): //nolint:gosec // nobody gains by guessing it
		return nil
	}
}

// rebuildLetters is what a rebuild has to do with dead letters.
type rebuildLetters struct {
	reader *dlq.Reader
	known  map[string]bool
	sender *dlq.Sender
}

// letters knows of none before its first Refresh.
func (r *rebuilder) letters() *rebuildLetters {
	topic := r.settings.Kafka.DLQTopic
	return &rebuildLetters{reader: dlq.NewReader(r.reader, r.decoder, topic), sender: dlq.NewSender(r.producer, topic)}
}

// Refresh implements [rebuild.Letters].
func (l *rebuildLetters) Refresh(ctx context.Context) error {
	listing, err := l.reader.List(ctx)
	if err != nil {
		return err
	}
	l.known = map[string]bool{}
	for _, e := range listing.Letters {
		if e.Open() {
			l.known[e.Name.String()] = true
		}
	}
	return nil
}

// Known implements [rebuild.Letters].
func (l *rebuildLetters) Known(r *record.Record) bool { return l.known[dlq.NameOf(r).String()] }

// Send implements [rebuild.Letters].
func (l *rebuildLetters) Send(letter pipeline.Letter, done func(error)) {
	l.sender.Send(context.Background(), letterOf(letter), done)
}

// letterOf is what the pipeline has to say as a dead letter of now.
func letterOf(l pipeline.Letter) dlq.Letter {
	return dlq.Letter{
		Record: l.Record, Reason: l.Reason, Error: l.Error,
		EventID: l.Event.ID, CorrelationID: l.Event.CorrelationID, FailedAt: time.Now(),
	}
}

// expiry is until when a deleted document needs no tombstone, as for a purge.
func (r *rebuilder) expiry(ctx context.Context) (time.Time, error) {
	unread, err := purge.FirstUnread(ctx, r.admin, r.reader, r.settings.Kafka)
	return purge.Before(time.Now(), r.settings.Index.TombstoneRetention, unread), err
}
