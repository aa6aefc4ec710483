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
}

func (p *program) setupCommand() *cobra.Command {
	var flags setupFlags
	command := &cobra.Command{
		Use:   "setup",
		Short: "Create topics, templates, first indices and aliases",
		Long: `setup makes what the worker needs and what is not there yet: the topics and the
dead-letter topic in Kafka; the merge script, the templates, the first indices and
their aliases in OpenSearch. It changes no topic and no index that exists, so it is
safe to repeat: run it before the first start and with every new release.

Topics are kept for ever unless --retention says otherwise: a rebuild needs the
whole log.`,
		Example: `  indexer setup
  indexer setup --partitions 12 --replication-factor 3
  OPENSEARCH_REPLICAS=0 indexer setup                  # a single node`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &index.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			return p.setup(c.Context(), flags)
		},
	}
	f := command.Flags()
	f.IntVar(&flags.partitions, "partitions", 12, "partitions of a new topic; the most workers that can share it")
	f.IntVar(&flags.replication, "replication-factor", 1, "brokers that keep a copy of a new topic; use 3 in production")
	f.DurationVar(&flags.retention, "retention", -1, "how long a new topic keeps its events (default: for ever)")
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
	return errors.Join(p.setupTopics(ctx, s, flags), p.setupIndex(ctx, s))
}

func (p *program) setupTopics(ctx context.Context, s settings, flags setupFlags) error {
	admin, err := stream.NewAdmin(s.Kafka, s.Log.logger(p.stderr))
	if err != nil {
		return err
	}
	defer admin.Close()
	report, err := admin.Setup(ctx, s.Kafka, stream.TopicOptions{
		Partitions: flags.partitions, ReplicationFactor: flags.replication, Retention: flags.retention,
	})
	p.say("topics", report.Created, "created")
	p.say("topics", report.Existing, "kept")
	for _, warning := range report.Warnings {
		p.warn(warning)
	}
	if err != nil {
		return fmt.Errorf("set up Kafka at %s: %w", strings.Join(s.Kafka.Brokers, ","), err)
	}
	return nil
}

func (p *program) setupIndex(ctx context.Context, s settings) error {
	client, err := index.NewClient(s.Index)
	if err != nil {
		return err
	}
	report, err := client.Setup(ctx)
	p.say("script", []string{report.Script}, "stored")
	p.say("templates", report.Templates, "stored")
	p.say("indices", report.Created, "created")
	p.say("indices", report.Mended, "alias put back")
	p.say("indices", report.Kept, "kept")
	if err != nil {
		return fmt.Errorf("set up OpenSearch at %s: %w", strings.Join(s.Index.URLs, ","), err)
	}
	var left []error
	for _, problem := range report.Problems {
		left = append(left, errors.New(problem.String()))
	}
	return errors.Join(left...)
}

// say prints a line for each name.
func (p *program) say(kind string, names []string, what string) {
	for _, name := range names {
		_, _ = fmt.Fprintf(p.stdout, "%-10s %-14s %s\n", kind, what, name)
	}
}
