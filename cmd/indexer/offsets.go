package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/stream"
)

func (p *program) offsetsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "offsets",
		Short: "Show or move the offsets where the workers go on",
		Long: `offsets shows where the consumer group stands in each partition, and moves it
while no worker runs.`,
		Example: `  indexer offsets show
  indexer offsets reset --to earliest --dry-run
  indexer offsets skip --topic post.updated --partition 3 --count 1`,
		Args: cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error {
			return misused(errors.New("say what to do with the offsets: show, reset or skip"), `see "indexer offsets --help"`)
		},
	}
	command.AddCommand(p.offsetsShowCommand(), p.offsetsResetCommand(), p.offsetsSkipCommand())
	return command
}

// offsetsView is what `offsets show --json` prints.
type offsetsView struct {
	Group      string            `json:"group"`
	Members    []string          `json:"members"`
	Partitions []offsetPartition `json:"partitions"`
}

type offsetPartition struct {
	Topic     string `json:"topic"`
	TopicID   string `json:"topic_id"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"` // -1 where the group has none
	Start     int64  `json:"start"`     // where a worker would begin
	Low       int64  `json:"low"`
	High      int64  `json:"high"`
	Lag       int64  `json:"lag"`
	Problem   string `json:"problem,omitempty"`
}

func (p *program) offsetsShowCommand() *cobra.Command {
	var asJSON bool
	var scope offsetScope
	command := &cobra.Command{
		Use:   "show",
		Short: "Show where the group stands in each partition",
		Long: `show prints for each partition the committed offset, the first and the next
offset of the log, the lag, the topic's id, and what keeps a worker from reading
it.`,
		Example: `  indexer offsets show
  indexer offsets show --topic post.created --json`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withOffsets(c.Context(), scope, func(_ context.Context, o *offsets) error {
				if asJSON {
					return o.printJSON(p.stdout)
				}
				return o.print(p.stdout)
			})
		},
	}
	scope.addFlags(command)
	command.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return command
}

// offsetScope says which partitions a command is about.
type offsetScope struct {
	topic     string
	partition int32
}

func (s *offsetScope) addFlags(command *cobra.Command) {
	command.Flags().StringVar(&s.topic, "topic", "", "only this topic; KAFKA_TOPIC_PREFIX may be left out")
	command.Flags().Int32Var(&s.partition, "partition", -1, "only this partition of --topic")
	command.Flags().Lookup("partition").DefValue = "0" // hides it: -1 says nothing
}

// topics returns the full names of the topics in scope.
func (s offsetScope) topics(cfg stream.Config) ([]string, error) {
	all := cfg.FullTopics()
	switch {
	case s.topic == "" && s.partition >= 0:
		return nil, errors.New("--partition needs --topic")
	case s.topic == "":
		return all, nil
	case slices.Contains(all, s.topic):
		return []string{s.topic}, nil
	case slices.Contains(all, cfg.TopicPrefix+s.topic):
		return []string{cfg.TopicPrefix + s.topic}, nil
	}
	return nil, fmt.Errorf("--topic: %q is none of KAFKA_TOPICS: %s", s.topic, strings.Join(all, ", "))
}

// offsets is where a group stands, and what may change it.
type offsets struct {
	cfg        stream.Config
	log        zerolog.Logger
	admin      *stream.Admin
	members    []string
	partitions []stream.PartitionStatus // sorted, never empty
}

// withOffsets looks where the group stands in the partitions of scope.
func (p *program) withOffsets(ctx context.Context, scope offsetScope, do func(context.Context, *offsets) error) error {
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Log); err != nil {
		return err
	}
	topics, err := scope.topics(s.Kafka)
	if err != nil {
		return misused(err, `see "indexer offsets --help"`)
	}
	log := s.Log.logger(p.stderr)
	admin, err := stream.NewAdmin(s.Kafka, log)
	if err != nil {
		return err
	}
	defer admin.Close()
	o := &offsets{cfg: s.Kafka, log: log, admin: admin}
	if err := o.look(ctx, topics); err != nil {
		return fmt.Errorf("ask Kafka at %s: %w", strings.Join(s.Kafka.Brokers, ","), err)
	}
	if scope.partition >= 0 {
		o.partitions = slices.DeleteFunc(o.partitions, func(s stream.PartitionStatus) bool { return s.ID != scope.partition })
	}
	if len(o.partitions) == 0 {
		return failed(fmt.Errorf("there is no such partition of %s", strings.Join(topics, ", ")), "`indexer setup` creates the topics")
	}
	return do(ctx, o)
}

