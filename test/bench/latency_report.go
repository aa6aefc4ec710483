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
	b.WriteString("Milliseconds since an event was published:\n\n")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "\t\tacknowledged\t\t\tsearchable\t\t\tworker\t")
	_, _ = fmt.Fprintln(table, "refresh\tevents/s\tp50\tp95\tp99\tp50\tp95\tp99\tcores\t")
	for _, t := range r.Trials {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t\n", t.Refresh, humanize.Comma(int64(t.Rate)),
			t.Acknowledged.P50, t.Acknowledged.P95, t.Acknowledged.P99, t.Found.P50, t.Found.P95, t.Found.P99, t.Cores)
	}
	_ = table.Flush() // to memory
	fmt.Fprintf(&b, "\nLag while the rate steps up to near the ceiling of %s docs/s, and back:\n\n", humanize.Comma(int64(r.Ceiling)))
	table = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "of ceiling\tevents/s\trecords p50\tp95\tp99\tseconds p50\tp95\tp99\t")
	for _, s := range r.Steps {
		_, _ = fmt.Fprintf(table, "%.0f%%\t%s\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t\n", s.Part*100, humanize.Comma(int64(s.Rate)),
			s.Records.P50, s.Records.P95, s.Records.P99, s.Seconds.P50, s.Seconds.P95, s.Seconds.P99)
	}
	_ = table.Flush() // to memory
	if len(r.Costs) > 0 {
		b.WriteString("\nWhat a worker reaches that catches up with fresh events:\n\n")
		table = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		_, _ = fmt.Fprintln(table, "refresh\tevents/s\tof the first\t")
		first := middle(r.Costs[0].Rates)
		for _, c := range r.Costs {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%.2f\t\n", c.Refresh, humanize.Comma(int64(middle(c.Rates))), middle(c.Rates)/first)
		}
		_ = table.Flush() // to memory
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func middle(values []float64) float64 { return median(values, func(v float64) float64 { return v }) }
