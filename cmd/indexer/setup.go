package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// setupFlags is what the command line of setup says.
type setupFlags struct {
	partitions  int
	replication int
	retention   time.Duration
	bounded     bool // retention was given
	apply       bool
}

func (p *program) setupCommand() *cobra.Command {
	var flags setupFlags
	command := &cobra.Command{
		Use:   "setup",
		Short: "Create topics, templates, first indices and aliases",
		Long: `setup makes what the worker needs and what is not there yet: the topics and the
dead-letter topic in Kafka; the merge script, the templates, the first indices
and their aliases in OpenSearch. It changes no topic and no index that exists,
so it is safe to repeat: run it before the first start and with every new
release. What stands but would lose data is named, and ends it with exit code 1.

Where an index differs from its template, a warning says so: a template takes
effect on new indices alone. "indexer rebuild" makes such; --apply puts into the
index that stands what OpenSearch can add to it: new fields, new sub-fields,
settings such as refresh interval and replicas.

Topics are kept for ever unless --retention says otherwise: a rebuild needs the
whole log.`,
		Example: `  indexer setup
  indexer setup --partitions 12 --replication-factor 3
  indexer setup --apply                   # a new field, without a rebuild
  OPENSEARCH_REPLICAS=0 indexer setup     # a single node`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &index.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			flags.bounded = c.Flags().Changed("retention")
			return p.setup(c.Context(), flags)
		},
	}
	f := command.Flags()
	f.IntVar(&flags.partitions, "partitions", 12, "partitions of a new topic; the most workers that can share it")
	f.IntVar(&flags.replication, "replication-factor", 1, "brokers that keep a copy of a new topic; use 3 in production")
	f.DurationVar(&flags.retention, "retention", -1, "how long a new topic keeps its events (default: for ever)")
	f.BoolVar(&flags.apply, "apply", false, "put into the indices that stand what can be added to them")
	f.Lookup("retention").DefValue = "0s" // hides it: the text says it better than -1ns
	return command
}

func (f setupFlags) validate() error {
	var wrong []error
	if f.partitions < 1 {
		wrong = append(wrong, errors.New("--partitions must be at least 1"))
	}
	if f.replication < 1 {
		wrong = append(wrong, errors.New("--replication-factor must be at least 1"))
	}
	if f.bounded && f.retention < time.Millisecond {
		wrong = append(wrong, errors.New("--retention must be 1ms or more; leave it out to keep events for ever"))
	}
	return errors.Join(wrong...)
}

func (p *program) setup(ctx context.Context, flags setupFlags) error {
	if err := flags.validate(); err != nil {
		return misused(err, `see "indexer setup --help"`)
	}
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Index, &s.Log); err != nil {
		return err
	}
	if err := errors.Join(p.setupTopics(ctx, s, flags), p.setupIndex(ctx, s, flags.apply)); err != nil {
		return failed(err, setupNext)
	}
	return nil
}

// setupNext fits every failure of setup: what is wrong is in the errors above it.
const setupNext = `mend what is named (where a server does not answer: KAFKA_BROKERS, OPENSEARCH_URLS), then run "indexer setup" again; it is safe to repeat`

func (p *program) setupTopics(ctx context.Context, s settings, flags setupFlags) error {
	admin, err := stream.NewAdmin(s.Kafka, s.Log.logger(p.stderr))
	if err != nil {
		return err
	}
	defer admin.Close()
	report, err := admin.Setup(ctx, s.Kafka, stream.TopicOptions{
		Partitions: flags.partitions, ReplicationFactor: flags.replication, Retention: flags.retention,
	})
	for _, topic := range report.Created {
		p.say("topic", topic, "created")
	}
	var counts map[string][]int32
	if len(report.Existing) > 0 {
		counts, _ = admin.Partitions(ctx, report.Existing) // for the words alone
	}
	for _, topic := range report.Existing {
		result := "kept"
		if n := len(counts[topic]); n > 0 && n != flags.partitions {
			result = fmt.Sprintf("kept, with %d partitions", n)
		}
		p.say("topic", topic, result)
	}
	for _, warning := range report.Warnings {
		p.warn(warning)
	}
	if err != nil {
		return fmt.Errorf("set up Kafka at %s: %w", strings.Join(s.Kafka.Brokers, ","), err)
	}
	return nil
}

func (p *program) setupIndex(ctx context.Context, s settings, apply bool) error {
	client, err := index.NewClient(s.Index)
	if err != nil {
		return err
	}
	report, err := client.Setup(ctx)
	for _, step := range report.Steps {
		p.say(step.Kind, step.Name, string(step.Result))
	}
	if err != nil {
		return fmt.Errorf("set up OpenSearch at %s: %w", strings.Join(s.Index.URLs, ","), err)
	}
	var left []error
	for _, problem := range report.Problems {
		left = append(left, errors.New(problem.String()))
	}
	if err := p.setupDrift(ctx, client, apply); err != nil {
		left = append(left, fmt.Errorf("set up OpenSearch at %s: %w", strings.Join(s.Index.URLs, ","), err))
	}
	return errors.Join(left...)
}

// setupDrift tells how indices differ from their templates, after it has put into them
// what may be added.
func (p *program) setupDrift(ctx context.Context, client *index.Client, apply bool) error {
	drifts, err := client.Drift(ctx)
	if err != nil {
		return err
	}
	unsearchable := false
	for _, drift := range drifts {
		if apply {
			var done []index.Step
			done, drift, err = client.Apply(ctx, drift)
			for _, step := range done {
				p.say(step.Kind, step.Name, string(step.Result))
				unsearchable = unsearchable || step.Kind == "field"
			}
			if err != nil {
				return err
			}
		}
		if len(drift.Differences) > 0 {
			p.warn(drift.String())
		}
	}
	if unsearchable {
		p.warn("searches find documents by an added field only once they are written again: `indexer rebuild` does that with all of them")
	}
	return nil
}

// say prints what became of one thing.
func (p *program) say(kind, name, result string) {
	_, _ = fmt.Fprintf(p.stdout, "%-9s %-24s %s\n", kind, result, name)
}
