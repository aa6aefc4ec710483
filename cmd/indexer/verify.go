package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/progress"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
	"github.com/search-indexer/search-indexer/internal/verify"
)

// verifyFlags is what the command line of verify says.
type verifyFlags struct {
	entity string
	sample int
	limit  int

	repair, fewer bool
	asJSON        bool
}

func (p *program) verifyCommand() *cobra.Command {
	var flags verifyFlags
	command := &cobra.Command{
		Use:   "verify",
		Short: "Compare the indices with the log, and mend what differs",
		Long: `verify joins every event that the group has committed, on disk (FOLD_DIR), and
reads each document from the live indices, tombstones too. Workers and
publishers may go on: what is not committed yet may be in a document or not, and
neither counts as a difference. A document can be

  missing     not in the index
  undeleted   deleted, but found, or without the tombstone that it still needs
  stale       without some of its events
  orphaned    made by no event
  differing   altered: it holds what no event says

Events with an open dead letter need not be in the index. Where the log no
longer holds everything, documents are judged by what it holds, and those that
it does not know are counted, but are no differences.

--repair writes what differs as it should be, unless a worker writes first,
removes what is orphaned, and verifies again. Where over 5 % of all documents
hold what no event says, it leaves them: rather a topic is missing from
KAFKA_TOPICS.

Exit code 0 where nothing differs in the end, 3 where something does.`,
		Example: `  indexer verify
  indexer verify --entity post --json | jq .listed
  indexer verify --sample 10000         # some documents, chosen at random
  indexer verify --repair`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &index.Config{}, &fold.Config{}, &logConfig{}),
		RunE:        func(c *cobra.Command, _ []string) error { return p.verify(c.Context(), flags) },
	}
	set := command.Flags()
	set.StringVar(&flags.entity, "entity", "all", "what to look at: post, artist or all")
	set.IntVar(&flags.sample, "sample", 0, "look at so many documents, chosen at random, and for no orphans; 0 for all")
	set.IntVar(&flags.limit, "limit", 20, "name at most so many documents of each kind of difference")
	set.BoolVar(&flags.repair, "repair", false, "mend what differs, and verify again")
	set.BoolVar(&flags.fewer, "accept-fewer", false, "repair too what holds more than the log, over 5 % of all documents")
	set.BoolVar(&flags.asJSON, "json", false, "print the report as one JSON object")
	command.MarkFlagsMutuallyExclusive("sample", "repair")
	return command
}

func (f verifyFlags) validate() error {
	_, err := entitiesNamed(f.entity)
	wrong := []error{err}
	if f.sample < 0 {
		wrong = append(wrong, errors.New("--sample: must be 0 or more"))
	}
	if f.limit < 0 {
		wrong = append(wrong, errors.New("--limit: must be 0 or more"))
	}
	if f.fewer && !f.repair {
		wrong = append(wrong, errors.New("--accept-fewer: is for --repair"))
	}
	return errors.Join(wrong...)
}

func (p *program) verify(ctx context.Context, flags verifyFlags) error {
	if err := flags.validate(); err != nil {
		return misused(err, `see "indexer verify --help"`)
	}
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Index, &s.Fold, &s.Log); err != nil {
		return err
	}
	display, done := p.newProgress(s.Log)
	report, err := runVerify(ctx, s, flags, s.Log.logger(p.stderr), display)
	done()
	if err != nil {
		return p.brokenOff(ctx, report, flags, err)
	}
	if err := p.printVerified(report, flags); err != nil {
		return err
	}
	if left := report.Left(); left > 0 {
		next := `"indexer verify --repair" mends them; "indexer rebuild" is the way where there are many`
		if flags.repair {
			next = `"indexer dlq list" and the log say what OpenSearch refuses; "indexer rebuild" makes the index anew`
		}
		return &failure{fmt.Errorf("%d documents differ from what the log says", left), exitDiffers, next}
	}
	return nil
}

// brokenOff tells of a verification that err has ended: what it has found says nothing
// of the rest, but what it has mended stays.
func (p *program) brokenOff(ctx context.Context, report verify.Report, flags verifyFlags, err error) error {
	if ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	next := "mend that and verify again"
	if report.Repair != nil {
		next += fmt.Sprintf("; %d documents were mended until now", report.Repair.Mended)
	}
	if flags.asJSON {
		report.Error = err.Error()
		if err := p.printVerified(report, flags); err != nil {
			return err
		}
	}
	return failed(err, next)
}

// runVerify wires a verification, and runs a repair under the lock that all share who
// change documents behind the workers' backs.
func runVerify(ctx context.Context, s settings, flags verifyFlags, log zerolog.Logger, display *progress.Progress) (verify.Report, error) {
	var none verify.Report
	entities, err := entitiesNamed(flags.entity)
	if err != nil {
		return none, err
	}
	client, err := index.NewClient(s.Index)
	if err != nil {
		return none, err
	}
	reader, err := stream.NewReader(s.Kafka, log)
	if err != nil {
		return none, err
	}
	defer reader.Close()
	admin, err := stream.NewAdmin(s.Kafka, log)
	if err != nil {
		return none, err
	}
	defer admin.Close()
	decoder, topics := handlers.NewMux(s.Kafka.TopicPrefix), s.Kafka.FullTopics()
	v := verify.New(verify.Parts{
		Client: client, Log: reader, Decoder: decoder,
		Committed: func(ctx context.Context) ([]record.Position, error) {
			return admin.Committed(ctx, s.Kafka.GroupID, topics)
		},
		Letters: dlq.NewReader(reader, decoder, s.Kafka.DLQTopic),
		Display: display, Logger: log, Fold: s.Fold,
	}, verify.Options{
		Entities: entities, Topics: topics, Sample: flags.sample, Limit: flags.limit,
		Retention: s.Index.TombstoneRetention, Repair: flags.repair, AcceptFewer: flags.fewer,
	})
	if !flags.repair {
		return v.Run(ctx)
	}
	report := none
	err = locked(ctx, client, lockRequest(s.Index, "verify --repair", display), log, func(ctx context.Context, _ *index.Lock) error {
		report, err = v.Run(ctx)
		return err
	})
	return report, err
}
