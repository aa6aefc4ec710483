package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// result is what one case has measured.
type result struct {
	peak       uint64
	highest    memory  // of all scrapes
	paused     float64 // partitions at once, at most
	rebalances float64
	scrapes    int
	lines      []string // what else there is to tell
}

// memory is how one scrape's resident memory was made up, in bytes.
type memory struct {
	resident float64
	goOwn    float64 // what Go has from the system: its heap, garbage included, stacks, the rest
	goHeap   float64 // of that, what is in use, or was until the last collection
	events   float64 // of that, what the worker counts for the events in flight
}

// take notes what a scrape tells.
func (r *result) take(m e2e.Metrics) {
	r.scrapes++
	r.paused = max(r.paused, m.Sum("indexer_partitions_paused"))
	r.rebalances = m.Sum("indexer_rebalances_total")
	if resident := m.Sum("process_resident_memory_bytes"); resident > r.highest.resident {
		r.highest = memory{
			resident: resident,
			goOwn:    m.Sum("go_memstats_sys_bytes") - m.Sum("go_memstats_heap_released_bytes"),
			goHeap:   m.Sum("go_memstats_heap_alloc_bytes"),
			events:   m.Sum("indexer_in_flight_bytes"),
		}
	}
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
	_, _ = fmt.Fprintf(table, "  in the highest scrape\t%s: Go %s (heap %s, events %s), other %s\n", size(r.highest.resident),
		size(r.highest.goOwn), size(r.highest.goHeap), size(r.highest.events), size(r.highest.resident-r.highest.goOwn))
	_, _ = fmt.Fprintf(table, "  rebalances\t%.0f\n", r.rebalances)
	_, _ = fmt.Fprintf(table, "  paused at once\t%.0f partitions\n", r.paused)
	_, _ = fmt.Fprintf(table, "  scrapes, books balanced\t%d\n", r.scrapes)
	for _, line := range r.lines {
		_, _ = fmt.Fprintf(table, "  %s\n", line)
	}
	_, _ = fmt.Fprintf(table, "  result\t%s\n\n", verdict)
	_ = table.Flush()
}

func size(bytes float64) string { return humanize.Bytes(uint64(max(bytes, 0))) }

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
	sum, err := s.committed(ctx)
	if err == nil && sum != int64(events) {
		err = fmt.Errorf("%d of %d events are committed", sum, events)
	}
	return err
}

func (s *stand) committed(ctx context.Context) (sum int64, err error) {
	committed, err := s.broker.Committed(ctx, s.name+"group")
	for _, offset := range committed {
		sum += max(offset, 0)
	}
	return sum, err
}
