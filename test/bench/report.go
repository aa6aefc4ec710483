package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// report is all that a run has found.
type report struct {
	Machine  machine            `json:"machine"`
	Options  map[string]string  `json:"settings"` // of the worker, where not the default
	Chapters map[string]finding `json:"chapters"`
}

// result is one workload. Its numbers are medians over the rounds.
type result struct {
	Workload  string  `json:"workload"`
	About     string  `json:"about"`
	Events    int     `json:"events"`
	Documents int     `json:"documents"` // that come of the events, tombstones included
	Worker    float64 `json:"worker_events_per_second"`
	Ceiling   float64 `json:"plain_bulk_docs_per_second"`
	Ratio     float64 `json:"ratio"`
	CPU       float64 `json:"cpu_us_per_event"`
	Peak      float64 `json:"peak_rss_bytes"` // the highest of the rounds
	Disk      float64 `json:"index_bytes_per_document"`
	Rounds    []round `json:"rounds"`
}

// round is one measurement of each side.
type round struct {
	Worker  workerRun  `json:"worker"`
	Ceiling ceilingRun `json:"plain_bulk"`
}

// conclude fills in the medians.
func (r *result) conclude() {
	r.Worker = r.median(func(one round) float64 { return one.Worker.Rate })
	r.Ceiling = r.median(func(one round) float64 { return one.Ceiling.Rate })
	r.CPU = r.median(func(one round) float64 { return one.Worker.CPU })
	r.Ratio = r.Worker / r.Ceiling
	for _, one := range r.Rounds {
		r.Peak = max(r.Peak, one.Worker.Peak)
	}
}

func (r *result) median(of func(round) float64) float64 { return median(r.Rounds, of) }

// median returns the middle one of the rounds' numbers.
func median[R any](rounds []R, of func(R) float64) float64 {
	values := make([]float64, len(rounds))
	for i, one := range rounds {
		values[i] = of(one)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func writeJSON(to io.Writer, r any) error {
	if err := json.MarshalWrite(to, r, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	_, err := fmt.Fprintln(to)
	return err
}

// writeText prints the report in 80 columns.
func (r rates) writeText(to io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "workload\tevents\tdocs\tworker ev/s\t_bulk docs/s\tratio\tCPU µs/ev\tpeak MiB\t")
	for _, w := range r.Workloads {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%.2f\t%.0f\t%.0f\t\n", w.Workload,
			humanize.Comma(int64(w.Events)), humanize.Comma(int64(w.Documents)),
			humanize.Comma(int64(w.Worker)), humanize.Comma(int64(w.Ceiling)), w.Ratio, w.CPU, w.Peak/(1<<20))
	}
	_ = table.Flush() // to memory
	b.WriteString("\n")
	for _, w := range r.Workloads {
		fmt.Fprintf(&b, "%s: %s\n", w.Workload, w.About)
		w.writeDetails(&b)
	}
	fmt.Fprintf(&b, "\nratio: worker events/s by docs/s of a plain _bulk of the documents that come of\nthem, %d a request and %d requests at once. Medians of the rounds.\n",
		r.Shape.Documents, r.Shape.InFlight)
	_, err := io.WriteString(to, b.String())
	return err
}

// writeDetails prints what the table has no room for.
func (r *result) writeDetails(b *strings.Builder) {
	worker := func(one round) float64 { return one.Worker.Rate }
	ceiling := func(one round) float64 { return one.Ceiling.Rate }
	fmt.Fprintf(b, "  rounds: %d; worker %s, _bulk %s\n", len(r.Rounds), r.span(worker), r.span(ceiling))
	fmt.Fprintf(b, "  OpenSearch's CPU: worker %.0f µs an event, _bulk %.0f µs a document\n",
		r.median(func(one round) float64 { return one.Worker.Server }),
		r.median(func(one round) float64 { return one.Ceiling.Server }))
	fmt.Fprintf(b, "  index: %.0f bytes a document; bulk requests held %.2f documents an event\n", r.Disk,
		r.median(func(one round) float64 { return float64(one.Worker.Writes) })/float64(r.Events))
	const calm = 1.3
	if r.spread(worker) > calm || r.spread(ceiling) > calm {
		b.WriteString("  The rounds differ too much to trust the ratio: the machine was busy.\n")
	}
}

// span shows the lowest and the highest of the rounds.
func (r *result) span(of func(round) float64) string {
	low, high := r.extremes(of)
	return humanize.Comma(int64(low)) + " to " + humanize.Comma(int64(high))
}

// spread is the highest of the rounds by the lowest.
func (r *result) spread(of func(round) float64) float64 {
	low, high := r.extremes(of)
	return high / low
}

func (r *result) extremes(of func(round) float64) (low, high float64) {
	low, high = of(r.Rounds[0]), of(r.Rounds[0])
	for _, one := range r.Rounds {
		low, high = min(low, of(one)), max(high, of(one))
	}
	return low, high
}
