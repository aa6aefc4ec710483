package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/purge"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// tombstoneFlags is what the command line of purge says.
type tombstoneFlags struct {
	olderThan string
	dryRun    bool
	asJSON    bool
}

func (p *program) purgeCommand() *cobra.Command {
	var flags tombstoneFlags
	command := &cobra.Command{
		Use:   "purge",
		Short: "Remove the tombstones of documents that were deleted long ago",
		Long: `purge removes tombstones: what stays of a deleted document, hidden from
searches, so that an older event that arrives late does not bring it back. They
go when the delete is TOMBSTONE_RETENTION old, or as --older-than says. Workers
may run: a document that is written meanwhile stays.

While the group has records to read, the age counts from the oldest of these
instead of from now: they may be older than the delete.`,
		Example: `  indexer purge --dry-run               # how many would go
  indexer purge                         # past TOMBSTONE_RETENTION
  indexer purge --older-than 2160h      # only those of 90 days and more`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &index.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			return p.purgeTombstones(c.Context(), flags)
		},
	}
	f := command.Flags()
	f.StringVar(&flags.olderThan, "older-than", "", "instead of TOMBSTONE_RETENTION: 2160h, a date")
	f.BoolVar(&flags.dryRun, "dry-run", false, "count them, and remove nothing")
	f.BoolVar(&flags.asJSON, "json", false, "print one JSON object")
	return command
}

// age returns how old a delete has to be.
func (f tombstoneFlags) age(retention time.Duration, now time.Time) (time.Duration, error) {
	before, err := moment(f.olderThan, now)
	switch {
	case err != nil:
		return 0, fmt.Errorf("--older-than %w", err)
	case before.IsZero():
		return retention, nil
	case before.After(now):
		return 0, fmt.Errorf("--older-than %q is in the future", f.olderThan)
	}
	return now.Sub(before), nil
}

func (p *program) purgeTombstones(ctx context.Context, flags tombstoneFlags) error {
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Index, &s.Log); err != nil {
		return err
	}
	now := time.Now()
	age, err := flags.age(s.Index.TombstoneRetention, now)
	if err != nil {
		return misused(err, `see "indexer purge --help"`)
	}
	if age < s.Index.TombstoneRetention {
		p.warn(fmt.Sprintf("an event that arrives more than %s after the delete of its document brings it back, though TOMBSTONE_RETENTION is %s",
			age.Round(time.Second), s.Index.TombstoneRetention))
	}
	report := purgeReport{DryRun: flags.dryRun}
	err = report.fill(ctx, s, now, age, s.Log.logger(p.stderr))
	if report.Counts != nil {
		err = errors.Join(err, p.printPurged(report, flags.asJSON))
	}
	if err != nil {
		return failed(err, "mend that and repeat it: it goes on where it stopped")
	}
	return nil
}

// purgeReport is what a purge did, as `purge --json` prints it.
type purgeReport struct {
	Before time.Time     `json:"before"` // tombstones of deletes before it were due
	Unread *purge.Unread `json:"unread,omitempty"`
	DryRun bool          `json:"dry_run"`
	Counts []purge.Count `json:"indices"`
}

// fill purges under the lock of all that changes documents behind the workers' backs;
// a dry run needs none.
func (r *purgeReport) fill(ctx context.Context, s settings, now time.Time, age time.Duration, log zerolog.Logger) error {
	client, err := index.NewClient(s.Index)
	if err != nil {
		return err
	}
	work := func(ctx context.Context) error {
		if r.Unread, err = firstUnread(ctx, s.Kafka, log); err != nil {
			return fmt.Errorf("ask Kafka at %s: %w", strings.Join(s.Kafka.Brokers, ","), err)
		}
		r.Before = purge.Before(now, age, r.Unread).UTC().Truncate(time.Millisecond)
		r.Counts, err = purge.Run(ctx, client, purge.Request{Before: r.Before, DryRun: r.DryRun, Progress: tellPurge(log)})
		return err
	}
	if r.DryRun {
		return work(ctx)
	}
	return locked(ctx, client, lockRequest(s.Index, "purge", nil), log, func(ctx context.Context, _ *index.Lock) error { return work(ctx) })
}

func firstUnread(ctx context.Context, cfg stream.Config, log zerolog.Logger) (*purge.Unread, error) {
	admin, err := stream.NewAdmin(cfg, log)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	reader, err := stream.NewReader(cfg, log)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return purge.FirstUnread(ctx, admin, reader, cfg)
}

// tellPurge logs how far a purge is, every few seconds.
func tellPurge(log zerolog.Logger) func(purge.Count) {
	const every = 5 * time.Second
	said := time.Now()
	return func(c purge.Count) {
		if time.Since(said) > every {
			said = time.Now()
			log.Info().Str("index", c.Index).Int("found", c.Found).Int("removed", c.Removed).Msg("purging tombstones")
		}
	}
}

func (p *program) printPurged(r purgeReport, asJSON bool) error {
	if asJSON {
		return p.printObject(r)
	}
	verb := "removed"
	if r.DryRun {
		verb = "would be removed"
	}
	for _, c := range r.Counts {
		count := c.Removed
		if r.DryRun {
			count = c.Found
		}
		_, _ = fmt.Fprintf(p.stdout, "%s: %d tombstones %s", c.Index, count, verb)
		if c.Kept > 0 {
			_, _ = fmt.Fprintf(p.stdout, ", %d were written meanwhile and stay", c.Kept)
		}
		_, _ = fmt.Fprintln(p.stdout)
	}
	if u := r.Unread; u != nil {
		_, _ = fmt.Fprintf(p.stdout, "the age counts from %s, of the first unread record:\n  %s/%d offset %d\n", u.At.Format(time.RFC3339), u.Topic, u.Partition, u.Offset)
	}
	_, err := fmt.Fprintf(p.stdout, "deleted before %s\n", r.Before.Format(time.RFC3339))
	return err
}
