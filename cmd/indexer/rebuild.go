package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/rebuild"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// rebuildFlags is what the command line of rebuild says.
type rebuildFlags struct {
	entity string
	keep   int
	rate   float64

	seed, truncated, fewer, rejected bool
	dryRun, finish, abort, rollback  bool
	asJSON                           bool
	http                             string
	linger                           time.Duration
}

func (p *program) rebuildCommand() *cobra.Command {
	var flags rebuildFlags
	command := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the indices anew from the log, with no downtime",
		Long: `rebuild reads every topic from the beginning, joins the events of each post and
artist on disk (FOLD_DIR), writes each document once into a new index, catches
up with what was published meanwhile, and moves the aliases to it in one step.
Live workers and searches go on all the time. A change of template takes effect
by it.

It refuses to begin where the log no longer holds everything (records removed,
or the topic compacted): documents would be missing. It refuses to swap where
the new index would show over 5 % fewer documents than the live one, or where
OpenSearch refuses events that it took before. The flags below override that,
knowingly.

Until the swap the live index is untouched: a rebuild may be interrupted at any
time, and the next one clears away what is left. One that dies between swap and
end is finished by the next, or by --finish; until then the live index may lack
the last events, which /readyz and status tell.

The replaced index is kept (--keep), so --rollback can put it back.`,
		Example: `  indexer rebuild --dry-run             # what it would do, and whether it may
  indexer rebuild
  indexer rebuild --entity post --keep 2
  indexer rebuild --seed-from-current   # where the log does not hold everything
  indexer rebuild --rollback            # back to the index before`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &index.Config{}, &fold.Config{}, &pipeline.Config{}, &logConfig{}),
		RunE:        func(c *cobra.Command, _ []string) error { return p.rebuild(c.Context(), flags) },
	}
	set := command.Flags()
	set.StringVar(&flags.entity, "entity", "all", "what to make anew: post, artist or all")
	set.IntVar(&flags.keep, "keep", 1, "replaced indices that stay, of each entity")
	set.Float64Var(&flags.rate, "rate", 0, "load at most so many documents a second; 0 for no limit")
	set.BoolVar(&flags.seed, "seed-from-current", false, "start from what the live index holds, and join the log over it")
	set.BoolVar(&flags.truncated, "accept-truncated", false, "go on although the log does not hold everything: older documents are lost")
	set.BoolVar(&flags.fewer, "accept-fewer", false, "swap although the new index shows over 5 % fewer documents")
	set.BoolVar(&flags.rejected, "accept-rejected", false, "swap although OpenSearch refuses events: they become dead letters")
	set.BoolVar(&flags.dryRun, "dry-run", false, "say what would be done and whether it may, and do nothing")
	set.BoolVar(&flags.finish, "finish", false, "only finish a rebuild that died after its swap")
	set.BoolVar(&flags.abort, "abort", false, "only clear away what a rebuild left that died before its swap")
	set.BoolVar(&flags.rollback, "rollback", false, "put the replaced index back, caught up")
	set.BoolVar(&flags.asJSON, "json", false, "print the report as one JSON object")
	set.StringVar(&flags.http, "http", "", "serve /metrics and /livez there while it runs, such as :8080")
	set.DurationVar(&flags.linger, "linger", 0, "wait for a random time of up to this before each step")
	_ = set.MarkHidden("linger") // for tests: it widens the gaps that workers may slip through
	command.MarkFlagsMutuallyExclusive("dry-run", "finish", "abort", "rollback")
	command.MarkFlagsMutuallyExclusive("seed-from-current", "accept-truncated")
	return command
}

// entitiesNamed reads --entity.
func entitiesNamed(name string) ([]document.Entity, error) {
	all := index.Entities()
	if name == "all" {
		return all, nil
	}
	for _, known := range all {
		if name == string(known) {
			return []document.Entity{known}, nil
		}
	}
	return nil, fmt.Errorf("--entity %q: use post, artist or all", name)
}

func (f rebuildFlags) validate() error {
	_, err := entitiesNamed(f.entity)
	wrong := []error{err}
	if f.keep < 0 {
		wrong = append(wrong, errors.New("--keep: must be 0 or more"))
	}
	if f.rate < 0 {
		wrong = append(wrong, errors.New("--rate: must be 0 or more"))
	}
	return errors.Join(wrong...)
}

func (p *program) rebuild(ctx context.Context, flags rebuildFlags) error {
	if err := flags.validate(); err != nil {
		return misused(err, `see "indexer rebuild --help"`)
	}
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Index, &s.Fold, &s.Batch, &s.Log); err != nil {
		return err
	}
	display, done := p.newProgress(s.Log)
	b, err := newRebuilder(s, s.Log.logger(p.stderr), display)
	if err != nil {
		done()
		return err
	}
	defer b.close()
	if flags.http != "" {
		server, err := b.serve(ctx, flags.http)
		if err != nil {
			done()
			return misused(err, `see "indexer rebuild --help"`)
		}
		defer func() { _ = server.Close() }()
	}
	if flags.dryRun {
		plan, err := b.plan(ctx, flags)
		done()
		return p.printPlan(plan, err, flags.asJSON)
	}
	report, err := b.run(ctx, flags)
	done()
	if err != nil {
		if ctx.Err() != nil {
			err = interrupted(report, err)
		}
		report.Error = err.Error()
	}
	if printErr := p.printRebuild(report, flags.asJSON); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err != nil {
		return failed(err, rebuildNext)
	}
	return nil
}

const rebuildNext = `mend what is named and repeat the command: it finishes or clears away what this one left; "indexer rebuild --dry-run" tells whether it may begin`

// interrupted says what a signal has left behind.
func interrupted(report rebuild.Report, err error) error {
	if len(report.Indices) == 0 {
		return fmt.Errorf("interrupted, the live indices are as they were: %w", err)
	}
	return fmt.Errorf("interrupted, the new indices serve; `indexer rebuild --finish` does what may be left: %w", err)
}

// printPlan tells what a rebuild would do. A plan that may not begin is a failure, as
// is one that err has kept from being made.
func (p *program) printPlan(plan rebuild.Plan, err error, asJSON bool) error {
	next := ""
	if err != nil {
		plan.Error, next = err.Error(), rebuildNext
	}
	for _, refusal := range plan.Refusals {
		err = errors.Join(err, errors.New(refusal))
	}
	switch {
	case asJSON:
		if err := p.printObject(plan); err != nil {
			return err
		}
	case plan.Error == "":
		printPlanText(p.stdout, plan)
	}
	if err != nil {
		return failed(err, next)
	}
	return nil
}
