package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// replayFlags is what the command line of dlq replay says.
type replayFlags struct {
	letterChoice
	dryRun bool
	asJSON bool
}

func (p *program) dlqReplayCommand() *cobra.Command {
	var flags replayFlags
	command := &cobra.Command{
		Use:   "replay [PLACE ...]",
		Short: "Index dead letters again, after what refused them was mended",
		Long: `replay takes open letters, all or those that places and filters choose, and
indexes them here, the way a worker does. Nothing is published to the original
topics: other services read those. Each event keeps its place in the order (its
own version and timestamp, or those of the original record), so newer events
that have arrived meanwhile win.

PLACE is PARTITION/OFFSET in the dead-letter topic, as "dlq list" prints it, or
TOPIC/PARTITION/OFFSET of the original record.

What the index takes, or knew already, is acknowledged in the compacted topic
KAFKA_DLQ_TOPIC with ".done" behind it, and never replayed again. What fails
again is counted by reason and stays an open letter. To interrupt a replay is
safe: what is left stays open. A rebuild or purge that is under way keeps it
from beginning.

A letter of rejected_by_index can succeed once the template is mended and an
index made with it; one that the decoder refuses (invalid_json and the like)
only with a newer version of this program. Exit code 0 where every letter was
tried.`,
		Example: `  indexer dlq replay --dry-run
  indexer dlq replay --reason rejected_by_index
  indexer dlq replay 3/17 3/18
  indexer dlq replay --entity post/123
  indexer dlq replay --since 24h --json | jq .failed_by_reason`,
		Annotations: settingsHelp(&stream.Config{}, &index.Config{}, &pipeline.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, args []string) error {
			flags.places = args
			return p.dlqReplay(c.Context(), &flags)
		},
	}
	flags.addFlags(command)
	command.Flags().BoolVar(&flags.dryRun, "dry-run", false, "say what would be done, and write nothing")
	command.Flags().BoolVar(&flags.asJSON, "json", false, "print the report as one JSON object")
	return command
}

func (p *program) dlqReplay(ctx context.Context, flags *replayFlags) error {
	box, err := p.openLetterbox(ctx, &flags.letterChoice, func(s *settings) []any { return []any{&s.Index, &s.Batch} })
	if err != nil {
		return err
	}
	defer box.close()
	letters := box.listing.Matching(box.filter, false)
	p.warnOfReplayed(box)
	if flags.dryRun {
		return p.previewReplay(ctx, box, letters, flags.asJSON)
	}
	report, err := p.replay(ctx, box, letters)
	if printErr := p.printReplay(report, flags.asJSON); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err == nil && report.Left > 0 {
		err = fmt.Errorf("%d letters were not tried to an end; they stay open", report.Left)
	}
	if err != nil {
		return failed(err, "repeat the command: what is in the index already is not changed by it")
	}
	return nil
}

// warnOfReplayed names the letters that were asked for by their place and need no
// replay any more.
func (p *program) warnOfReplayed(box *letterbox) {
	if len(box.filter.Places) == 0 {
		return
	}
	for _, e := range box.listing.Matching(box.filter, true) {
		if !e.Open() {
			p.warn(fmt.Sprintf("the letter at %s was replayed at %s", e.At, e.Done.Format(time.RFC3339)))
		}
	}
}

// replay brings the letters into an index that stands as it should, under the lock of
// all that changes documents behind the workers' backs.
func (p *program) replay(ctx context.Context, box *letterbox, letters []*dlq.Entry) (dlq.Report, error) {
	report := dlq.Report{Letters: len(letters), Left: len(letters), Reasons: map[string]int{}}
	client, err := index.NewClient(box.settings.Index)
	if err != nil {
		return report, err
	}
	var problems []error
	for _, problem := range client.Ready(ctx) {
		problems = append(problems, errors.New(problem.String()))
	}
	if len(problems) > 0 {
		return report, errors.Join(problems...)
	}
	err = locked(ctx, client, lockRequest(box.settings.Index, "dlq replay", box.shown), box.log, func(ctx context.Context, _ *index.Lock) error {
		return replayInto(ctx, client, box, letters, &report)
	})
	return report, err
}

// replayInto changes the report where it has begun.
func replayInto(ctx context.Context, client *index.Client, box *letterbox, letters []*dlq.Entry, report *dlq.Report) error {
	return box.change(func(admin *stream.Admin, producer *stream.Producer) (err error) {
		replay := dlq.NewReplay(box.settings.Batch, dlq.ReplayParts{
			Reader: box.reader, Topics: admin, Producer: producer, Decoder: box.decoder,
			Catalog: index.NewCatalog(client), Writer: index.NewWriter(client),
			Observe: func(e pipeline.Ending) {
				logEnding(box.log, e)
				box.shown.Add(1)
			},
			Log: box.log,
		})
		box.shown.Phase("replaying", int64(len(letters)), "letters")
		defer box.shown.Done() // the report follows
		*report, err = replay.Run(ctx, letters)
		return err
	})
}

func (p *program) printReplay(r dlq.Report, asJSON bool) error {
	if asJSON {
		return p.printObject(r)
	}
	_, err := fmt.Fprintf(p.stdout, "letters         %d\nindexed         %d\ndeleted         %d\nstale           %d (the index knew as much or more)\n",
		r.Letters, r.Indexed, r.Deleted, r.Stale)
	byReason(p.stdout, "failed again", r.Reasons)
	if r.Left > 0 {
		_, err = fmt.Fprintf(p.stdout, "left            %d\n", r.Left)
	}
	if r.Unmarked > 0 {
		_, err = fmt.Fprintf(p.stdout, "not marked      %d (in the index, but listed as open)\n", r.Unmarked)
	}
	return err
}

// replayPreview is what a dry run tells.
type replayPreview struct {
	Letters int            `json:"letters"`
	Good    int            `json:"would_be_sent"`
	Failing int            `json:"would_fail"`
	Reasons map[string]int `json:"would_fail_by_reason"`
}

func (p *program) previewReplay(ctx context.Context, box *letterbox, letters []*dlq.Entry, asJSON bool) error {
	good, failing, err := box.reader.Preview(ctx, letters)
	if err != nil {
		return err
	}
	if asJSON {
		preview := replayPreview{Letters: len(letters), Good: good, Reasons: failing}
		for _, n := range failing {
			preview.Failing += n
		}
		return p.printObject(preview)
	}
	_, _ = fmt.Fprintf(p.stdout, "letters         %d\nwould be sent   %d to the index, which may take or refuse them\n", len(letters), good)
	byReason(p.stdout, "would fail", failing)
	_, err = fmt.Fprintln(p.stdout, "nothing was written")
	return err
}

func (p *program) printObject(value any) error {
	raw, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", raw)
	return err
}
