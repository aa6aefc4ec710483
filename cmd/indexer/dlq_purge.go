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
	letterChoice
	all    bool
	yes    bool
	dryRun bool
	asJSON bool
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
			return p.dlqPurge(c.Context(), &flags)
		},
	}
	flags.addFlags(command)
	f := command.Flags()
	f.StringVar(&flags.before, "older-than", "", "open letters too that failed before: 336h, a date")
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

func (f *purgeFlags) choice(filter dlq.Filter) purgeChoice {
	byAge := filter
	byAge.Before = time.Time{}
	filtered := !byAge.IsZero()
	return purgeChoice{
		open: f.all || !filter.IsZero(), filter: filter, asks: f.all || filtered,
		strangers: func(s dlq.Stranger) bool {
			return f.all || !filtered && !filter.Before.IsZero() && s.Timestamp >= 0 && time.UnixMilli(s.Timestamp).Before(filter.Before)
		},
	}
}

func (c purgeChoice) mayGo(e *dlq.Entry) bool { return !e.Open() || c.open && c.filter.Match(e) }

func (p *program) dlqPurge(ctx context.Context, flags *purgeFlags) error {
	if flags.all && flags.isMade() {
		return flags.misuse(errors.New("--all takes every letter: leave out filters and --older-than"))
	}
	box, err := p.openLetterbox(ctx, &flags.letterChoice, noMore)
	if err != nil {
		return err
	}
	defer box.close()
	choice := flags.choice(box.filter)
	plan := box.listing.PlanPurge(choice.mayGo, choice.strangers)
	refused := choice.asks && plan.Open > 0 && !flags.yes && !flags.dryRun
	if !refused && !flags.dryRun {
		err := box.change(func(admin *stream.Admin, producer *stream.Producer) error {
			return box.reader.Purge(ctx, plan, admin, producer)
		})
		if err != nil {
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
