package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// listFlags is what the command line of dlq list says.
type listFlags struct {
	letterChoice
	all    bool
	asJSON bool
}

func (p *program) dlqListCommand() *cobra.Command {
	var flags listFlags
	command := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, those that failed last at the end",
		Long: `list reads the dead-letter topic from its beginning to its present end and
prints a line for each open letter. LETTER is what "dlq show" takes: partition
and offset in the dead-letter topic. FROM is the place of the original record.
The table fits 80 columns; --json has everything in full.`,
		Example: `  indexer dlq list
  indexer dlq list --reason rejected_by_index --since 24h
  indexer dlq list --entity post/123 --all
  indexer dlq list --json | jq -r .error | sort | uniq -c`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			return p.dlqList(c.Context(), &flags)
		},
	}
	flags.addFlags(command)
	command.Flags().BoolVar(&flags.all, "all", false, "also letters that were replayed")
	command.Flags().BoolVar(&flags.asJSON, "json", false, "print one JSON object a line, one for each letter")
	return command
}

func (p *program) dlqList(ctx context.Context, flags *listFlags) error {
	box, err := p.openLetterbox(ctx, &flags.letterChoice, noMore)
	if err != nil {
		return err
	}
	defer box.close()
	letters := box.listing.Matching(box.filter, flags.all)
	if flags.asJSON {
		return printLines(p.stdout, letters)
	}
	if err := printTable(p.stdout, letters, box.now, flags.all); err != nil {
		return err
	}
	p.sumUp(box.listing, letters, flags.all)
	return nil
}

// sumUp tells how many letters there are, shown and hidden.
func (p *program) sumUp(listing *dlq.Listing, shown []*dlq.Entry, all bool) {
	if len(shown) > 0 {
		_, _ = fmt.Fprintln(p.stdout)
	}
	byReason(p.stdout, "letters shown", reasonsOf(shown))
	open := listing.Matching(dlq.Filter{}, false)
	if others := len(open) - len(shown); others > 0 {
		byReason(p.stdout, "open in all", reasonsOf(open))
	}
	if done := len(listing.Letters) - len(open); done > 0 && !all {
		_, _ = fmt.Fprintf(p.stdout, "replayed        %d (--all lists them, \"dlq purge\" removes them)\n", done)
	}
	if strange := len(listing.Strangers); strange > 0 {
		_, _ = fmt.Fprintf(p.stdout, "no letters      %d records in the topic that this program has not written\n", strange)
	}
}

// letterLine is one letter in JSON.
type letterLine struct {
	Letter        placeLine  `json:"letter"`
	Event         placeLine  `json:"event"` // the original record
	Timestamp     int64      `json:"timestamp"`
	Reason        string     `json:"reason"`
	Error         string     `json:"error"`
	EventID       string     `json:"event_id"`
	EventType     string     `json:"event_type,omitempty"`
	CorrelationID string     `json:"correlation_id,omitempty"`
	Entity        string     `json:"entity,omitempty"`
	ID            string     `json:"id,omitempty"`
	FailedAt      time.Time  `json:"failed_at"`
	Copies        int        `json:"copies"`
	Replayed      *time.Time `json:"replayed_at,omitempty"`
}

type placeLine struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

func linePlace(p dlq.Place) placeLine { return placeLine{p.Topic, p.ID, p.Offset} }

func newLetterLine(e *dlq.Entry) letterLine {
	line := letterLine{
		Letter: linePlace(e.At), Event: linePlace(e.Place), Timestamp: e.Timestamp,
		Reason: e.Reason, Error: e.Error, EventID: e.EventID, EventType: e.EventType, CorrelationID: e.CorrelationID,
		Entity: string(e.Document.Entity), ID: e.Document.ID, FailedAt: e.FailedAt, Copies: len(e.Copies),
	}
	if !e.Open() {
		line.Replayed = &e.Done
	}
	return line
}

func printLines(out io.Writer, letters []*dlq.Entry) error {
	for _, e := range letters {
		line, err := json.Marshal(newLetterLine(e))
		if err != nil {
			return fmt.Errorf("print letter %s: %w", e.Name, err)
		}
		if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}

// printTable writes a table that fits 80 columns: what is too long of a document's
// id or of the original place is cut, "dlq show" has all of it.
func printTable(out io.Writer, letters []*dlq.Entry, now time.Time, withDone bool) error {
	const widest, gap = 80, 2
	if len(letters) == 0 {
		return nil
	}
	rows := [][]string{{"LETTER", "AGE", "REASON", "DOCUMENT", "DONE", "FROM"}}
	for _, e := range letters {
		rows = append(rows, tableRow(e, now))
	}
	room := widest
	widths := make([]int, len(rows[0])-1) // the last column has what is left
	for i := range widths {
		if rows[0][i] == "DONE" && !withDone {
			continue
		}
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		room -= widths[i] + gap
	}
	for _, row := range rows {
		var line strings.Builder
		for i, width := range widths {
			if width > 0 {
				fmt.Fprintf(&line, "%-*s", width+gap, row[i])
			}
		}
		line.WriteString(cutHead(row[len(widths)], room))
		if _, err := fmt.Fprintln(out, line.String()); err != nil {
			return err
		}
	}
	return nil
}

func tableRow(e *dlq.Entry, now time.Time) []string {
	const reasonWidth, documentWidth = 18, 16
	done := "no"
	if !e.Open() {
		done = "yes"
	}
	return []string{
		fmt.Sprintf("%d/%d", e.At.ID, e.At.Offset), age(now.Sub(e.FailedAt)), cutTail(printable(e.Reason), reasonWidth),
		cutTail(documentName(e), documentWidth), done, printable(e.Place.String()),
	}
}

// documentName is "post/123", or what is known of it.
func documentName(e *dlq.Entry) string {
	switch {
	case e.Document.Entity == "":
		return "-"
	case e.Document.ID == "":
		return string(e.Document.Entity)
	}
	return printable(e.Document.String())
}

// age is a time as one number, such as 45s, 12m, 7h, 30d.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(d, 0)/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}
