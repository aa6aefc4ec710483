package main

import (
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// print writes tables that fit 80 columns: names to the left, numbers to the
// right.
func (o overview) print(out io.Writer) error {
	topics := newTable(1, "topic", "partitions", "events", "lag", "most in one")
	for _, t := range o.Topics {
		end, lag, most := t.sums()
		topics.AppendRow(table.Row{t.Topic, len(t.Partitions), end, lag, most})
	}
	indices := newTable(2, "alias", "index", "documents", "tombstones")
	for _, i := range o.Indices {
		indices.AppendRow(table.Row{i.Alias, i.Index, i.Documents, i.Tombstones})
	}
	topicTable, indexTable := topics.Render(), indices.Render()
	if o.Topics == nil {
		topicTable = "topics: unknown"
	}
	if o.Indices == nil {
		indexTable = "indices: unknown"
	}
	_, err := fmt.Fprintf(out, "%s\n\n%s\n\nconsumer group %s\n%s\n", topicTable, indexTable, o.Group, deadLetters(o.Letters))
	for _, rebuild := range o.Rebuilds {
		_, err = fmt.Fprintln(out, rebuild)
	}
	for _, drift := range o.Drift {
		_, err = fmt.Fprintln(out, drift)
	}
	if l := o.Lock; l != nil {
		_, err = fmt.Fprintf(out, "locked for %s since %s, by %s\n", l.Command, l.Since.Format(time.RFC3339), l.Owner)
	}
	for _, problem := range o.Problems {
		_, err = fmt.Fprintln(out, "problem:", problem)
	}
	return err
}

// newTable returns a table whose first columns are names and the others numbers.
func newTable(names int, header ...string) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft = ""
	style.Box.PaddingRight = "  "
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	row := table.Row{}
	var columns []table.ColumnConfig
	for i, name := range header {
		row = append(row, name)
		align := text.AlignRight
		if i < names {
			align = text.AlignLeft
		}
		columns = append(columns, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align})
	}
	t.AppendHeader(row)
	t.SetColumnConfigs(columns)
	return t
}

// deadLetters is what a line says of them; n may be nil.
func deadLetters(n *letterStatus) string {
	switch {
	case n == nil:
		return "dead letters: unknown"
	case n.Open == nil:
		return fmt.Sprintf("dead letters: %d, open or replayed", n.Records)
	case *n.Replayed > 0:
		return fmt.Sprintf("dead letters: %d open, %d replayed", *n.Open, *n.Replayed)
	}
	return fmt.Sprintf("dead letters: %d open", *n.Open)
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
