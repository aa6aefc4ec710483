package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/search-indexer/search-indexer/internal/progress"
)

// print writes tables that fit 80 columns: names to the left, numbers to the
// right.
func (o overview) print(out io.Writer) error {
	topics := newTable(1, "topic", "parts", "events", "lag", "most in one", "oldest", "in/s", "done/s")
	for _, t := range o.Topics {
		end, lag, most := t.sums()
		topics.AppendRow(table.Row{t.Topic, len(t.Partitions), end, lag, most, t.oldest(), perSecond(t.Published), perSecond(t.Done)})
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
	_, err := fmt.Fprintf(out, "%s\n\n%s\n\nconsumer group %s: %s\n%s\n", topicTable, indexTable, o.Group, memberCount(o.Members, o.Topics), deadLetters(o.Letters))
	if o.Letters != nil {
		for _, l := range o.Letters.Last {
			_, err = fmt.Fprintf(out, "  %s  %s/%d at offset %d  %s\n", l.At.UTC().Format(time.RFC3339), l.Topic, l.Partition, l.Offset, l.Reason)
		}
	}
	for _, rebuild := range o.Rebuilds {
		_, err = fmt.Fprintln(out, rebuild)
	}
	for _, drift := range o.Drift {
		_, err = fmt.Fprintln(out, drift)
	}
	if l := o.Lock; l != nil {
		_, err = fmt.Fprintf(out, "locked for %s since %s, by %s\n", l.Command, l.Since.Format(time.RFC3339), l.Owner)
		switch {
		case l.Alive != nil && !*l.Alive:
			_, err = fmt.Fprintln(out, "  which is silent, perhaps it died: who comes next takes the lock over")
		case l.Progress != nil:
			_, err = fmt.Fprintln(out, " ", progress.Standing(*l.Progress))
		}
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

// oldest is the age of the first record that the group has yet to read, for people.
func (t topicStatus) oldest() string {
	oldest := time.Duration(0)
	for _, p := range t.Partitions {
		if p.LagSeconds == nil {
			return "?"
		}
		oldest = max(oldest, time.Duration(*p.LagSeconds*float64(time.Second)))
	}
	if oldest == 0 {
		return "-"
	}
	return oldest.Round(time.Second).String()
}

func perSecond(rate *float64) string {
	if rate == nil {
		return "?"
	}
	return strconv.FormatFloat(*rate, 'f', 0, 64)
}

// memberCount is what a line says of the members; nobody was asked where there are no
// topics.
func memberCount(members []string, topics []topicStatus) string {
	switch {
	case topics == nil:
		return "members unknown"
	case len(members) == 0:
		return "no members, nobody reads"
	case len(members) == 1:
		return "1 member, " + members[0]
	}
	return strconv.Itoa(len(members)) + " members"
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
