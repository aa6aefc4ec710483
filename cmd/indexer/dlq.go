package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/dlq"
)

func (p *program) dlqCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "dlq",
		Short: "List, show, replay and purge dead letters",
		Long: `A record that no retry can bring into the index becomes a dead letter: itself,
byte for byte, in the dead-letter topic (KAFKA_DLQ_TOPIC), with the reason.
These commands read that topic and change nothing but what they say; no worker
needs to run, and one that does is not disturbed.

A letter is open until a replay has brought it into the index. A letter that was
sent twice counts once.

Where a command takes a PLACE, it is PARTITION/OFFSET in the dead-letter topic,
as "dlq list" prints it, or TOPIC/PARTITION/OFFSET of the original record.`,
		Example: `  indexer dlq list
  indexer dlq show 3/17
  indexer dlq replay --reason rejected_by_index --dry-run
  indexer dlq replay 3/17
  indexer dlq purge`,
		Args: cobra.NoArgs, // so that a misspelt subcommand is an error
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	command.AddCommand(p.dlqListCommand(), p.dlqShowCommand(), p.dlqReplayCommand(), p.dlqPurgeCommand())
	return command
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