func (o *offsets) look(ctx context.Context, topics []string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var err error
	if o.partitions, err = o.admin.GroupLag(ctx, o.cfg.GroupID, topics); err != nil {
		return err
	}
	o.members, err = o.admin.Members(ctx, o.cfg.GroupID)
	return err
}

// idle is nil where the group has no members: only then the brokers let an
// operator move its offsets.
func (o *offsets) idle() error {
	if len(o.members) == 0 {
		return nil
	}
	return o.busy(fmt.Errorf("group %s has members: %s", o.cfg.GroupID, strings.Join(o.members, ", ")))
}

// busy says what to do where the group has members.
func (o *offsets) busy(err error) error {
	return failed(fmt.Errorf("%w; the brokers move the offsets of a group only while no worker is in it", err),
		"stop all of its workers and repeat this (a killed one stays a member for about 45 s); POST /admin/pause holds one partition up while they run")
}

// set moves the group.
func (o *offsets) set(ctx context.Context, next []stream.NextOffset) error {
	err := o.admin.SetOffsets(ctx, o.cfg.GroupID, next)
	if errors.Is(err, stream.ErrGroupActive) {
		return o.busy(err)
	}
	return err
}

func (o *offsets) printJSON(out io.Writer) error {
	view := offsetsView{Group: o.cfg.GroupID, Members: o.members, Partitions: []offsetPartition{}}
	for _, s := range o.partitions {
		part := offsetPartition{
			Topic: s.Topic, TopicID: s.TopicID, Partition: s.ID,
			Committed: s.Committed, Start: s.Start, Low: s.Low, High: s.High, Lag: s.Lag,
		}
		if s.Problem != nil {
			part.Problem = s.Problem.Error()
		}
		view.Partitions = append(view.Partitions, part)
	}
	if err := json.MarshalWrite(out, view, jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

// print writes a table for each topic, which fits 80 columns.
func (o *offsets) print(out io.Writer) error {
	for topic, partitions := range o.byTopic() {
		_, _ = fmt.Fprintf(out, "%s  (topic id %s)\n", topic, orNone(partitions[0].TopicID))
		rows := newTable(0, "partition", "committed", "low", "high", "lag", "problem")
		for _, s := range partitions {
			problem := "no"
			if s.Problem != nil {
				problem = "yes"
			}
			rows.AppendRow(table.Row{s.ID, offsetOrNone(s.Committed), s.Low, s.High, s.Lag, problem})
		}
		_, _ = fmt.Fprintf(out, "%s\n\n", rows.Render()) // the last line tells
	}
	for _, s := range o.partitions {
		if s.Problem != nil {
			_, _ = fmt.Fprintln(out, "problem:", s.Problem)
		}
	}
	_, err := fmt.Fprintf(out, "consumer group %s, members: %s\n", o.cfg.GroupID, orNone(strings.Join(o.members, ", ")))
	return err
}

// byTopic walks over the topics in order, each with its partitions.
func (o *offsets) byTopic() func(func(string, []stream.PartitionStatus) bool) {
	return func(yield func(string, []stream.PartitionStatus) bool) {
		for from := 0; from < len(o.partitions); {
			topic := o.partitions[from].Topic
			to := from
			for to < len(o.partitions) && o.partitions[to].Topic == topic {
				to++
			}
			if !yield(topic, o.partitions[from:to]) {
				return
			}
			from = to
		}
	}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func offsetOrNone(offset int64) string {
	if offset < 0 {
		return "none"
	}
	return strconv.FormatInt(offset, 10)
}
