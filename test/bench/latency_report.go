package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// writeText prints the result in 80 columns.
func (r latency) writeText(to io.Writer) error {
	var b strings.Builder
	writeTrials(&b, r.Trials)
	fmt.Fprintf(&b, "\nLag while the rate steps up towards the ceiling of %s docs/s, and back:\n\n", humanize.Comma(int64(r.Ceiling)))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "of ceiling\tevents/s\trecords p50\tp95\tp99\tseconds p50\tp95\tp99\t")
	for _, s := range r.Steps {
		_, _ = fmt.Fprintf(table, "%.0f%%\t%s\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t\n", s.Part*100, humanize.Comma(int64(s.Rate)),
			s.Records.P50, s.Records.P95, s.Records.P99, s.Seconds.P50, s.Seconds.P95, s.Seconds.P99)
	}
	_ = table.Flush() // to memory
	_, err := io.WriteString(to, b.String())
	return err
}

func (r refresh) writeText(to io.Writer) error {
	var b strings.Builder
	writeTrials(&b, r.Trials)
	b.WriteString("\n")
	writeCatchUps(&b, r.Costs)
	_, err := io.WriteString(to, b.String())
	return err
}

func writeTrials(b *strings.Builder, trials []trial) {
	b.WriteString("Milliseconds from publishing to the acknowledged write, and until a search finds;\ncores at work: the worker's, OpenSearch's, all:\n\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "refresh\tevents/s\twritten p50\tp95\tp99\tfound p50\tp95\tp99\tworker\tOS\tall\t")
	for _, t := range trials {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.1f\t\n", t.Refresh, humanize.Comma(int64(t.Rate)),
			t.Acknowledged.P50, t.Acknowledged.P95, t.Acknowledged.P99, t.Found.P50, t.Found.P95, t.Found.P99, t.Cores, t.Server, t.Machine)
	}
	_ = table.Flush() // to memory
}

func middle(values []float64) float64 { return median(values, func(v float64) float64 { return v }) }
