package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/produce"
	"github.com/search-indexer/search-indexer/internal/progress"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// produceFlags is what the command line of produce says.
type produceFlags struct {
	count     int
	seed      uint64
	seeded    bool
	topic     string
	rate      float64
	keepGoing bool
	asJSON    bool
}

func (p *program) produceCommand() *cobra.Command {
	var flags produceFlags
	command := &cobra.Command{
		Use:   "produce [FILE ...]",
		Short: "Publish events from NDJSON, or invented ones",
		Long: `Publishes events with acks=all and idempotence, keyed by entity id, and prints
the rate and the publish latency (from send to the brokers' acknowledgement;
without --rate it is mostly the wait in the client's own queue).

Each line of a FILE, or of the standard input, is one of
  an event         {"event_type":"post.created","data":{"post_id":"1"}}
                   published as it is written, to the topic of its event_type
  a record         {"topic":"post.created","key":"1","headers":{"a":"b"},
                   "value":{}}, in one line, with "value_text" or "value_base64"
                   in place of "value" for what is no JSON; "value":null has
                   none; without "key" the entity id

KAFKA_TOPIC_PREFIX goes in front of every topic. A wrong line, or a record that
is refused, ends publishing with exit code 1, after telling how many were
published.`,
		Example: `  indexer produce testdata/events/*.ndjson
  indexer produce --count 100000 --seed 7
  indexer produce --count 10000 --rate 500 --json
  echo '{"post_id":"1","version":2}' | indexer produce --topic post.updated`,
		Annotations: settingsHelp(&stream.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, files []string) error {
			flags.seeded = c.Flags().Changed("seed")
			return p.produce(c.Context(), flags, files)
		},
	}
	f := command.Flags()
	f.IntVar(&flags.count, "count", 0, "invent this many events instead of reading them")
	f.Uint64Var(&flags.seed, "seed", 0, "with --count: the same seed invents the same bytes, dated from 2026-01-01 (default: another each time, dated now)")
	f.StringVar(&flags.topic, "topic", "", "topic of the events, whatever their event_type (less KAFKA_TOPIC_PREFIX)")
	f.Float64Var(&flags.rate, "rate", 0, "publish at most this many events a second (default: as fast as it goes)")
	f.BoolVar(&flags.keepGoing, "keep-going", false, "go on after wrong lines and refused records, naming each wrong line")
	f.BoolVar(&flags.asJSON, "json", false, "print the report as one JSON object")
	return command
}

// validate refuses flags that do not go together.
func (f produceFlags) validate(files []string) error {
	var wrong []error
	if f.count < 0 {
		wrong = append(wrong, errors.New("--count must not be negative"))
	}
	if f.rate < 0 {
		wrong = append(wrong, errors.New("--rate must not be negative"))
	}
	if f.count > 0 && (len(files) > 0 || f.topic != "") {
		wrong = append(wrong, errors.New("--count invents events: leave out files and --topic"))
	}
	if f.count == 0 && f.seeded {
		wrong = append(wrong, errors.New("--seed needs --count"))
	}
	return errors.Join(wrong...)
}

func (p *program) produce(ctx context.Context, flags produceFlags, files []string) error {
	if err := flags.validate(files); err != nil {
		return misused(err, `see "indexer produce --help"`)
	}
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Log); err != nil {
		return err
	}
	input, err := p.openInput(ctx, flags, files, s.Kafka.TopicPrefix)
	if err != nil {
		return err
	}
	defer input.close()
	shown, done := p.newProgress(s.Log)
	defer done()
	publisher, closeAll, err := p.newPublisher(flags, s, shown)
	if err != nil {
		return err
	}
	defer closeAll()
	shown.Phase("publishing", int64(input.total), "events")
	report, err := publisher.Run(ctx, input.records)
	shown.Done() // the report follows
	if printErr := p.printReport(report, flags.asJSON); printErr != nil {
		err = errors.Join(err, printErr)
	}
	if err == nil {
		return nil
	}
	return p.explainProduce(ctx, report, err)
}

func (p *program) newPublisher(flags produceFlags, s settings, shown *progress.Progress) (*produce.Publisher, func(), error) {
	const drain = 40 * time.Second // the client gives a record up after 30 s
	log := s.Log.logger(p.stderr)
	producer, err := stream.NewProducer(s.Kafka, log)
	if err != nil {
		return nil, nil, err
	}
	admin, err := stream.NewAdmin(s.Kafka, log)
	if err != nil {
		_ = producer.Close()
		return nil, nil, err
	}
	cfg := produce.Config{
		KeepGoing: flags.keepGoing, Rate: flags.rate, Drain: drain,
		OnSkip: func(err error) { p.warn("skipped " + err.Error()) },
		OnEnd:  func() { shown.Add(1) },
	}
	closeAll := func() {
		admin.Close()
		_ = producer.Close() // the report has told what was not delivered
	}
	return produce.NewPublisher(cfg, &topicChecker{Producer: producer, admin: admin, known: map[string]error{}}), closeAll, nil
}

// explainProduce says what became of the events and what to do.
func (p *program) explainProduce(ctx context.Context, report produce.Report, err error) error {
	published := fmt.Sprintf("published before that: %d events", report.Published)
	var line *produce.LineError
	var missing *missingTopicError
	var input *produce.InputError
	switch {
	case ctx.Err() != nil:
		return failed(fmt.Errorf("interrupted: %d events were published", report.Published), "")
	case errors.As(err, &line):
		return failed(err, published+"; correct the line, or go past such lines with --keep-going")
	case errors.As(err, &input):
		return failed(err, published+"; nothing after that line was read: mend the input")
	case errors.As(err, &missing):
		return failed(err, published+`; run "indexer setup", or check KAFKA_TOPIC_PREFIX, --topic and event_type`)
	default:
		return failed(err, published+"; where no broker answers, check that KAFKA_BROKERS names running ones")
	}
}

func (p *program) printReport(report produce.Report, asJSON bool) error {
	if !asJSON {
		return report.WriteText(p.stdout)
	}
	raw, err := json.Marshal(report, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", raw)
	return err
}

// topicChecker sends only to topics that exist: a broker may be set up to create
// others at once, with a retention that loses events.
type topicChecker struct {
	*stream.Producer
	admin *stream.Admin
	known map[string]error // by topic
}

type missingTopicError struct{ topic string }

func (e *missingTopicError) Error() string {
	return fmt.Sprintf("the topic %q does not exist", e.topic)
}

// Send is called by one goroutine.
func (c *topicChecker) Send(ctx context.Context, rec *record.Record, done func(partition int32, offset int64, err error)) error {
	verdict, ok := c.known[rec.Topic]
	if !ok {
		verdict = c.look(ctx, rec.Topic)
		c.known[rec.Topic] = verdict
	}
	if verdict != nil {
		return verdict
	}
	return c.Producer.Send(ctx, rec, done)
}

// look returns nil where the topic exists. A broker may learn of a topic that was
// just made a moment after the controller has confirmed it.
func (c *topicChecker) look(ctx context.Context, topic string) error {
	const pause, patience = 200 * time.Millisecond, 3 * time.Second
	_, err := backoff.Retry(ctx, func() (bool, error) {
		found, err := c.admin.Partitions(ctx, []string{topic})
		switch {
		case err != nil:
			return false, backoff.Permanent(fmt.Errorf("look for the topic: %w", err))
		case len(found[topic]) == 0:
			return false, &missingTopicError{topic}
		}
		return true, nil
	}, backoff.WithBackOff(backoff.NewConstantBackOff(pause)), backoff.WithMaxElapsedTime(patience))
	return err
}
