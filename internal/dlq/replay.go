package dlq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Topics makes topics, as [stream.Admin] does.
type Topics interface {
	CreateCompacted(ctx context.Context, name, like string) error
}

// Publisher sends records and waits for them, as [stream.Producer] does.
type Publisher interface {
	Producer
	Flush(ctx context.Context) error
}

// ReplayParts are what a Replay is made of.
type ReplayParts struct {
	Reader   *Reader
	Topics   Topics
	Producer Publisher // of acknowledgements
	Decoder  pipeline.Decoder
	Catalog  pipeline.Catalog
	Writer   pipeline.Writer
	Observe  func(pipeline.Ending) // told how each letter ended; must not block
	Log      zerolog.Logger
}

// Replay indexes letters again. It drives the same pipeline that indexes records in
// the first place, so that letters are decoded, joined, written and retried as
// records are. Each has its original topic, offset and timestamp, and with them the
// place in the order that it always had.
type Replay struct {
	parts ReplayParts
	cfg   pipeline.Config
}

// NewReplay returns a Replay with the batches of cfg. Its guard does not count: what
// it keeps from becoming dead letters are dead letters here.
func NewReplay(cfg pipeline.Config, parts ReplayParts) *Replay {
	cfg.Guard = 0
	return &Replay{parts: parts, cfg: cfg}
}

// Report says what became of the letters of a replay. Its sums are those of Letters:
// what is in none of them was left, for an interruption or because it is gone.
type Report struct {
	Letters  int            `json:"letters"` // that were chosen
	Indexed  int            `json:"indexed"`
	Deleted  int            `json:"deleted"`
	Stale    int            `json:"stale"`  // the index knew as much or more
	Failed   int            `json:"failed"` // again; they stay letters
	Reasons  map[string]int `json:"failed_by_reason"`
	Left     int            `json:"left"`           // not tried, or not to an end
	Unmarked int            `json:"unacknowledged"` // in the index, but not acknowledged: they stay open
}

// Run indexes the letters and acknowledges each that the index has taken or knew
// already. Those that fail again stay open, and are not written to the dead-letter
// topic once more. OpenSearch is waited for, as by a worker. When ctx ends, what is
// under way is ended within Config.Shutdown and the rest is left; that is no error.
//
// A letter is acknowledged after its write, so that a crash may leave one that is
// indexed and open: replayed again, it changes nothing.
func (p *Replay) Run(ctx context.Context, letters []*Entry) (Report, error) {
	r := &replaying{
		parts: p.parts, entries: make(map[Name]*Entry, len(letters)),
		ledger: ledger{producer: p.parts.Producer, topic: DoneTopic(p.parts.Reader.topic)},
		report: Report{Letters: len(letters), Left: len(letters), Reasons: map[string]int{}},
	}
	if len(letters) == 0 {
		return r.report, nil
	}
	partitions := map[record.Partition]struct{}{}
	for _, e := range letters {
		r.entries[e.Name] = e
		partitions[e.Partition] = struct{}{}
	}
	if err := p.parts.Topics.CreateCompacted(ctx, r.ledger.topic, p.parts.Reader.topic); err != nil {
		return r.report, fmt.Errorf("make the topic of acknowledgements: %w", err)
	}
	err := pipeline.Process(ctx, p.cfg, pipeline.Parts{
		Decoder: p.parts.Decoder, Catalog: p.parts.Catalog, Writer: p.parts.Writer,
		Deliver: func(_ pipeline.Letter, done func(error)) { done(nil) }, // what fails again is a letter already
		Observe: r.ended, Log: p.parts.Log,
	}, slices.Collect(maps.Keys(partitions)), func(ctx context.Context, add func(*record.Record) error) error {
		return p.parts.Reader.Each(ctx, letters, func(_ *Entry, l Letter) error { return add(l.Record) })
	})
	return r.close(ctx, err)
}

// replaying is one Run under way.
type replaying struct {
	parts   ReplayParts
	ledger  ledger
	entries map[Name]*Entry
	report  Report // the worker's loop counts; read when it has ended
}

// ended takes the books of one letter; the worker's loop calls it.
func (r *replaying) ended(e pipeline.Ending) {
	r.parts.Observe(e)
	switch e.Result {
	case pipeline.Abandoned:
		return
	case pipeline.Dead:
		r.report.Failed++
		r.report.Reasons[e.Reason]++
		r.report.Left--
		return
	case pipeline.Indexed:
		r.report.Indexed++
	case pipeline.Deleted:
		r.report.Deleted++
	default:
		r.report.Stale++
	}
	r.report.Left--
	// Not ctx: an interruption must not keep what is written from being acknowledged.
	r.ledger.acknowledge(context.Background(), r.entries[NameOf(e.Record)], e.Result)
}

// close waits for the acknowledgements; the producer gives up on each after 30 s.
func (r *replaying) close(ctx context.Context, err error) (Report, error) {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // the interruption, which the report tells of
	}
	flushed := r.parts.Producer.Flush(context.Background())
	failed, first := r.ledger.failures()
	r.report.Unmarked = failed
	if first != nil {
		first = fmt.Errorf("acknowledge letters in %s: %w", r.ledger.topic, first)
	}
	return r.report, errors.Join(err, flushed, first)
}

// Preview says what Run would do with the letters, as far as decoding can tell:
// how many would be sent to the index, which may still refuse them, and how many
// would fail again, by reason. It writes nothing.
func (r *Reader) Preview(ctx context.Context, letters []*Entry) (good int, failing map[string]int, err error) {
	failing = map[string]int{}
	err = r.Each(ctx, letters, func(_ *Entry, l Letter) error {
		if _, _, rejection := r.decoder.Decode(l.Record); rejection != nil {
			failing[string(rejection.Reason)]++
		} else {
			good++
		}
		return nil
	})
	return good, failing, err
}
