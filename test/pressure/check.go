package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// result is what one case has measured.
type result struct {
	peak       uint64
	paused     float64 // partitions at once, at most
	rebalances float64
	scrapes    int
	lines      []string // what else there is to tell
}

func (r *result) say(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *result) print(to io.Writer, name, about string, err error) {
	verdict := "right"
	if err != nil {
		verdict = "WRONG"
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "%s: %s\n", name, about)
	_, _ = fmt.Fprintf(table, "  peak memory (RSS)\t%s\n", humanize.Bytes(r.peak))
	_, _ = fmt.Fprintf(table, "  rebalances\t%.0f\n", r.rebalances)
	_, _ = fmt.Fprintf(table, "  paused at once\t%.0f partitions\n", r.paused)
	_, _ = fmt.Fprintf(table, "  scrapes, books balanced\t%d\n", r.scrapes)
	for _, line := range r.lines {
		_, _ = fmt.Fprintf(table, "  %s\n", line)
	}
	_, _ = fmt.Fprintf(table, "  result\t%s\n\n", verdict)
	_ = table.Flush()
}

// checkDocuments compares every document's version with what it must be.
func (s *stand) checkDocuments(ctx context.Context, alias string, want map[string]int64) error {
	if err := s.cluster.Do(ctx, "POST", "/"+s.name+alias+"/_refresh", "", nil); err != nil {
		return err
	}
	var page struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct {
			Hits []struct {
				ID     string `json:"_id"`
				Source struct {
					Version int64 `json:"version"`
				} `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	found, wrong := 0, 0
	err := s.cluster.Do(ctx, "POST", "/"+s.name+alias+"/_search?scroll=2m", `{"size":5000,"sort":["_doc"],"_source":["version"]}`, &page)
	for err == nil && len(page.Hits.Hits) > 0 {
		for _, h := range page.Hits.Hits {
			found++
			if version, ok := want[h.ID]; !ok || version != h.Source.Version {
				wrong++
			}
		}
		page.Hits.Hits = nil
		err = s.cluster.Do(ctx, "POST", "/_search/scroll", `{"scroll":"2m","scroll_id":"`+page.Scroll+`"}`, &page)
	}
	if err == nil && (found != len(want) || wrong > 0) {
		err = fmt.Errorf("%s: %d documents, %d of them wrong; want %d", alias, found, wrong, len(want))
	}
	return err
}

// checkProcess holds the worker to its memory and its place in the group.
func (s *stand) checkProcess(r *result) error {
	if r.peak > s.options.cap {
		return fmt.Errorf("peak memory %s is above the cap of %s", humanize.Bytes(r.peak), humanize.Bytes(s.options.cap))
	}
	if r.rebalances > 1 {
		return fmt.Errorf("%.0f rebalances, want the first one only", r.rebalances)
	}
	return nil
}

// checkCommitted compares the group's offsets with the events: topics begin at 0
// and have no holes.
func (s *stand) checkCommitted(ctx context.Context, events int) error {
	committed, err := s.broker.Committed(ctx, s.name+"group")
	if err != nil {
		return err
	}
	var sum int64
	for _, offset := range committed {
		sum += max(offset, 0)
	}
	if sum != int64(events) {
		return fmt.Errorf("%d of %d events are committed", sum, events)
	}
	return nil
}
