package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// of returns the median of one number of the rounds.
func (r rebuildResult) of(number func(rebuildRound) float64) float64 { return median(r.Rounds, number) }

// parts of c, with the least that c has to do: a + b.
func (r rebuildResult) least() float64 {
	return r.of(func(one rebuildRound) float64 { return one.Read.Seconds + one.Bulk.Seconds })
}

// writeText prints the result in 80 columns.
func (r rebuildResult) writeText(to io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s events of %s, %s documents; rounds: %d, medians\n\n",
		humanize.Comma(int64(r.Events)), humanize.IBytes(uint64(r.EventBytes)), humanize.Comma(int64(r.Documents)), len(r.Rounds))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "\tseconds\tprogram's CPU s\tOpenSearch's CPU s\tpeak MiB\t")
	line := func(name string, of func(rebuildRound) part) {
		_, _ = fmt.Fprintf(table, "%s\t%.1f\t%s\t%s\t%s\t\n", name,
			r.of(func(one rebuildRound) float64 { return of(one).Seconds }),
			told("%.1f", r.of(func(one rebuildRound) float64 { return of(one).CPU })),
			told("%.1f", r.of(func(one rebuildRound) float64 { return of(one).Server })),
			told("%.0f", r.of(func(one rebuildRound) float64 { return of(one).Peak / (1 << 20) })))
	}
	line("a: only read the log", func(one rebuildRound) part { return one.Read })
	line("b: only _bulk the documents", func(one rebuildRound) part { return one.Bulk })
	line("c: indexer rebuild", func(one rebuildRound) part { return one.Rebuild })
	line("d: live path, indexer run", func(rebuildRound) part { return r.Live })
	_ = table.Flush() // to memory

	rebuild := r.of(func(one rebuildRound) float64 { return one.Rebuild.Seconds })
	fmt.Fprintf(&b, "\nc / (a + b): %.2f    c / d: %.2f\n\nThe seconds of c by phase:\n", rebuild/r.least(), rebuild/r.Live.Seconds)
	for _, phase := range slices.Sorted(maps.Keys(r.Rounds[0].Phases)) {
		fmt.Fprintf(&b, "  %-9s %.2f\n", phase, r.of(func(one rebuildRound) float64 { return one.Phases[phase] }))
	}
	fmt.Fprintf(&b, "Working files: %s. All documents of c are those of d.\n_bulk: %d documents a request, %d requests at once.\n",
		humanize.IBytes(uint64(r.of(func(one rebuildRound) float64 { return one.Fold }))), r.Shape.Documents, r.Shape.InFlight)
	_, err := io.WriteString(to, b.String())
	return err
}

// told leaves out what is not known.
func told(format string, n float64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf(format, n)
}
