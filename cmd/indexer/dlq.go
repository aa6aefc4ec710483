package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/stream"
)

func (p *program) dlqCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "dlq",
		Short: "List, show, replay and purge dead letters",
		Long: `A record that no retry can bring into the index becomes a dead letter: itself,
byte for byte, in the dead-letter topic (KAFKA_DLQ_TOPIC), with the reason.
These commands read that topic and change nothing but what they say; no worker
needs to run, and one that does is not disturbed.

A letter is open until a replay has brought it into the index. Its name is the
place of the original record, so that a letter which was sent twice counts
once.`,
		Example: `  indexer dlq list
  indexer dlq show 3/17
  indexer dlq replay --reason rejected_by_index --dry-run
  indexer dlq purge`,
		Args: cobra.NoArgs, // so that a misspelt subcommand is an error
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	command.AddCommand(p.dlqListCommand(), p.dlqShowCommand(), p.dlqReplayCommand(), p.dlqPurgeCommand())
	return command
}

// filterFlags choose letters.
type filterFlags struct {
	reasons, topics []string
	entity, since   string
}

func (f *filterFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringSliceVar(&f.reasons, "reason", nil, "only of this reason; may be repeated")
	flags.StringSliceVar(&f.topics, "topic", nil, "only of this original topic; may be repeated")
	flags.StringVar(&f.entity, "entity", "", "only of this kind or document: post, post/123")
	flags.StringVar(&f.since, "since", "", "only what failed since: 90m, 24h, 2026-01-31")
}

// filter reads the flags. A topic may be named with its prefix or without.
func (f *filterFlags) filter(prefix string, now time.Time) (dlq.Filter, error) {
	filter := dlq.Filter{Reasons: f.reasons}
	for _, topic := range f.topics {
		filter.Topics = append(filter.Topics, topic, prefix+topic)
	}
	var wrong []error
	if f.entity != "" {
		filter.Entity, filter.ID, _ = strings.Cut(f.entity, "/")
		var known []string
		for _, e := range handlers.Entities() {
			known = append(known, string(e.Name))
		}
		if !slices.Contains(known, filter.Entity) {
			wrong = append(wrong, fmt.Errorf("--entity %q: use %s, with /ID for one document", f.entity, strings.Join(known, " or ")))
		}
	}
	var err error
	if filter.Since, err = moment(f.since, now); err != nil {
		wrong = append(wrong, fmt.Errorf("--since %w", err))
	}
	return filter, errors.Join(wrong...)
}

// moment reads a time, or how long ago it was. An empty text is no time.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q: use a duration such as 90m or 24h, a date such as 2026-01-31, or an RFC 3339 time", text)
}

// letterbox is what every dlq command works with.
type letterbox struct {
	settings settings
	log      zerolog.Logger
	stream   *stream.Reader
	reader   *dlq.Reader
	decoder  *handlers.Mux
}

// openLetterbox needs the settings of Kafka and the log to be loaded.
func (p *program) openLetterbox(s settings) (*letterbox, error) {
	d := &letterbox{settings: s, log: s.Log.logger(p.stderr), decoder: handlers.NewMux(s.Kafka.TopicPrefix)}
	var err error
	if d.stream, err = stream.NewReader(s.Kafka, d.log); err != nil {
		return nil, err
	}
	d.reader = dlq.NewReader(d.stream, d.decoder, s.Kafka.DLQTopic)
	return d, nil
}

func (d *letterbox) close() { d.stream.Close() }

// byReason prints a name, the sum of counts, and each of them, the highest first;
// it stays within 80 columns.
func byReason(out io.Writer, name string, counts map[string]int) {
	const widest, indent = 80, 16
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	total := 0
	for _, n := range counts {
		total += n
	}
	line := fmt.Sprintf("%-*s%d", indent, name, total)
	separator := ": "
	for _, reason := range reasons {
		part := fmt.Sprintf("%d %s", counts[reason], printable(reason))
		if len(line)+len(separator)+len(part) >= widest {
			_, _ = fmt.Fprintln(out, line+strings.TrimRight(separator, " "))
			line, separator = strings.Repeat(" ", indent), ""
		}
		line += separator + part
		separator = ", "
	}
	_, _ = fmt.Fprintln(out, line)
}

func reasonsOf(letters []*dlq.Entry) map[string]int {
	counts := map[string]int{}
	for _, e := range letters {
		counts[e.Reason]++
	}
	return counts
}
