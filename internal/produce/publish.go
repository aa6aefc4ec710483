package produce

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/time/rate"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Sender publishes records; package stream has one.
type Sender interface {
	// Send hands over rec and waits while the client's queue is full. done is
	// called once, from any goroutine, unless Send returns an error, which names
	// the topic.
	Send(ctx context.Context, rec *record.Record, done func(partition int32, offset int64, err error)) error
	// Flush waits until all that was sent is done.
	Flush(ctx context.Context) error
}

// Config is how a Publisher goes about it.
type Config struct {
	KeepGoing bool          // past wrong lines and records that the broker refuses
	Rate      float64       // events a second at most; 0 is no limit
	OnSkip    func(error)   // told of each line that KeepGoing went past, one call at a time
	OnEnd     func()        // told of each record or line that has ended, from any goroutine; may be nil
	Drain     time.Duration // to wait for acknowledgements once all is sent
}

// Publisher sends records and keeps the tally of them.
type Publisher struct {
	cfg    Config
	sender Sender
	tally  *tally
	room   chan struct{} // a place for each record under way
}

// underWay is the records sent and not yet acknowledged at most: enough to keep
// a broker busy, few enough that latency is not all wait in the client's queue.
const underWay = 10_000

// NewPublisher returns a Publisher to sender.
func NewPublisher(cfg Config, sender Sender) *Publisher {
	if cfg.OnEnd == nil {
		cfg.OnEnd = func() {}
	}
	return &Publisher{cfg: cfg, sender: sender, tally: newTally(), room: make(chan struct{}, underWay)}
}

// Run publishes all records and returns when each is acknowledged or has failed;
// the report is right also where there is an error. It stops at the first wrong
// line and soon after the first record that fails, unless told to keep going,
// and when ctx ends; what was sent by then is still waited for.
func (p *Publisher) Run(ctx context.Context, records iter.Seq2[*record.Record, error]) (Report, error) {
	err := p.sendAll(ctx, records)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Drain)
	defer cancel()
	if flushErr := p.sender.Flush(drain); flushErr != nil {
		err = errors.Join(err, fmt.Errorf("wait for acknowledgements: %w", flushErr))
	}
	report := p.tally.snapshot()
	if failure := p.tally.firstFailure(); failure != nil && ctx.Err() == nil {
		err = errors.Join(err, fmt.Errorf("publish: %w", failure))
	}
	return report, err
}

func (p *Publisher) sendAll(ctx context.Context, records iter.Seq2[*record.Record, error]) error {
	limit := rate.NewLimiter(rate.Inf, 1)
	if p.cfg.Rate > 0 {
		// A timer may be late; 100 ms worth of events may catch up, or the rate
		// would fall short.
		limit = rate.NewLimiter(rate.Limit(p.cfg.Rate), max(1, int(p.cfg.Rate/10)))
	}
	for rec, err := range records {
		var line *LineError
		switch {
		case errors.As(err, &line) && p.cfg.KeepGoing:
			p.tally.skipped()
			p.cfg.OnEnd()
			p.cfg.OnSkip(err)
			continue
		case err != nil:
			return err
		case !p.cfg.KeepGoing && p.tally.firstFailure() != nil:
			return nil // Run reports it
		}
		if err := limit.Wait(ctx); err != nil {
			return err
		}
		select {
		case p.room <- struct{}{}:
			p.send(ctx, rec)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (p *Publisher) send(ctx context.Context, rec *record.Record) {
	sent := time.Now()
	p.tally.sent()
	err := p.sender.Send(ctx, rec, func(_ int32, _ int64, err error) {
		defer p.cfg.OnEnd()
		<-p.room
		if err != nil {
			p.tally.failed(fmt.Errorf("%s: %w", rec.Topic, err))
			return
		}
		p.tally.acknowledged(rec, sent, time.Now())
	})
	if err != nil { // done is not called then
		defer p.cfg.OnEnd()
		<-p.room
		p.tally.failed(err)
	}
}
