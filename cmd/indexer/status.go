package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// overview is one look at everything, as `status --json` prints it.
type overview struct {
	Group    string        `json:"group"`
	Topics   []topicStatus `json:"topics"`
	Indices  []indexStatus `json:"indices"`
	Letters  int64         `json:"dead_letters"`
	Problems []string      `json:"problems"`
}

type topicStatus struct {
	Topic      string            `json:"topic"`
	Partitions []partitionOffset `json:"partitions"`
}

type partitionOffset struct {
	Partition int32 `json:"partition"`
	Committed int64 `json:"committed"` // -1 where the group has none
	End       int64 `json:"end"`
	Lag       int64 `json:"lag"`
}

type indexStatus struct {
	Alias      string `json:"alias"`
	Index      string `json:"index"`
	Documents  int64  `json:"documents"`
	Tombstones int64  `json:"tombstones"`
}

func (p *program) statusCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status",
		Short: "Show lag, indices and dead letters in one look",
		Long: `status asks Kafka and OpenSearch how far the consumer group has come and what
stands behind the aliases. It needs no running worker; what one worker is doing is
on its own /status.

Exit code 0 where both answered, 1 where one did not.`,
		Example: `  indexer status
  indexer status --json | jq '.problems'`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &index.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			return p.status(c.Context(), asJSON)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return command
}

func (p *program) status(ctx context.Context, asJSON bool) error {
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Index, &s.Log); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	view := overview{Group: s.Kafka.GroupID, Problems: []string{}}
	err := errors.Join(view.askKafka(ctx, p, s), view.askOpenSearch(ctx, s))
	if asJSON {
		if printErr := json.MarshalWrite(p.stdout, view, jsontext.WithIndent("  ")); printErr != nil {
			return printErr
		}
		_, _ = fmt.Fprintln(p.stdout)
		return err
	}
	return errors.Join(err, view.print(p.stdout))
}

func (o *overview) askKafka(ctx context.Context, p *program, s settings) error {
	admin, err := stream.NewAdmin(s.Kafka, s.Log.logger(p.stderr))
	if err != nil {
		return err
	}
	defer admin.Close()
	parts, err := admin.GroupLag(ctx, s.Kafka.GroupID, s.Kafka.FullTopics())
	if err != nil {
		return fmt.Errorf("ask Kafka at %s: %w", strings.Join(s.Kafka.Brokers, ","), err)
	}
	places := map[string]int{}
	for _, name := range s.Kafka.FullTopics() {
		places[name] = len(o.Topics)
		o.Topics = append(o.Topics, topicStatus{Topic: name, Partitions: []partitionOffset{}})
	}
	for _, part := range parts {
		t := &o.Topics[places[part.Topic]]
		t.Partitions = append(t.Partitions, partitionOffset{
			Partition: part.ID, Committed: part.Committed, End: part.High, Lag: part.Lag,
		})
		if part.Problem != nil {
			o.Problems = append(o.Problems, part.Problem.Error())
		}
	}
	for _, t := range o.Topics {
		if len(t.Partitions) == 0 {
			o.Problems = append(o.Problems, fmt.Sprintf("topic %s does not exist; it is picked up when it appears (`indexer setup` creates it)", t.Topic))
		}
	}
	letters, err := admin.GroupLag(ctx, s.Kafka.GroupID, []string{s.Kafka.DLQTopic})
	if err != nil {
		return fmt.Errorf("ask Kafka for dead letters: %w", err)
	}
	for _, part := range letters {
		o.Letters += part.High - part.Low
	}
	return nil
}

func (o *overview) askOpenSearch(ctx context.Context, s settings) error {
	client, err := index.NewClient(s.Index)
	if err != nil {
		return err
	}
	for _, problem := range client.Ready(ctx) {
		o.Problems = append(o.Problems, problem.String())
	}
	indices, err := client.Overview(ctx)
	if err != nil {
		return fmt.Errorf("ask OpenSearch at %s: %w", strings.Join(s.Index.URLs, ","), err)
	}
	for _, i := range indices {
		o.Indices = append(o.Indices, indexStatus{Alias: i.Alias, Index: i.Index, Documents: i.Documents, Tombstones: i.Tombstones})
	}
	return nil
}

// print writes tables that fit 80 columns.
func (o *overview) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\t\n", args...) }
	if len(o.Topics) > 0 {
		row("TOPIC\tPARTITIONS\tEVENTS\tLAG\tMOST IN ONE")
	}
	for _, t := range o.Topics {
		end, lag, most := t.sums()
		row("%s\t%d\t%d\t%d\t%d", t.Topic, len(t.Partitions), end, lag, most)
	}
	_ = w.Flush() // the last line tells
	if len(o.Indices) > 0 {
		_, _ = fmt.Fprintln(out)
		row("ALIAS\tINDEX\tDOCUMENTS\tTOMBSTONES")
	}
	for _, i := range o.Indices {
		row("%s\t%s\t%d\t%d", i.Alias, i.Index, i.Documents, i.Tombstones)
	}
	_ = w.Flush()
	_, err := fmt.Fprintf(out, "\nconsumer group %s, %d dead letters\n", o.Group, o.Letters)
	for _, problem := range o.Problems {
		_, err = fmt.Fprintln(out, "problem:", problem)
	}
	return err
}

// sums returns a topic's end offsets and lag over all partitions, and the largest
// lag of one.
func (t topicStatus) sums() (end, lag, most int64) {
	for _, p := range t.Partitions {
		end += p.End
		lag += p.Lag
		most = max(most, p.Lag)
	}
	return end, lag, most
}
