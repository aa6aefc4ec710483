package main

import (
	"fmt"
	"io"
	"time"

	"github.com/search-indexer/search-indexer/internal/rebuild"
)

func printPlanText(out io.Writer, plan rebuild.Plan) {
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(out, "%-15s %s\n", name, fmt.Sprintf(format, args...)) // the report itself is what counts
	}
	line("log", "%d events in %d partitions, about %s each", plan.Events, plan.Partitions, bytesText(plan.EventBytes))
	for _, e := range plan.Entities {
		if e.Live == "" {
			line(string(e.Entity), "has no index yet")
			continue
		}
		line(string(e.Entity), "replaces %s: %d documents, %s", e.Live, e.Documents, bytesText(e.Bytes))
	}
	line("fold", "needs up to %s of disk; %s free in %s", bytesText(plan.FoldNeed), bytesText(plan.FoldFree), plan.FoldDir)
	line("indices", "need up to %s of OpenSearch's disks; %s free", bytesText(plan.IndexNeed), bytesText(plan.IndexFree))
	for _, note := range plan.Notes {
		line("note", "%s", note)
	}
	for _, refusal := range plan.Refusals {
		line("refused", "%s", refusal)
	}
	if len(plan.Refusals) == 0 {
		line("result", "a rebuild may begin; nothing was changed")
	}
}

// printRebuild tells what a rebuild has done.
func (p *program) printRebuild(r rebuild.Report, asJSON bool) error {
	if asJSON {
		return p.printObject(r)
	}
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(p.stdout, "%-15s %s\n", name, fmt.Sprintf(format, args...))
	}
	if r.Events > 0 {
		line("events", "%d, %d of them published meanwhile", r.Events, r.CaughtUp)
		counts := map[string]int{}
		for reason, n := range r.Reasons {
			counts[reason] = int(n)
		}
		byReason(p.stdout, "bad records", counts)
		line("entities", "%d", r.Entities)
		line("documents", "%d", r.Documents)
		line("tombstones", "%d, and %d that were past TOMBSTONE_RETENTION", r.Tombstones, r.Expired)
		if r.Piecemeal > 0 {
			line("", "%d were refused as a whole, and joined event by event", r.Piecemeal)
		}
	}
	if r.RejectedCount > 0 {
		line("rejected", "%d events, by OpenSearch; the first of them:", r.RejectedCount)
		for _, e := range r.Rejected[:min(10, len(r.Rejected))] {
			line("", "%s/%d/%d %s", e.Topic, e.Partition, e.Offset, e.Reason)
		}
	}
	for _, i := range r.Indices {
		line("live now", "%s (was %s)", i.To, orNone(i.From))
	}
	for _, name := range r.Removed {
		line("removed", "%s", name)
	}
	for _, note := range r.Notes {
		line("note", "%s", note)
	}
	total := 0.0
	for _, phase := range rebuild.Phases() {
		if seconds, ok := r.Seconds[phase]; ok {
			total += seconds
			line(string(phase), "%s", secondsText(seconds))
		}
	}
	if len(r.Seconds) > 0 { // something was begun
		line("total", "%s", secondsText(total))
	}
	return nil
}

func secondsText(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond).String()
}

// bytesText returns a size that a person can read.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < 3 {
		value, prefix = value/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[prefix])
}
