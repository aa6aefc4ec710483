package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// purgeFlags is what the command line of dlq purge says.
type purgeFlags struct {
	filterFlags
	olderThan string
	all       bool
	yes       bool
	dryRun    bool
	asJSON    bool
}

func (p *program) dlqPurgeCommand() *cobra.Command {
	var flags purgeFlags
	command := &cobra.Command{
		Use:   "purge",
		Short: "Remove dead letters that are no longer needed",
		Long: `purge removes the letters that a replay has brought into the index; with
filters, --older-than or --all also open ones: those that meet all of what is
given. Filters and --all need --yes, since what goes is lost.

Kafka can remove records only from the front of a partition: everything before
the first letter that must stay. So a letter that may go stays for as long as
an older one in its partition must; purge says how many do. The topic's own
retention (30 days as "indexer setup" makes it) removes letters too, open or
not.`,
		Example: `  indexer dlq purge                               # what was replayed
  indexer dlq purge --older-than 336h             # and what failed 14 days ago
  indexer dlq purge --reason invalid_json --yes   # and all of this reason
  indexer dlq purge --all --dry-run`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			return p.dlqPurge(c.Context(), flags)
		},
	}
	flags.add(command)
	f := command.Flags()
	f.StringVar(&flags.olderThan, "older-than", "", "open letters too that failed before: 336h, a date")
	f.BoolVar(&flags.all, "all", false, "every open letter too, and what is no letter")
	f.BoolVar(&flags.yes, "yes", false, "really remove open letters by filters or --all")
	f.BoolVar(&flags.dryRun, "dry-run", false, "say what would be removed, and remove nothing")
	f.BoolVar(&flags.asJSON, "json", false, "print the counts as one JSON object")
	return command
}

// purgeChoice says what may go beside the letters that were replayed.
type purgeChoice struct {
	open      bool       // whether open letters may go
	filter    dlq.Filter // which of them
	strangers func(dlq.Stranger) bool
	asks      bool // it needs --yes
}

func (f purgeFlags) choice(prefix string, now time.Time) (purgeChoice, error) {
	filter, err := f.filter(prefix, now)
	before, badAge := moment(f.olderThan, now)
	if badAge != nil {
		badAge = fmt.Errorf("--older-than %w", badAge)
	}
	filtered := !filter.IsZero()
	if f.all && (filtered || f.olderThan != "") {
		err = errors.Join(err, errors.New("--all takes every letter: leave out filters and --older-than"))
	}
	filter.Before = before
	return purgeChoice{
		open: f.all || !filter.IsZero(), filter: filter, asks: f.all || filtered,
		strangers: func(s dlq.Stranger) bool {
			return f.all || !filtered && !before.IsZero() && s.Timestamp >= 0 && time.UnixMilli(s.Timestamp).Before(before)
		},
	}, errors.Join(err, badAge)
}

func (c purgeChoice) mayGo(e *dlq.Entry) bool { return !e.Open() || c.open && c.filter.Match(e) }

func (p *program) dlqPurge(ctx context.Context, flags purgeFlags) error {
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Log); err != nil {
		return err
	}
	choice, err := flags.choice(s.Kafka.TopicPrefix, time.Now())
	if err != nil {
		return misused(err, `see "indexer dlq purge --help"`)
	}
	d, err := p.openLetterbox(s)
	if err != nil {
		return err
	}
	defer d.close()
	listing, err := d.reader.List(ctx)
	if err != nil {
		return err
	}
	plan := listing.PlanPurge(choice.mayGo, choice.strangers)
	refused := choice.asks && plan.Open > 0 && !flags.yes && !flags.dryRun
	if !refused && !flags.dryRun {
		if err := p.purge(ctx, d, plan); err != nil {
			return failed(err, "repeat the command: it goes on where it stopped")
		}
	}
	if err := p.printPurge(plan, !refused && !flags.dryRun, flags.asJSON); err != nil {
		return err
	}
	if refused {
		return misused(fmt.Errorf("nothing was removed: %d of these letters are open, and would be lost", plan.Open), "repeat the command with --yes")
	}
	return nil
}

func (p *program) purge(ctx context.Context, d *letterbox, plan dlq.PurgePlan) error {
	admin, err := stream.NewAdmin(d.settings.Kafka, d.log)
	if err != nil {
		return err
	}
	defer admin.Close()
	producer, err := stream.NewProducer(d.settings.Kafka, d.log)
	if err != nil {
		return err
	}
	defer func() { _ = producer.Close() }() // Purge has flushed it
	return d.reader.Purge(ctx, plan, admin, producer)
}

func (p *program) printPurge(plan dlq.PurgePlan, done, asJSON bool) error {
	if asJSON {
		return p.printObject(struct {
			dlq.PurgePlan `json:",inline"`
			Done          bool `json:"done"`
		}{plan, done})
	}
	verb := "would be removed"
	if done {
		verb = "removed"
	}
	_, err := fmt.Fprintf(p.stdout, "%-17s %d letters, %d of them open\n%-17s %d letters\n", verb, plan.Goes, plan.Open, "must stay", plan.Stays)
	if plan.Behind > 0 && err == nil {
		_, err = fmt.Fprintf(p.stdout, "%-17s %d letters may go, but stand behind others that must:\n%-17s Kafka removes only from the front of a partition\n", "stay for now", plan.Behind, "")
	}
	if plan.Strangers > 0 && err == nil {
		_, err = fmt.Fprintf(p.stdout, "%-17s %d records that are no letters\n", verb, plan.Strangers)
	}
	return err
}
